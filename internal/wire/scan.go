package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// scanner reads the JSON of a frame in one pass, directly into the fields needed. It supports the plain JSON that the
// service writes. It stops at anything else, and the standard library reads the frame: errors to be described, strings
// with escapes, names in other letters, numbers that are not short integers, and repeated names. So it never rejects a
// frame, and does not decide ambiguous cases of JSON.
type scanner struct {
	p     []byte
	i     int
	depth int // of the value being skipped

	spans    [spanCount][]byte // slices of p
	data     bool              // there is data, other than null
	object   bool              // and it is an object
	silent   bool
	expireIn int64
}

// The strings needed.
const (
	spanData = iota
	spanDataBase64
	spanSource
	spanAction
	spanStatus
	spanCreatedAt
	spanUpdatedAt
	spanID
	spanCategory
	spanConversationID
	spanUserID
	spanSessionID
	spanMessageID
	spanQuoteMessageID
	spanRepresentativeID
	spanCount

	inBlock = spanConversationID // the spans from here on share a block of memory

	maxDepth = 32 // maximum depth of skipped values
)

// scan reads a whole frame, with a zero scanner. False means only that the standard library must read the frame.
func (s *scanner) scan(p []byte) bool {
	s.p = p
	s.space()
	ok := s.members((*scanner).frameField)
	s.space()
	return ok && s.i == len(p)
}

// frameField reads one field of the frame.
func (s *scanner) frameField(name []byte) bool {
	switch string(name) {
	case "id":
		return s.want(spanID)
	case "action":
		return s.want(spanAction)
	case "data":
		if s.data {
			return false
		}
		s.data, s.object = !s.at('n'), s.at('{')
		begin := s.i
		var ok bool
		if s.object {
			ok = s.members((*scanner).messageField)
		} else {
			ok = s.skip()
		}
		s.data = s.data && !hollow(s.p[begin:s.i])
		return ok
	case "error":
		return s.at('n') && s.skip()
	}
	return known(name) && s.skip()
}

// messageField reads one field of the frame's data.
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
		if !s.at('n') { // null changes nothing
			s.silent = s.at('t')
		}
		return (s.at('t') || s.at('f') || s.at('n')) && s.skip()
	case "expire_in":
		n, ok := s.integer()
		s.expireIn = n
		return ok
	case "created_at":
		return s.time(spanCreatedAt)
	case "updated_at":
		return s.time(spanUpdatedAt)
	}
	return known(name) && s.skip()
}

// known reports whether a name certainly differs from the names needed. The standard library ignores case, in every
// alphabet.
func known(name []byte) bool {
	for _, c := range name {
		if c < 'a' && c != '_' && (c < '0' || c > '9') || c > 'z' {
			return false
		}
	}
	return true
}

// want reads a string. null changes nothing.
func (s *scanner) want(span int) bool {
	if s.at('n') {
		return s.skip()
	}
	text, ok := s.text()
	s.spans[span] = text
	return ok
}

// time reads a time. A value of another type changes nothing.
func (s *scanner) time(span int) bool {
	if !s.at('"') {
		return s.skip()
	}
	// Of duplicate fields, the last valid time counts, so the standard library has to decide.
	return s.spans[span] == nil && s.want(span)
}

// members reads an object. It calls field for each name, to read the value.
func (s *scanner) members(field func(s *scanner, name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.space(); s.take('}') {
		return true
	}
	for {
		name, ok := s.text()
		if s.space(); !ok || !s.take(':') {
			return false
		}
		if s.space(); !field(s, name) {
			return false
		}
		if s.space(); !s.take(',') {
			return s.take('}')
		}
		s.space()
	}
}

// elements skips an array.
func (s *scanner) elements() bool {
	s.i++
	if s.space(); s.take(']') {
		return true
	}
	for s.skip() {
		if s.space(); !s.take(',') {
			return s.take(']')
		}
		s.space()
	}
	return false
}

// skip skips a value.
func (s *scanner) skip() bool {
	if s.depth == maxDepth || s.i == len(s.p) {
		return false
	}
	switch s.p[s.i] {
	case '"':
		_, ok := s.text()
		return ok
	case 't', 'f', 'n':
		return s.word("true") || s.word("false") || s.word("null")
	case '{', '[':
		s.depth++
		defer func() { s.depth-- }()
		if s.at('[') {
			return s.elements()
		}
		return s.members(func(s *scanner, _ []byte) bool { return s.skip() })
	}
	_, ok := s.integer()
	return ok
}

// integer reads a number of at most 18 digits, without a fraction or an exponent.
func (s *scanner) integer() (n int64, ok bool) {
	minus := s.take('-')
	first := s.i
	for ; s.i < len(s.p) && s.p[s.i]-'0' <= 9 && s.i-first < 19; s.i++ {
		n = n*10 + int64(s.p[s.i]-'0')
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
	for n+8 <= len(p) {
		if odd := unusual(binary.LittleEndian.Uint64(p[n:])); odd != 0 {
			n += bits.TrailingZeros64(odd) / 8
			break
		}
		if n += 8; n == 40 { // longer than any name or id, so likely a long text
			n += plain(p[n:])
		}
	}
	for ; n < len(p); n++ { // only near the end of the frame; otherwise it stops at once
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

// plain returns a lower bound of the number of characters at the beginning of p that need no check, such as those of
// base64.
func plain(p []byte) (n int) {
	const most = '#' // below it are the quote, the control characters, and two characters that base64 does not use
	for ; n+32 <= len(p); n += 32 {
		w := p[n : n+32 : n+32]
		x0, x1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		x2, x3 := binary.LittleEndian.Uint64(w[16:]), binary.LittleEndian.Uint64(w[24:])
		below := (x0 - most*ones) | (x1 - most*ones) | (x2 - most*ones) | (x3 - most*ones)
		backslash := (x0 ^ '\\'*ones - ones) | (x1 ^ '\\'*ones - ones) |
			(x2 ^ '\\'*ones - ones) | (x3 ^ '\\'*ones - ones)
		if (below|backslash)&high != 0 { // a byte that is not ASCII sets one of the two
			break
		}
	}
	return n
}

const ones, high = 0x0101010101010101, 0x8080808080808080

// unusual sets the highest bit of the first of eight characters that is a quote, a backslash, a control character or
// not ASCII. Bits of later characters may be wrong, because a borrow carries over.
func unusual(x uint64) uint64 {
	return ((x - ' '*ones) | (x ^ '"'*ones - ones) | (x ^ '\\'*ones - ones)) & high
}

func (s *scanner) space() {
	for ; s.i < len(s.p) && s.p[s.i] <= ' '; s.i++ {
		if c := s.p[s.i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
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
	if !bytes.HasPrefix(s.p[s.i:], []byte(w)) {
		return false
	}
	s.i += len(w)
	return true
}
