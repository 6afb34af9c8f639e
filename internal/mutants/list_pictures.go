package mutants

import "time"

// pictures has the mutants of pictures and recordings.
var pictures = []Mutant{
	{
		Name: "the thumbnail of a mirrored picture is not mirrored", By: unit("TestUploadImageIsTurned"),
		Marker: "exif-mirror", Old: "o == 2 ||", New: "",
	},
	{
		Name: "a rotated picture keeps its width", By: unit("TestUploadImageIsTurned"),
		Marker: "image-turned", Old: "turn.Turned()", New: "false",
	},
	{
		Name: "a recorded frame is nested without a limit",
		By:   Test{Package: "./blazetest", Run: "^TestRecorderOfHostileFrames$", Timeout: time.Minute},

		Marker: "recorder-depth", Old: "w.depthLeft == 0", New: "false",
	},
	{
		Name: "a JPEG has any number of scans", By: in("picture", "TestScansAreCounted"),
		Marker: "picture-scans", Old: " || c.scans > maxScans", New: "",
	},
	{
		Name: "a decoder reads a whole file in one call", By: in("picture", "TestReadEndsWithItsContext"),
		Marker: "picture-pieces", Old: "min(len(p), pieceBytes)", New: "len(p)",
	},
	{
		Name: "coefficients of a progressive JPEG are not counted", By: in("picture", "TestMemoryIsBounded"),
		Marker: "picture-coefficients", New: "",
	},
	{
		Name: "a date in Retry-After has no maximum", By: in("header", "FuzzHeaders"),
		Marker: "retry-date", Old: "mostRetryAfter", New: "1<<62",
	},
}
