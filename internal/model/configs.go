package model

import "strings"

// Config configures one search.
type Config struct {
	Name string // the situation, or the bug of a broken variant
	Set  string // names explained in config.pml and server.pml, such as N=6 or STREAMS
	// Eventually searches for endless runs that never reach the goal although every process that can proceed does.
	// Without it, a search checks only properties of single states and of the final state.
	Eventually bool
	Violates   Property // the property that a broken variant must violate
}

// flags returns the names to define, as arguments of spin.
func (c Config) flags() []string {
	var all []string
	for set := range strings.FieldsSeq(c.Set) {
		all = append(all, "-D"+set)
	}
	if c.Eventually {
		all = append(all, "-DLTL")
	}
	return all
}

// Property is the number of an assertion of the model, from config.pml.
type Property int

// The properties.
const (
	None            Property = 0
	Served          Property = 100
	AckedIsFinished Property = 101
	FinishedOnce    Property = 102
	InOrder         Property = 103
	NoOvertaking    Property = 104
	OnlyPoisonEnds  Property = 105
	DrainedIsAcked  Property = 106
	ServedAtTheEnd  Property = 107

	unknown Property = -1
)

var properties = map[Property]string{
	None:            "nothing",
	Served:          "every message is handled and acknowledged, and every request answered, eventually",
	AckedIsFinished: "an acknowledged message is finished",
	FinishedOnce:    "a finished message does not begin again",
	InOrder:         "messages of a conversation begin in order",
	NoOvertaking:    "a message does not overtake a rejected one on its link",
	OnlyPoisonEnds:  "only the request at which the server hangs up ends unconfirmed",
	DrainedIsAcked:  "the messages that a drained process finished are acknowledged",
	ServedAtTheEnd:  "in a final state, every message is handled and acknowledged, and every request answered",
	unknown:         "an assertion without a number",
}

func (p Property) String() string { return properties[p] }

// All has the searches of make model.
var All = append(sound, broken...)

// sound has the searches without a violation.
var sound = []Config{
	// One conversation, an inbox for two messages, and no faults, with each of the five servers that showed the failure
	// of a second list on a link.
	{Name: "fifo server, backlog", Set: "N=6"},
	{Name: "fifo server, live messages behind the backlog", Set: "N=6 START=4"},
	{Name: "streaming server, backlog", Set: "N=6 STREAMS"},
	{Name: "streaming server, live messages behind the backlog", Set: "N=5 START=4 STREAMS LIVE_BEHIND"},
	{Name: "streaming server, live messages before the backlog", Set: "N=4 START=3 STREAMS SERVER_DISORDER"},

	{Name: "two conversations, lost links, failing handlers", Set: "N=5 CONVS=2 CAP=3 LOSSES=1 FAILS=1 ACKFRAMES=2"},
	{
		Name: "the same, no Ledger, late acknowledgements",
		Set:  "N=4 CONVS=2 LOSSES=2 FAILS=1 ACKFRAMES=2 LEDGER_FAILS STALE",
	},
	{Name: "the same, streaming server", Set: "N=4 CONVS=2 LOSSES=1 FAILS=1 ACKFRAMES=2 STREAMS STALE"},
	{Name: "a large conversation and another one", Set: "N=5 START=3 OTHER=3 CAP=3 LOSSES=1"},
	{Name: "failing messages are released", Set: "N=5 CONVS=3 CAP=2 FAILS=3"},
	{Name: "the same, streaming server, lost links", Set: "N=4 CONVS=2 CAP=1 LOSSES=1 FAILS=2 STREAMS"},
	{Name: "replies that come too late", Set: "N=3 S=1 TIMEOUTS=2 LOSSES=1"},
	{Name: "the same, every link is replaced for a resync", Set: "N=4 CAP=1 S=1 TIMEOUTS=1 SUSPECT=1 ATTEMPTS=1"},
	{Name: "a process that ends, and the next one", Set: "N=3 CONVS=2 LOSSES=1 FAILS=1 LIVES=2 ACKFRAMES=2"},
	{Name: "the same, while it sends", Set: "N=2 S=1 LOSSES=1 LIVES=2 STREAMS"},
	{Name: "server that closes six links at once", Set: "N=1 S=3 CLOSES=6"},
	{Name: "the same, a send-only client", Set: "S=3 CLOSES=6 SEND_ONLY"},

	{Name: "fifo server", Set: "N=4 LOSSES=1", Eventually: true},
	{Name: "two conversations, lost links, failing handlers", Set: "N=3 CONVS=2 LOSSES=1 FAILS=1", Eventually: true},
	{Name: "streaming server", Set: "N=3 STREAMS LOSSES=1", Eventually: true},
	{
		Name: "a failing conversation, and another one",
		Set:  "N=5 START=3 CAP=3 GREEDY LOSSES=1", Eventually: true,
	},
	{Name: "server that hangs up at the first send", Set: "N=1 S=3 POISON_SEND=0", Eventually: true},
	{Name: "server that hangs up at the second send", Set: "N=1 S=3 POISON_SEND=1 LOSSES=1", Eventually: true},
	{Name: "the same, earlier replies are lost with the link", Set: "N=1 S=3 POISON_SEND=1 LATE", Eventually: true},
	{
		Name: "the same, one link makes a suspect, one ends it", Set: "N=1 S=3 POISON_SEND=1 LATE SUSPECT=1 ATTEMPTS=1",
		Eventually: true,
	},
	{Name: "the same, and replies that come too late", Set: "N=1 S=2 POISON_SEND=0 LATE TIMEOUTS=2", Eventually: true},
	{Name: "the same, a send-only client", Set: "S=3 POISON_SEND=1 LATE SEND_ONLY", Eventually: true},
	{
		Name: "server that hangs up at several ids", Set: "N=4 CAP=4 ACKBATCH=2 ACKFRAMES=4 ONE_ID LATE S=1",
		Eventually: true,
	},
	{
		Name: "server that hangs up at an acknowledgement",
		Set:  "N=3 CAP=3 POISON_ACK=1 ACKFRAMES=3 S=1", Eventually: true,
	},
	{Name: "server that closes six links at once", Set: "N=1 S=3 CLOSES=6", Eventually: true},
}

