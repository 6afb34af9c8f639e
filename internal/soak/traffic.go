package soak

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind says what the handler of a message does.
type kind uint8

const (
	plain     kind = iota // returns nil
	slow                  // waits for some milliseconds first
	lazy                  // waits for longer than an acknowledgement takes, so that one that comes too early is seen
	reply                 // answers
	replyTwo              // answers twice, in the same words
	failing               // answers, and fails at the first attempt all the same
	panicking             // panics at the first attempt
	exiting               // calls runtime.Goexit at the first attempt
	declined              // no handler wants it
	dropped               // given up by its handler
	sick                  // fails for as long as its conversation is sick, and is handled then
)

// replyEvery is the distance of the messages that are answered: their answers are kept in an array, by position.
const replyEvery = 8

// answers is how many answers a message of this kind gets.
func (k kind) answers() int {
	switch k { //nolint:exhaustive // the others get none
	case reply, failing:
		return 1
	case replyTwo:
		return 2
	}
	return 0
}

// script says what every message and every send is, from nothing but the seed and its number. So neither side has to
// keep them, and 20 million of them need no memory.
type script struct {
	seed          uint64
	conversations int
	sends         int
	sickEvery     int  // messages from one sick conversation to the next; 0: there is none
	batch         int  // sends of one batch, at most
	often         int  // what is rare comes so many times as often
	openRefusals  bool // what is refused is not encrypted
}

