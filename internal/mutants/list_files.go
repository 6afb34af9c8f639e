package mutants

// files has the mutants of downloads, of uploads, and of faulty storage.
var files = []Mutant{
	{
		Name: "an encrypted file is handed out while it is verified",
		By:   unit("TestADownloadIsVerifiedBeforeItsFirstByte"), Marker: "download-verified", Old: "c.verified",
		New: "func(ctx context.Context, a Attachment) (*download, error) { return c.fetch(ctx, a, nil) }",
	},
	{
		Name: "a download that fails leaves a file behind", By: in("spool", "TestReplace"),
		Marker: "replace-remove", Old: "!whole", New: `{{.}} && path == ""`,
	},
	{
		Name: "an upload waits for the body of an answer", By: in("rest", "TestPutDoesNotWaitForABody"),
		Marker: "put-body", New: "_, _ = io.Copy(io.Discard, resp.Body)",
	},
	{
		Name: "a part of a file is taken for all of it", By: in("rest", "TestStatusOfFiles"),
		Marker: "get-status", Old: "http.StatusOK", New: "{{.}}, http.StatusPartialContent",
	},
	{
		Name: "a download has no bound but what the answer says", By: in("rest", "TestGetOfAtMost"),
		Marker: "get-most", Old: "a.left < 0", New: "a.left < -1000",
	},
	{
		Name: "userinfo of an address becomes a header", By: in("rest", "TestUserinfoIsNotSent"),
		Marker: "file-userinfo", New: "",
	},
	{
		Name: "the address of a file may be any", By: in("rest", "TestAddressesThatAreNotPublic"),
		Marker: "file-private", Old: "!c.private", New: "false",
	},
	{
		Name: "an IPv6 address hides a private IPv4 address", By: in("address", "TestHosts"),
		Marker: "address-embedded", Old: "embedded(ip)", New: "embedded(ip)[:0]",
	},
	{
		Name: "the name of a storage may lead anywhere", By: unit("TestANameThatResolvesToThisMachine"),
		Marker: "dial-public", New: "d.ControlContext = nil\n{{.}}",
	},
	{
		Name: "a file name has backslashes", By: unit("TestSafeName"),
		Marker: "safe-separators", Old: "`/\\`", New: "`/`",
	},
}