// broken has variants with one broken rule. Each must violate the property of its search.
var broken = []Config{
	{Name: "a message is acknowledged while it is handled", Set: "N=3 BUG_ACK_EARLY", Violates: AckedIsFinished},
	{Name: "a second list on the same link", Set: "N=6 STREAMS BUG_SECOND_LIST", Violates: NoOvertaking},
	{
		Name: "a closed conversation accepts messages that fit", Set: "N=6 STREAMS BUG_OVERTAKE_CLOSED",
		Violates: NoOvertaking,
	},
	{
		Name: "the oldest messages are released", Set: "N=5 START=3 OTHER=3 CAP=3 BUG_RELEASE_OLDEST",
		Violates: InOrder,
	},
	{
		Name: "a conversation that released a message stays open", Set: "N=5 START=3 OTHER=3 CAP=3 BUG_RELEASE_OPEN",
		Violates: NoOvertaking,
	},
	{
		Name: "released messages stay in flight", Set: "N=5 START=3 OTHER=3 CAP=3 BUG_RELEASE_IN_FLIGHT",
		Violates: InOrder,
	},
	{
		Name: "nothing is closed after the only message of the inbox was released",
		Set:  "N=3 START=2 CONVS=2 CAP=1 FAILS=1 BUG_CLOSED_WHEN_EMPTY", Violates: ServedAtTheEnd,
	},
	{Name: "the whole inbox closes", Set: "N=4 START=3 CAP=3 GREEDY BUG_CLOSE_ALL", Eventually: true, Violates: Served},
	{Name: "no resync", Set: "N=6 BUG_NO_RESYNC", Violates: ServedAtTheEnd},
	{Name: "no acknowledgement while something is closed", Set: "N=6 BUG_STOP_ACKS", Violates: ServedAtTheEnd},
	{
		Name: "an id is forgotten when it is acknowledged", Set: "N=4 CONVS=2 LOSSES=1 LEDGER_FAILS BUG_FORGET_ACKED",
		Violates: FinishedOnce,
	},
	{Name: "no Ledger, streaming server", Set: "N=4 STREAMS LOSSES=1 LEDGER_FAILS", Violates: FinishedOnce},
	{Name: "a written request is not written again", Set: "N=3 LOSSES=1 BUG_WRITTEN_STAYS", Violates: ServedAtTheEnd},
	{
		Name: "the poisoned request stays first", Set: "N=1 S=3 POISON_SEND=0 BUG_POISON_FIRST", Eventually: true,
		Violates: Served,
	},
	{
		Name: "all requests are written at once after a lost link", Set: "N=1 S=3 POISON_SEND=1 LATE BUG_NO_SLOW_START",
		Eventually: true, Violates: Served,
	},
	{
		Name: "a slow start does not wait for the list", Set: "N=1 S=3 POISON_SEND=0 LATE BUG_LIST_NOT_AWAITED",
		Eventually: true, Violates: Served,
	},
	{
		Name: "a request is blamed for a link without any reply", Set: "S=3 CLOSES=6 SEND_ONLY BUG_BLAME_ANY",
		Violates: OnlyPoisonEnds,
	},
	{
		Name: "a request is blamed for a link that the client replaced", Violates: OnlyPoisonEnds,
		Set: "N=4 CAP=1 S=1 TIMEOUTS=1 SUSPECT=1 ATTEMPTS=1 BUG_RESYNC_BLAMES",
	},
	{
		Name: "a suspect is written with the others", Violates: OnlyPoisonEnds,
		Set: "N=1 S=3 POISON_SEND=1 LATE SUSPECT=1 ATTEMPTS=1 BUG_SUSPECT_WITH_OTHERS",
	},
	{
		Name: "a suspect acknowledgement is not split", Set: "N=3 CAP=3 POISON_ACK=1 ACKFRAMES=3 BUG_NO_SPLIT",
		Violates: OnlyPoisonEnds,
	},
	{
		Name: "messages released at the end are acknowledged",
		Set:  "N=3 LIVES=2 BUG_STOP_ACKNOWLEDGES", Violates: AckedIsFinished,
	},
	{
		Name: "the end does not wait for acknowledgements",
		Set:  "N=3 LIVES=2 BUG_END_WITHOUT_ACKS", Violates: DrainedIsAcked,
	},
}