// chance returns an even number for one purpose and one n (SplitMix64).
func (s script) chance(purpose, n uint64) uint64 {
	z := s.seed + purpose*0xD1B54A32D192ED03 + (n+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// The purposes of chance.
const (
	forKind = iota
	forConversation
	forSize
	forWait
	forTag
	forSend
	forMode
)

func (s script) draw(purpose uint64, n, below int) int {
	return int(s.chance(purpose, uint64(n)) % uint64(below)) //nolint:gosec // G115: both fit
}

func (s script) kind(message int) kind {
	if s.conversation(message) >= s.conversations {
		return sick
	}
	if message%replyEvery == 0 {
		return pick(s.draw(forKind, message, 1000), reply, []share{{failing, 6 * s.often}, {replyTwo, 100}})
	}
	n := s.often
	return pick(s.draw(forKind, message, 10_000), plain, []share{
		{panicking, 5 * n}, {exiting, 5 * n}, {dropped, 20 * n}, {declined, 40 * n}, {lazy, 10 * n}, {slow, 300},
	})
}

type share struct {
	k kind
	n int
}

func pick(n int, otherwise kind, shares []share) kind {
	for _, s := range shares {
		if n -= s.n; n < 0 {
			return s.k
		}
	}
	return otherwise
}

// conversation is a number below conversations, or that of a sick conversation, which are counted from there. A third
// of some hundred messages in a row is in one, so that it can fill the inbox.
func (s script) conversation(message int) int {
	if s.sickEvery > 0 && message%replyEvery != 0 {
		into := message%s.sickEvery - s.sickEvery/2
		if into >= 0 && into < min(sickLen, s.sickEvery/3) && s.draw(forConversation+100, message, 3) == 0 {
			return s.conversations + message/s.sickEvery
		}
	}
	return s.draw(forConversation, message, s.conversations)
}

// sickLen is how many messages in a row are in a sick conversation, one in three.
const sickLen = 200

// lanes is how many conversations there are, with the sick ones.
func (s script) lanes(messages int) int {
	if s.sickEvery == 0 {
		return s.conversations
	}
	return s.conversations + (messages+s.sickEvery-1)/s.sickEvery
}

// wait is how long the handler of a slow or lazy message takes.
func (s script) wait(message int) time.Duration {
	if s.kind(message) == lazy {
		return time.Duration(300+s.draw(forWait, message, 200)) * time.Millisecond
	}
	return time.Duration(1+s.draw(forWait, message, 5)) * time.Millisecond
}

const filler = "the quick brown fox jumps over the lazy dog; "

// text is what a message says: its number, and something to make it longer. One in 500 is large.
func (s script) text(message int) string {
	n := s.draw(forSize, message, 100)
	if s.draw(forSize+100, message, 500) == 0 || s.kind(message) == sick {
		n = 20_000
	}
	return "message " + strconv.Itoa(message) + " " + strings.Repeat(filler, n/len(filler)+1)[:n]
}

// Sends that stand out.
const (
	refusedOneIn   = 100 // the server never stores them
	impatientOneIn = 40  // their context ends within milliseconds
	receiptOneIn   = 10  // their recipient reads them
	sealedOneIn    = 100 // they are encrypted
)

// refused says so of none of the first ones, single or batched: until a batch was confirmed once, the client takes a
// refusal for that of the whole action. Of encrypted ones more are refused, because there are few.
func (s script) refused(send int) bool {
	if s.sealed(send) {
		return !s.openRefusals && s.draw(forSend+201, send, 12) == 0
	}
	return s.place(send) >= s.warm() && s.draw(forSend, send, refusedOneIn) < s.often
}

// sealed says so of none of the first ones either: the first batches are to show that the server takes batches.
func (s script) sealed(send int) bool {
	return s.place(send) >= s.warm() && s.draw(forSend+200, send, sealedOneIn) < s.often
}

// place is the number of a send in its half.
func (s script) place(send int) int {
	if half := s.sends / 2; send >= half {
		return send - half
	}
	return send
}

// warm is how many sends of each half may be under way before the server is known to take batches.
func (s script) warm() int { return 20 + batchSenders*s.batch }

// poison says at how many frames with this send the server hangs up. It is encrypted by none, and is given its id.
func (s script) poison(send int) int {
	every := max(min(poisonOneIn, s.sends/8), 1)
	if s.place(send) < s.warm() || send%every != every/2|1 || s.sealed(send) || s.refused(send) || s.impatient(send) {
		return 0
	}
	if s.draw(forSend+300, send, 3) == 0 {
		return forEver
	}
	return 2 + s.draw(forSend+301, send, 3)
}

const (
	poisonOneIn = 50_000
	forEver     = 40 // that is what it is for a client that does not try without a limit
)

func (s script) impatient(send int) bool { return s.draw(forSend+100, send, impatientOneIn) == 0 }

// givenID is the message id that a send is given, or "" where the client makes one. What is encrypted has one: nothing
// else tells the server which send it is.
func (s script) givenID(send int) string {
	if send%2 == 0 && !s.sealed(send) {
		return ""
	}
	return s.uuid(0x4006, send)
}

// sentNumber reads the number in a givenID, or returns -1.
func (s script) sentNumber(id string) int {
	n := number(id)
	if n < 0 || n >= s.sends || s.uuid(0x4006, n) != id {
		return -1
	}
	return n
}

// sendText is what send number send of one stream says.
func sendText(send, stream int) string { return fmt.Sprintf("send %d %d %s", send, stream, filler) }

// replyText is what the answers to a message say.
func replyText(message int) string { return fmt.Sprintf("reply %d %s", message, filler) }

// numbers reads what sendText and replyText wrote.
func numbers(text string) (what string, a, b int) {
	words := strings.SplitN(text, " ", 4)
	if len(words) < 3 {
		return "", 0, 0
	}
	a, errA := strconv.Atoi(words[1])
	b, errB := strconv.Atoi(words[2])
	if errA != nil || words[0] == "send" && errB != nil {
		return "", 0, 0
	}
	return words[0], a, b
}

// messageID is a UUID with the message's number in it and, so that one of another run is noticed, the seed's mark.
func (s script) messageID(message int) string { return s.uuid(0x4000, message) }

func (s script) conversationID(n int) string { return s.uuid(0x4001, n) }

func (s script) userID(n int) string { return s.uuid(0x4002, n) }

func (s script) botID() string { return s.uuid(0x4003, 0) }

func (s script) uuid(family, n int) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(n)<<16|uint64(family)) //nolint:gosec // G115: neither is negative
	binary.BigEndian.PutUint64(raw[8:], 0x80<<56|s.chance(forTag, 0)>>16)
	var text [36]byte
	hex.Encode(text[0:], raw[0:4])
	hex.Encode(text[9:], raw[4:6])
	hex.Encode(text[14:], raw[6:8])
	hex.Encode(text[19:], raw[8:10])
	hex.Encode(text[24:], raw[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// message reads the number in a messageID, or returns -1.
func (s script) message(id string) int {
	n := number(id)
	if n < 0 || s.messageID(n) != id {
		return -1
	}
	return n
}

// number reads the number in an id of any family, or returns -1.
func number(id string) int {
	if len(id) != 36 {
		return -1
	}
	n, err := strconv.ParseInt(id[0:8]+id[9:13], 16, 64)
	if err != nil {
		return -1
	}
	return int(n)
}
