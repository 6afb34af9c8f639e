package mutants

// hostile has the mutants that an attack in internal/hostile catches.
var hostile = []Mutant{
	{
		Name:   "the headers of an HTTP response have no maximum",
		By:     in("hostile", "TestAttacks/storage/headers_of_a_file_without_end"),
		Marker: "http-headers", New: "",
	},
	{
		Name: "chunks of a PNG are not counted", By: in("hostile", "TestAttacks/pictures/a_PNG_of_a_million_chunks"),
		Marker: "picture-chunks", New: "",
	},
}
