package mutants

import "time"

// dialogs has the mutants of package dialog.
var dialogs = []Mutant{
	{
		Name: "a message is taken as the answer to two questions", By: ofDialog("TestOldMessages"),
		Marker: "dialog-answered", Old: "s.answered(m)", New: "false",
	},
	{
		Name: "a redelivered message opens another form", By: ofDialog("TestEveryCrashPoint"),
		Marker: "dialog-start", Old: "s.answered(m), s.older(m)", New: "false",
	},
	{
		Name: "a message that another handler got is taken after a restart", By: ofDialog("TestOldMessages"),
		Marker: "dialog-older", Old: ", s.older(m)", New: "",
	},
	{
		Name: "a form is saved before the question", By: ofDialog("TestAnUnconfirmedQuestion"),
		Marker: "dialog-order", Old: "d.answer(ctx, m, s, d.Steps[step].Ask(form))",
		New: "errors.Join(d.save(ctx, m, s), {{.}})",
	},
	{
		Name: "a form that was done stays open", By: ofDialog("TestEveryCrashPoint"),
		Marker: "dialog-end", Old: "err != nil &&", New: "",
	},
	{
		Name: "a form stays open after a message that was dropped", By: ofDialog("TestADroppedDoneClosesTheForm"),
		Marker: "dialog-end", Old: "&& !blaze.Final(err)", New: "",
	},
	{
		Name: "the ids of answers are kept as long as the form", By: ofDialog("TestIDsOutliveTheForm"),
		Marker: "dialog-kept", Old: "kept.After(s.Expires)", New: "false",
	},
	{
		Name: "an answer is lost if the service rejects a stored id", By: ofDialog("TestAnUnconfirmedQuestion"),
		Marker: "dialog-forbidden", Old: "errors.As(err, &unconfirmed)", New: "false",
	},
}

// ofDialog returns a test of package dialog.
func ofDialog(name string) Test {
	return Test{Package: "./dialog", Run: "^" + name + "$", Timeout: time.Minute}
}
