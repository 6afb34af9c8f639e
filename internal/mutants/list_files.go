package mutants

// files has the mutants of downloads, of uploads, and of faulty storage.
var files = []Mutant{
	{
		Name: "an encrypted file is returned before it is verified",
		By:   unit("TestADownloadIsVerifiedBeforeItsFirstByte"), Marker: "download-verified", Old: "c.verified",
		New: "func(ctx context.Context, a Attachment) (*download, error) { return c.fetch(ctx, a, nil) }",
	},
	{
		Name: "a failed download leaves a file behind", By: in("spool", "TestReplace"),
		Marker: "replace-remove", Old: "!whole", New: `{{.}} && path == ""`,
	},
	{
		Name: "an upload waits for the response body", By: in("rest", "TestPutDoesNotWaitForABody"),
		Marker: "put-body", New: "_, _ = io.Copy(io.Discard, resp.Body)",
	},
	{
		Name: "a partial response counts as the whole file", By: in("rest", "TestStatusOfFiles"),
		Marker: "get-status", Old: "http.StatusOK", New: "{{.}}, http.StatusPartialContent",
	},
	{
		Name: "a download exceeds its maximum size", By: in("rest", "TestGetOfAtMost"),
		Marker: "get-max", Old: "a.left < 0", New: "a.left < -1000",
	},
	{
		Name: "userinfo in the URL of a file is sent as a header", By: in("rest", "TestUserinfoIsNotSent"),
		Marker: "file-userinfo", New: "",
	},
	{
		Name: "a file is read from a private address", By: in("rest", "TestAddressesThatAreNotPublic"),
		Marker: "file-private", Old: "!c.private", New: "false",
	},
	{
		Name: "a private IPv4 address inside an IPv6 address is allowed", By: in("address", "TestHosts"),
		Marker: "address-embedded", Old: "embedded(ip)", New: "embedded(ip)[:0]",
	},
	{
		Name:   "the name of a storage host resolves to a private address",
		By:     unit("TestANameThatResolvesToThisMachine"),
		Marker: "dial-public", New: "d.ControlContext = nil\n{{.}}",
	},
	{
		Name: "a safe file name contains backslashes", By: unit("TestSafeName"),
		Marker: "safe-separators", Old: "`/\\`", New: "`/`",
	},
}
