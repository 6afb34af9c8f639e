package wspeer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

var (
	errBehind = errors.New("trailing data after the gzip stream")
	errClosed = errors.New("the client has closed the connection")
)

// Peer is the server's end of one connection. One goroutine may read while others write. The caller has to serialize
// writes that must not interleave.
type Peer struct {
	net.Conn
	In      *bufio.Reader // reads Conn; do not read Conn directly
	Request *http.Request // the latest one read by ReadHead
	Head    string        // unparsed header of Request
}

// New returns the peer of a connection from which nothing has been read.
func New(c net.Conn) *Peer { return &Peer{Conn: c, In: bufio.NewReader(c)} }

// Adopt returns the peer of a connection from which a request has been read. in contains the data that follows it.
func Adopt(c net.Conn, in *bufio.Reader, r *http.Request) *Peer {
	return &Peer{Conn: c, In: in, Request: r}
}

// ReadHead reads an HTTP request without its body. Head is complete only if it fits the buffer of In.
func (p *Peer) ReadHead() (err error) {
	p.Head = ""
	for n := 1; ; n = p.In.Buffered() + 1 {
		_, err := p.In.Peek(n)
		b, _ := p.In.Peek(p.In.Buffered())
		if end := bytes.Index(b, []byte("\r\n\r\n")); end >= 0 {
			b = b[:end+4]
		} else if err == nil {
			continue
		}
		p.Head = string(b)
		break
	}
	p.Request, err = http.ReadRequest(p.In)
	return err
}

// Header returns the unparsed values of all header lines in Head with that name.
func (p *Peer) Header(name string) (values []string) {
	for _, line := range strings.Split(p.Head, "\r\n")[1:] {
		if key, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(key, name) {
			values = append(values, value)
		}
	}
	return values
}

// UpgradeLines returns the lines of the response that accepts the request, status line first, without a subprotocol.
func (p *Peer) UpgradeLines() []string {
	return []string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + AcceptKey(p.Request.Header.Get("Sec-WebSocket-Key")),
	}
}

// Upgrade returns the response that accepts the request, with additional header lines.
func (p *Peer) Upgrade(headers ...string) string {
	return Response(append(p.UpgradeLines(), headers...))
}

// Response joins lines to the header of a response.
func Response(lines []string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// Accept reads the client's handshake and accepts it, with additional header lines.
func (p *Peer) Accept(headers ...string) error {
	if err := p.ReadHead(); err != nil {
		return err
	}
	return p.Say(p.Upgrade(headers...))
}

// Refuse reads a request and writes text as the response.
func (p *Peer) Refuse(text string) error {
	if err := p.ReadHead(); err != nil {
		return err
	}
	return p.Say(text)
}

// Send writes bytes unchanged. An error means that the client has disconnected.
func (p *Peer) Send(b []byte) error {
	_, err := p.Write(b)
	return err
}

// Say writes a text unchanged.
func (p *Peer) Say(text string) error { return p.Send([]byte(text)) }

// Push writes a frame of the protocol with the JSON in text.
func (p *Peer) Push(text string) error { return p.Send(Pack(text)) }

// Reply writes the reply to a request. more contains additional JSON fields and begins with a comma.
func (p *Peer) Reply(r Request, more string) error {
	return p.Push(`{"id":"` + r.ID + `","action":"` + r.Action + `"` + more + `}`)
}

// ReadFrame reads one frame. It requires a mask and the shortest encoding of the length.
func (p *Peer) ReadFrame() (f Frame, err error) {
	var head [maxHead]byte
	if _, err := io.ReadFull(p.In, head[:2]); err != nil {
		return f, err
	}
	n := headLen(head[1])
	if _, err := io.ReadFull(p.In, head[2:n]); err != nil {
		return f, err
	}
	f, size, err := readHead(head[:n])
	if err != nil {
		return f, err
	}
	f.Payload = make([]byte, size)
	_, err = io.ReadFull(p.In, f.Payload)
	f.unmask()
	return f, err
}

// Drain reads until the client has disconnected. It returns the payload of the close frame, or nil if there was none.
func (p *Peer) Drain() (closing []byte) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return closing
		}
		if f.Op() == Close {
			closing = f.Payload
		}
	}
}

// Request is a request of the client.
type Request struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params"`
}

// MessageID returns the id of the message in a request.
func (r Request) MessageID() string {
	var params struct {
		MessageID string `json:"message_id"`
	}
	_ = json.Unmarshal(r.Params, &params) // params of another shape have no message id
	return params.MessageID
}

// Next reads frames until it has a request. It answers pings, and a close frame, after which it returns an error.
func (p *Peer) Next() (r Request, err error) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return r, err
		}
		switch f.Op() {
		case Binary:
			text, err := Gunzip(f.Payload)
			if err == nil {
				err = json.Unmarshal(text, &r)
			}
			return r, err
		case Ping:
			if err := p.Send(Whole(Pong, f.Payload)); err != nil {
				return r, err
			}
		case Close:
			_ = p.Send(Whole(Close, f.Payload)) // the connection ends either way
			return r, errClosed
		}
	}
}
