package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
)

// users is the number of people who write to the bot, each in a separate conversation.
const users = 64

// Actions of the protocol.
const (
	actionList   = "LIST_PENDING_MESSAGES"
	actionCreate = "CREATE_MESSAGE"
	actionAck    = "ACKNOWLEDGE_MESSAGE_RECEIPT"
)

// pushFrame is a message in the service's form.
type pushFrame struct {
	ID     string  `json:"id"`
	Action string  `json:"action"`
	Data   message `json:"data"`
}

// message is the data of a pushed frame, with its times as a client decodes them.
type message struct {
	serve.View
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// frameSet has many encoded websocket messages in one buffer. Consecutive messages are one slice, and the garbage
// collector has no pointers to follow.
type frameSet struct {
	buf  []byte
	ends []int // end of each message in buf
}

func (s *frameSet) len() int { return len(s.ends) }

// from returns the start of message i.
func (s *frameSet) from(i int) int {
	if i == 0 {
		return 0
	}
	return s.ends[i-1]
}

// maker makes messages. They depend only on its seed.
type maker struct {
	rng     *rand.Rand
	words   []string
	people  []message // users and conversations
	buf     bytes.Buffer
	zw      *gzip.Writer
	created time.Time
}

func newMaker(seed uint64) *maker {
	m := &maker{
		rng:     rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // must be reproducible
		created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	m.zw, _ = gzip.NewWriterLevel(nil, 3) // a valid level
	for range 2000 {
		m.words = append(m.words, m.word())
	}
	for range users {
		who := serve.View{ConversationID: m.id(), UserID: m.id(), SessionID: m.id()}
		m.people = append(m.people, message{View: who})
	}
	return m
}

// syllables are the parts of words.
var syllables = []string{
	"a", "ter", "ing", "con", "de", "re", "the", "mes", "sa", "ge", "ver", "ti", "on", "er", "al", "ed", "in", "to",
	"ly", "es", "com", "per", "or", "ment", "ca", "be", "lo", "wor", "k", "out", "st", "ny", "so", "me", "how", "at",
	"is", "was", "ex", "un",
}

func (m *maker) word() string {
	w := ""
	for range 1 + m.rng.IntN(3) {
		w += syllables[m.rng.IntN(len(syllables))]
	}
	return w
}

// text returns size bytes of words. Some words are frequent and most are rare, as in a language.
func (m *maker) text(size int) []byte {
	text := make([]byte, 0, size+16)
	for len(text) < size {
		r := m.rng.Float64()
		text = append(text, m.words[int(r*r*r*float64(len(m.words)))]...)
		if m.rng.IntN(12) == 0 {
			text = append(text, '.')
		}
		text = append(text, ' ')
	}
	return text[:size]
}

// id returns a random id from the generator.
func (m *maker) id() string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
		m.rng.Uint32(), m.rng.IntN(1<<16), m.rng.IntN(1<<12), m.rng.IntN(1<<12), m.rng.Int64N(1<<48))
}

// idMask hides that the last part of a message id is a number.
const idMask = 0x5bd1_e995_1d7a

// messageID returns an id that contains the number of its message, so that the server needs no table for
// acknowledgements.
func (m *maker) messageID(i int) string {
	id := m.id()
	return fmt.Sprintf("%s%012x", id[:24], uint64(i)^idMask) //nolint:gosec // G115: not negative
}

// messageNumber is the inverse of messageID.
func messageNumber(id []byte) (int, bool) {
	var p [6]byte
	if len(id) != 36 {
		return 0, false
	}
	if _, err := hex.Decode(p[:], id[24:]); err != nil {
		return 0, false
	}
	n := uint64(binary.BigEndian.Uint16(p[:]))<<32 | uint64(binary.BigEndian.Uint32(p[2:]))
	return int(n ^ idMask), true //nolint:gosec // G115: 48 bits
}

// frame returns the JSON of message i, with size bytes of text.
func (m *maker) frame(i, size int) ([]byte, error) {
	text := m.text(size)
	d := m.people[m.rng.IntN(users)]
	d.Type, d.MessageID, d.Category, d.Status, d.Source = "message", m.messageID(i), "PLAIN_TEXT", "SENT", actionList
	d.Data, d.DataBase64 = base64.StdEncoding.EncodeToString(text), base64.RawURLEncoding.EncodeToString(text)
	m.created = m.created.Add(time.Duration(m.rng.Int64N(int64(time.Second))))
	d.CreatedAt, d.UpdatedAt = m.created, m.created
	p, err := json.Marshal(pushFrame{ID: m.id(), Action: actionCreate, Data: d})
	if err != nil {
		return nil, fmt.Errorf("bench: encode: %w", err)
	}
	return p, nil
}

// set makes n messages with size bytes of text, compressed as the service does.
func (m *maker) set(n, size int) (*frameSet, error) {
	s := &frameSet{ends: make([]int, 0, n)}
	for i := range n {
		p, err := m.frame(i, size)
		if err != nil {
			return nil, err
		}
		m.buf.Reset()
		m.zw.Reset(&m.buf)
		if _, err := m.zw.Write(p); err != nil {
			return nil, fmt.Errorf("bench: compress: %w", err)
		}
		if err := m.zw.Close(); err != nil {
			return nil, fmt.Errorf("bench: compress: %w", err)
		}
		if i == min(n, 100)-1 { // enough to estimate the size of the rest
			s.buf = slices.Grow(s.buf, (len(s.buf)+m.buf.Len()+20)/(i+1)*n*21/20)
		}
		s.buf = append(appendHeader(s.buf, opBinary, m.buf.Len()), m.buf.Bytes()...)
		s.ends = append(s.ends, len(s.buf))
	}
	return s, nil
}

// Opcodes and bits of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
	finalBit       = 0x80
	maskBit        = 0x80
)

// appendHeader appends the header of an unfragmented server frame with n bytes.
func appendHeader(dst []byte, opcode byte, n int) []byte {
	dst = append(dst, finalBit|opcode)
	switch {
	case n < 126:
		return append(dst, byte(n)) //nolint:gosec // G115: less than 126
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
}
