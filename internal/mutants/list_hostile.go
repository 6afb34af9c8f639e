package mutants

// hostile has the mutants that an attack in internal/hostile catches.
var hostile = []Mutant{
	{
		Name:   "the headers of an HTTP answer have no bound of ours",
		By:     in("hostile", "TestAttacks/storage/headers_of_a_file_without_end"),
		Marker: "http-headers", New: "",
	},
	{
		Name: "the chunks of a PNG cost nothing", By: in("hostile", "TestAttacks/pictures/a_PNG_of_a_million_chunks"),
		Marker: "picture-chunks", New: "",
	},
}
