package mutants

import "time"

// files are the broken builds of pictures and recordings.
var files = []Mutant{
	{
		Name: "a recorded frame may be nested as deep as it likes",
		By:     Test{Package: "./blazetest", Run: "^TestRecorderOfHostileFrames$", Timeout: time.Minute},
		Marker: "recorder-depth", Old: "w.room == 0", New: "false",
	},
}
