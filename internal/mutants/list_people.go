package mutants

// people are the broken builds of what people's files, machines and logs are like.
var people = []Mutant{
	{
		Name: "the thumbnail of a mirrored picture is not mirrored", By: unit("TestUploadImageIsTurned"),
		Marker: "exif-mirror", Old: "o == 2 ||", New: "",
	},
	{
		Name: "a turned picture keeps its width", By: unit("TestUploadImageIsTurned"),
		Marker: "image-turned", Old: "turn.Turned()", New: "false",
	},
}
