package faults_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
	final    = 0x80
)

// wireConn is a server written by hand, which says whatever a test wants.
type wireConn struct {
	net.Conn
	br      *bufio.Reader
	request *http.Request
}

// readHead reads the client's handshake.
func (c *wireConn) readHead() (err error) {
	c.br = bufio.NewReader(c.Conn)
	c.request, err = http.ReadRequest(c.br)
	return err
}

// accept takes the handshake, with more header lines.
func (c *wireConn) accept(headers ...string) bool {
	if c.readHead() != nil {
		return false
	}
	sum := sha1.Sum([]byte(c.request.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	lines := append([]string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]),
	}, headers...)
	return c.say([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n")) == nil
}

// refuse answers the handshake with the text of a response.
func (c *wireConn) refuse(text string) {
	if c.readHead() == nil {
		_ = c.say([]byte(text))
	}
}

func (c *wireConn) say(p []byte) error {
	_, err := c.Write(p)
	return err
}

// drain reads until the client has gone, and returns the payload of its close frame, if there was one.
func (c *wireConn) drain() (closing []byte) {
	for {
		op, payload, err := c.readFrame()
		if err != nil {
			return closing
		}
		if op == opClose {
			closing = payload
		}
	}
}

// readFrame reads one frame of the client.
func (c *wireConn) readFrame() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7F)
	if n >= 126 {
		size := make([]byte, 2+6*(n-126))
		if _, err := io.ReadFull(c.br, size); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(append(make([]byte, 8-len(size)), size...))
	}
	var key [4]byte
	if _, err := io.ReadFull(c.br, key[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.br, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0] & 0xF, payload, err
}

// request is what a client asked for.
type request struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
}

// messageID returns the id of the message in a request.
func (r request) messageID() string {
	var params struct {
		MessageID string `json:"message_id"`
	}
	_ = json.Unmarshal(r.Params, &params)
	return params.MessageID
}

// next reads frames until there is a request, and answers pings on the way.
func (c *wireConn) next() (r request, err error) {
	for {
		op, payload, err := c.readFrame()
		if err != nil {
			return r, err
		}
		switch op {
		case opBinary:
			zr, err := gzip.NewReader(bytes.NewReader(payload))
			if err != nil {
				return r, err
			}
			return r, json.NewDecoder(zr).Decode(&r)
		case opPing:
			if err := c.say(encode(final|opPong, payload)); err != nil {
				return r, err
			}
		case opClose:
			_ = c.say(encode(final|opClose, payload))
			return r, errors.New("closed")
		}
	}
}

// write writes one frame of the protocol.
func (c *wireConn) write(text string) error { return c.say(encode(final|opBinary, zip(text))) }

// reply answers a request, with rest, which begins with a comma.
func (c *wireConn) reply(r request, rest string) error {
	return c.write(`{"id":"` + r.ID + `","action":"` + r.Action + `"` + rest + `}`)
}

// encode returns one frame of a server.
func encode(first byte, payload []byte) []byte {
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	return append(out, payload...)
}

// closing returns a close frame.
func closing(code int, text string) []byte {
	return encode(final|opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), text...))
}

func zip(text string) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

// onlyFirst has the first n connections answered by fn, and the others by the server.
func onlyFirst(n int, fn func(n int, c *wireConn)) func(int, string) func(*wireConn) {
	return func(i int, _ string) func(*wireConn) {
		if i >= n {
			return nil
		}
		return func(c *wireConn) { fn(i, c) }
	}
}
