package mutants

import "time"

// fileLedger has the mutants of package ledger.
var fileLedger = []Mutant{
	{
		Name: "a file of one line, such as a key, is emptied", By: Test{
			Package: "./ledger", Run: "^TestAnotherFileIsNotEmptied$", Timeout: time.Minute,
		},
		Marker: "ledger-foreign", Old: "ok && len(text) > 0", New: "false",
	},
	{
		Name: "a Ledger in a file accepts every id", By: ofLedger("TestIDsThatAreNoUUIDs"),
		Marker: "ledger-valid", Old: "!valid([]byte(messageID))", New: "false",
	},
	{
		Name: "a part of a line stays in the file of a Ledger", By: ofLedger("TestAFullDisk"),
		Marker: "ledger-torn", New: "",
	},
	{
		Name: "the file of a Ledger is not synced", By: ofLedger("TestIDsAreSyncedWithinASecond"),
		Marker: "ledger-sync", Old: "s.file.Sync()", New: "error(nil)",
	},
	{
		Name: "Close does not sync the file of a Ledger", By: ofLedger("TestIDsAreSyncedWithinASecond"),
		Marker: "ledger-close", Old: "f.store.sync()", New: "error(nil)",
	},
	{
		Name: "the file of a Ledger is synced again after a failed sync", By: ofLedger("TestAFailedSync"),
		Marker: "ledger-stale", New: "",
	},
	{
		Name: "the file of a Ledger keeps all ids", By: ofLedger("TestTheNewestIDsAreKept"),
		Marker: "ledger-skip", New: "skip := 0",
	},
	{
		Name: "two processes share the file of a Ledger", By: ofLedger("TestASecondProcess"),
		Marker: "ledger-lock", Old: "LOCK_EX", New: "LOCK_SH",
	},
}

// ofLedger returns a test of package ledger.
func ofLedger(name string) Test {
	return Test{Package: "./ledger", Run: "^" + name + "$", Timeout: time.Minute}
}
