package soak

// renamedFaults maps the fault names of older reports to the present ones.
var renamedFaults = map[string]string{
	"handshake refused":                       "handshake rejected",
	"list refused for now":                    "list rejected transiently",
	"list refused":                            "list rejected",
	"acknowledgement refused for now":         "acknowledgement rejected transiently",
	"acknowledgement refused":                 "acknowledgement rejected",
	"acknowledgements refused for now":        "acknowledgements rejected transiently",
	"acknowledgements refused":                "acknowledgements rejected",
	"message refused for now":                 "message rejected transiently",
	"message refused":                         "message rejected",
	"repetition refused":                      "repetition rejected",
	"repetition refused under a new frame id": "repetition rejected under a new frame id",
	"batch refused for now":                   "batch rejected transiently",
	"batch refused":                           "batch rejected",
	"batch refused for one message":           "batch rejected for one message",
	"encrypted message refused":               "encrypted message rejected",
	"HTTP refused for now":                    "HTTP rejected transiently",
	"HTTP answer lost":                        "HTTP response lost",
	"HTTP answer of a gateway":                "HTTP response of a gateway",
	"GET /me not answered":                    "GET /me without response",
	"pushed again later":                      "redelivered later",
	"pushed live beside the list":             "pushed live during the list",
	"replies behind pushes":                   "replies after pushes",
	"list answered behind its messages":       "list reply after its messages",
	"listed again over a new link":            "resync over a new link",
	"handler gave up":                         "handler dropped",
	"a conversation only fails":               "conversation failing",
	"limiter waited for":                      "limiter waited",
	"send given up early":                     "send canceled early",
	"process ended with something left":       "process ended with work left",
}

// renameFaults replaces the fault names of older reports.
func (rep *Report) renameFaults() {
	for before, now := range renamedFaults {
		if n, ok := rep.Faults[before]; ok {
			delete(rep.Faults, before)
			rep.Faults[now] += n
		}
	}
}
