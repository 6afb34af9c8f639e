package mutants

import "time"

// pictures has the mutants of pictures and recordings.
var pictures = []Mutant{
	{
		Name: "a recorded frame may be nested as deep as it likes",
		By:   Test{Package: "./blazetest", Run: "^TestRecorderOfHostileFrames$", Timeout: time.Minute},

		Marker: "recorder-depth", Old: "w.depthLeft == 0", New: "false",
	},
	{
		Name: "a JPEG may have any number of scans", By: in("picture", "TestScansAreCounted"),
		Marker: "picture-scans", Old: " || c.scans > maxScans", New: "",
	},
	{
		Name: "a decoder gets the whole file at once", By: in("picture", "TestReadEndsWithItsContext"),
		Marker: "picture-pieces", Old: "min(len(p), pieceBytes)", New: "len(p)",
	},
	{
		Name: "coefficients of a progressive JPEG take no memory", By: in("picture", "TestMemoryIsBounded"),
		Marker: "picture-coefficients", New: "",
	},
	{
		Name: "a date to retry after may be far away", By: in("header", "FuzzHeaders"),
		Marker: "retry-date", Old: "mostRetryAfter", New: "1<<62",
	},
}
