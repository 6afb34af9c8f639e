package wire

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// scanner reads the JSON of a frame in one pass, straight into the fields that are wanted. It knows the plain JSON that the
// service writes; at anything else it gives up, and the standard library reads the frame: an error to be described, text with
// escapes, names in other letters, numbers that are no short integers, names that count although they come twice. So it never
// decides that a frame is wrong, and has no opinion on what is unclear in JSON.
type scanner struct {
	p     []byte
	i     int
	depth int // of what is skipped

	spans     [spanCount][]byte // within p
	seen      bool              // data was seen
	data      bool              // and was not null
	object    bool              // but an object
	silent    bool
	expireIn  int64
	createdAt time.Time
	updatedAt time.Time
}

// The strings that are wanted.
const (
	spanData = iota
	spanDataBase64
	spanSource
	spanAction
	spanStatus
	spanID
	spanConversationID
	spanUserID
	spanSessionID
	spanMessageID
	spanQuoteMessageID
	spanRepresentativeID
	spanCategory
	spanCount

	inBlock = spanID // from here on they share a block of memory
)

// maxDepth is how deep the scanner looks into what it skips.
const maxDepth = 32

// scan reads a whole frame, with a zero scanner. False says nothing about the frame but that somebody else has to read it.
func (s *scanner) scan(p []byte) bool {
	s.p = p
	s.space()
	if !s.members(s.frameField) {
		return false
	}
	s.space()
	return s.i == len(p)
}

// frameField reads the value of one field of the frame.
func (s *scanner) frameField(name []byte) bool {
	switch string(name) {
	case "id":
		return s.want(spanID)
	case "action":
		return s.want(spanAction)
	case "data":
		if s.seen {
			return false
		}
		s.seen, s.data, s.object = true, !s.at('n'), s.at('{')
		return s.object && s.members(s.messageField) || !s.object && s.skip()
	case "error":
		return s.at('n') && s.skip()
	}
	return known(name) && s.skip()
}

// messageField reads the value of one field of the frame's data.
func (s *scanner) messageField(name []byte) bool {
	switch string(name) {
	case "conversation_id":
		return s.want(spanConversationID)
	case "user_id":
		return s.want(spanUserID)
	case "session_id":
		return s.want(spanSessionID)
	case "message_id":
		return s.want(spanMessageID)
	case "category":
		return s.want(spanCategory)
	case "data":
		return s.want(spanData)
	case "data_base64":
		return s.want(spanDataBase64)
	case "status":
		return s.want(spanStatus)
	case "source":
		return s.want(spanSource)
	case "quote_message_id":
		return s.want(spanQuoteMessageID)
	case "representative_id":
		return s.want(spanRepresentativeID)
	case "silent":
		s.silent = s.at('t') || s.silent && s.at('n')
		return (s.at('t') || s.at('f') || s.at('n')) && s.skip()
	case "expire_in":
		n, ok := s.integer()
		s.expireIn = n
		return ok
	case "created_at":
		return s.time(&s.createdAt)
	case "updated_at":
		return s.time(&s.updatedAt)
	}
	return known(name) && s.skip()
}

// known reports whether a name that is not wanted can be nothing else: the standard library ignores case, of every alphabet.
func known(name []byte) bool {
	for _, c := range name {
		if c < 'a' && c != '_' && (c < '0' || c > '9') || c > 'z' {
			return false
		}
	}
	return true
}

// want reads a string, or null, which changes nothing.
func (s *scanner) want(span int) bool {
	if s.at('n') {
		return s.skip()
	}
	text, ok := s.text()
	s.spans[span] = text
	return ok
}

func (s *scanner) time(t *time.Time) bool {
	if !s.at('"') {
		return s.skip()
	}
	text, ok := s.text()
	if at, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
		*t = at
	}
	return ok
}

// members reads an object. field reads the value of each of its names.
func (s *scanner) members(field func(name []byte) bool) bool {
	return s.at('{') && s.list('}', func() bool {
		name, ok := s.text()
		s.space()
		ok = ok && s.take(':')
		s.space()
		return ok && field(name)
	})
}

// list reads an object or an array, whose first character is known.
func (s *scanner) list(end byte, element func() bool) bool {
	s.i++
	if s.space(); s.take(end) {
		return true
	}
	for {
		if s.space(); !element() {
			return false
		}
		if s.space(); !s.take(',') {
			return s.take(end)
		}
	}
}

// skip reads a value that is not wanted.
func (s *scanner) skip() bool {
	if s.depth == maxDepth || s.i == len(s.p) {
		return false
	}
	switch s.p[s.i] {
	case '"':
		_, ok := s.text()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case '{', '[':
		s.depth++
		defer func() { s.depth-- }()
		if s.at('[') {
			return s.list(']', s.skip)
		}
		return s.members(func([]byte) bool { return s.skip() })
	}
	_, ok := s.integer()
	return ok
}

// integer reads a number of at most 18 digits, without a fraction or an exponent.
func (s *scanner) integer() (n int64, ok bool) {
	minus := s.take('-')
	first := s.i
	for s.i < len(s.p) && s.p[s.i]-'0' <= 9 && s.i-first < 19 {
		n = n*10 + int64(s.p[s.i]-'0')
		s.i++
	}
	digits := s.i - first
	if digits == 0 || digits > 18 || digits > 1 && s.p[first] == '0' {
		return 0, false
	}
	if minus {
		n = -n
	}
	return n, !s.at('.') && !s.at('e') && !s.at('E')
}

// text reads a string of plain ASCII.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	p, n := s.p[s.i:], 0
	for ; n+32 <= len(p); n += 32 { // of long text; below, what is short and what this stopped at
		w := p[n : n+32 : n+32]
		if unusual(binary.LittleEndian.Uint64(w))|unusual(binary.LittleEndian.Uint64(w[8:]))|
			unusual(binary.LittleEndian.Uint64(w[16:]))|unusual(binary.LittleEndian.Uint64(w[24:])) != 0 {
			break
		}
	}
	for ; n+8 <= len(p); n += 8 {
		if odd := unusual(binary.LittleEndian.Uint64(p[n:])); odd != 0 {
			n += bits.TrailingZeros64(odd) / 8
			break
		}
	}
	for ; n < len(p); n++ { // near the end of the frame; else it stops at once
		if c := p[n]; c == '"' || c == '\\' || c < ' ' || c > 0x7f {
			break
		}
	}
	if n == len(p) || p[n] != '"' {
		return nil, false
	}
	s.i += n + 1
	return p[:n:n], true
}

// unusual returns the highest bit of the first of eight characters that is a quote, a backslash, a control character or not
// ASCII. Higher ones may be wrong: a borrow crosses from one into the next.
func unusual(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^'"'*ones, x^'\\'*ones
	return (x | (x - ' '*ones) | (quote - ones) | (backslash - ones)) & high
}

func (s *scanner) space() {
	for s.i < len(s.p) && s.p[s.i] <= ' ' {
		if c := s.p[s.i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.i++
	}
}

func (s *scanner) at(c byte) bool { return s.i < len(s.p) && s.p[s.i] == c }

func (s *scanner) take(c byte) bool {
	if !s.at(c) {
		return false
	}
	s.i++
	return true
}

func (s *scanner) word(w string) bool {
	if len(s.p)-s.i < len(w) || string(s.p[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}
