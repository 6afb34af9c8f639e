package soak

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind selects the behaviour of the handler for a message.
type kind uint8

const (
	plain     kind = iota // returns nil
	slow                  // waits for some milliseconds first
	verySlow              // waits for longer than an acknowledgement takes, which makes a premature one visible
	reply                 // replies
	replyTwo              // replies twice with the same text
	failOnce              // replies, and then fails at the first attempt
	panicOnce             // panics at the first attempt
	exitOnce              // calls runtime.Goexit at the first attempt
	declining             // returns ErrNotHandled
	dropping              // returns ErrDrop
	detaching             // detaches the message, and ends milliseconds later; half of them fail at the first attempt
	failing               // fails while its conversation is failing, and succeeds after that
)

// replyEvery is the distance between messages that get replies. The ids of their replies are in an array, by position.
const replyEvery = 8

// replies returns the number of replies to a message of this kind.
func (k kind) replies() int {
	switch k { //nolint:exhaustive // the others get none
	case reply, failOnce:
		return 1
	case replyTwo:
		return 2
	}
	return 0
}

// script computes the content and the treatment of every message and send from the seed and its number. So nothing is
// stored per message, and 20 million of them need no memory.
type script struct {
	seed            uint64
	conversations   int
	sends           int
	failingEvery    int  // messages from one failing conversation to the next; 0: none
	batch           int  // maximum sends in a batch
	often           int  // factor for the frequency of rare cases
	plainRejections bool // only unencrypted sends are rejected
}

// chance returns a uniformly distributed number for a purpose and n (SplitMix64).
func (s script) chance(purpose, n uint64) uint64 {
	z := s.seed + purpose*0xD1B54A32D192ED03 + (n+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Purposes of chance.
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
		return failing
	}
	if message%replyEvery == 0 {
		return pick(s.draw(forKind, message, 1000), reply, []share{{failOnce, 6 * s.often}, {replyTwo, 100}})
	}
	n := s.often
	return pick(s.draw(forKind, message, 10_000), plain, []share{
		{panicOnce, 5 * n},
		{exitOnce, 5 * n},
		{dropping, 20 * n},
		{declining, 40 * n},
		{verySlow, 10 * n},
		{slow, 300},
		{detaching, 100 * n},
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

// conversation returns the conversation of a message. Failing conversations have the numbers from conversations on. A
// failing conversation has one in three of failingLen consecutive messages, enough to fill the inbox.
func (s script) conversation(message int) int {
	if s.failingEvery > 0 && message%replyEvery != 0 {
		into := message%s.failingEvery - s.failingEvery/2
		if into >= 0 && into < min(failingLen, s.failingEvery/3) && s.draw(forConversation+100, message, 3) == 0 {
			return s.conversations + message/s.failingEvery
		}
	}
	return s.draw(forConversation, message, s.conversations)
}

// failingLen is the number of consecutive messages among which a failing conversation has one in three.
const failingLen = 200

// lanes returns the number of conversations, including failing ones.
func (s script) lanes(messages int) int {
	if s.failingEvery == 0 {
		return s.conversations
	}
	return s.conversations + (messages+s.failingEvery-1)/s.failingEvery
}

// wait returns the duration of the handler for a slow or verySlow message.
func (s script) wait(message int) time.Duration {
	if s.kind(message) == verySlow {
		return time.Duration(300+s.draw(forWait, message, 200)) * time.Millisecond
	}
	return time.Duration(1+s.draw(forWait, message, 5)) * time.Millisecond
}

const filler = "the quick brown fox jumps over the lazy dog; "

// text returns the text of a message: its number and filler. One in 500 is large.
func (s script) text(message int) string {
	n := s.draw(forSize, message, 100)
	if s.draw(forSize+100, message, 500) == 0 || s.kind(message) == failing {
		n = 20_000
	}
	return "message " + strconv.Itoa(message) + " " + strings.Repeat(filler, n/len(filler)+1)[:n]
}

// Frequencies of special sends.
const (
	rejectedOneIn  = 100 // always rejected by the server
	impatientOneIn = 40  // with a context that ends within milliseconds
	receiptOneIn   = 10  // read by the recipient
	encryptedOneIn = 100 // encrypted
)

// rejected reports whether the server always rejects a send. The first sends of each half are accepted: before the
// first confirmed batch, the client would take a rejection for that of the whole action. Encrypted sends are rejected
// more often, because there are few.
func (s script) rejected(send int) bool {
	if s.encrypted(send) {
		return !s.plainRejections && s.draw(forSend+201, send, 12) == 0
	}
	return s.place(send) >= s.warm() && s.draw(forSend, send, rejectedOneIn) < s.often
}

// encrypted reports whether a send is encrypted. The first sends are not, because they have to show that the server
// supports batches.
func (s script) encrypted(send int) bool {
	return s.place(send) >= s.warm() && s.draw(forSend+200, send, encryptedOneIn) < s.often
}

// place returns the position of a send in its half.
func (s script) place(send int) int {
	if half := s.sends / 2; send >= half {
		return send - half
	}
	return send
}

// warm returns an upper bound of the sends of each half that start before the first batch is confirmed.
func (s script) warm() int { return 20 + batchSenders*s.batch }

// poison returns the number of frames with this send at which the server closes the connection. It is 0 for encrypted,
// rejected and impatient sends. If every is even, a poisoned send has an odd number, and so a given id.
func (s script) poison(send int) int {
	every := max(min(poisonOneIn, s.sends/8), 1)
	if s.place(send) < s.warm() || send%every != every/2|1 ||
		s.encrypted(send) || s.rejected(send) || s.impatient(send) {
		return 0
	}
	if s.draw(forSend+300, send, 3) == 0 {
		return poisonForever
	}
	return 2 + s.draw(forSend+301, send, 3)
}

const (
	poisonOneIn   = 50_000
	poisonForever = 40 // more than a client with limited SendAttempts sends
)

func (s script) impatient(send int) bool { return s.draw(forSend+100, send, impatientOneIn) == 0 }

// givenID returns the message id set by the caller of a send, or "" if the client generates it. Encrypted sends always
// have one, because the server finds their number by it.
func (s script) givenID(send int) string {
	if send%2 == 0 && !s.encrypted(send) {
		return ""
	}
	return s.uuid(0x4006, send)
}

// sentNumber parses a givenID and returns the number of the send, or -1.
func (s script) sentNumber(id string) int {
	n := number(id)
	if n < 0 || n >= s.sends || s.uuid(0x4006, n) != id {
		return -1
	}
	return n
}

// sendText returns the text of a send.
func sendText(send, stream int) string { return fmt.Sprintf("send %d %d %s", send, stream, filler) }

// replyText returns the text of the replies to a message.
func replyText(message int) string { return fmt.Sprintf("reply %d %s", message, filler) }

// numbers parses the texts of sendText and replyText.
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

// messageID returns a UUID that contains the number of the message, and a tag of the seed to detect ids of other runs.
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

// message parses a messageID and returns the number of the message, or -1.
func (s script) message(id string) int {
	n := number(id)
	if n < 0 || s.messageID(n) != id {
		return -1
	}
	return n
}

// number parses an id of any family and returns its number, or -1.
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
