package wspeer

import (
	"crypto/sha1" // required by RFC 6455
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Opcodes and bits of RFC 6455, section 5.2.
const (
	Continuation byte = 0x0
	Text         byte = 0x1
	Binary       byte = 0x2
	Close        byte = 0x8
	Ping         byte = 0x9
	Pong         byte = 0xA
	Final        byte = 0x80 // bit of the first byte: last fragment
	Masked       byte = 0x80 // bit of the second byte
)

// Frame is one frame of a client.
type Frame struct {
	First   byte // Final, the reserved bits and the opcode
	Key     [4]byte
	Payload []byte // unmasked
}

// Op returns the opcode.
func (f Frame) Op() byte { return f.First & 0x0F }

// Head returns the header of a server frame with n bytes of payload.
func Head(first byte, n int) []byte { return AppendHead(nil, first, n) }

// AppendHead appends the header of a server frame with n bytes of payload.
func AppendHead(b []byte, first byte, n int) []byte {
	switch {
	case n <= 125:
		return append(b, first, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
}

// Encode returns one server frame.
func Encode(first byte, payload []byte) []byte { return append(Head(first, len(payload)), payload...) }

// Whole returns a server frame that is a complete message, or a control frame.
func Whole(op byte, payload []byte) []byte { return Encode(Final|op, payload) }

// ClosePayload returns the payload of a close frame.
func ClosePayload(code int, text string) []byte {
	return append([]byte{byte(code >> 8), byte(code)}, text...)
}

// CloseFrame returns a close frame.
func CloseFrame(code int, text string) []byte { return Whole(Close, ClosePayload(code, text)) }

// AcceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// maxHead is the maximum length of a client frame's header.
const maxHead = 2 + 8 + 4

// headLen returns the header length of a client frame, given its second byte.
func headLen(second byte) int {
	switch second &^ Masked {
	case 126:
		return 2 + 2 + 4
	case 127:
		return 2 + 8 + 4
	}
	return 2 + 4
}

// readHead decodes the complete header of a client frame. It requires a mask and the shortest encoding of the length.
func readHead(b []byte) (f Frame, n uint64, err error) {
	f.First = b[0]
	copy(f.Key[:], b[len(b)-4:])
	switch n = uint64(b[1] &^ Masked); n {
	case 126:
		if n = uint64(binary.BigEndian.Uint16(b[2:])); n < 126 {
			err = errors.New("16 bits for a length that fits 7")
		}
	case 127:
		if n = binary.BigEndian.Uint64(b[2:]); n < 1<<16 {
			err = errors.New("64 bits for a length that fits 16")
		}
	}
	if b[1]&Masked == 0 {
		err = errors.New("the client's frame is not masked")
	}
	return f, n, err
}

// unmask unmasks the payload in place.
func (f *Frame) unmask() {
	for i := range f.Payload {
		f.Payload[i] ^= f.Key[i&3]
	}
}

// Cut decodes the client frame at the beginning of b and returns its length, or 0 if it is incomplete. It does not
// allocate: the payload is a part of b and is unmasked in place.
func Cut(b []byte) (f Frame, n int, err error) {
	if len(b) < 2 || len(b) < headLen(b[1]) {
		return f, 0, nil
	}
	from := headLen(b[1])
	f, size, err := readHead(b[:from])
	if err != nil || uint64(len(b)-from) < size {
		return f, 0, err
	}
	f.Payload = b[from : from+int(size)]
	f.unmask()
	return f, from + int(size), nil
}
