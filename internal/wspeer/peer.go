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
	errBehind = errors.New("bytes behind the gzip stream")
	errClosed = errors.New("the client has closed the connection")
)

// Peer is the server's end of one connection. One goroutine may read and others write; whether writes go together is up
// to the caller.
type Peer struct {
	net.Conn
	In      *bufio.Reader // of Conn; read nothing past it
	Request *http.Request // what ReadHead has read last
	Head    string        // of Request, as it came
}

// New returns the peer of a connection on which nothing was read yet.
func New(c net.Conn) *Peer { return &Peer{Conn: c, In: bufio.NewReader(c)} }

// Adopt returns the peer of a connection on which a request was read. in holds what came behind it.
func Adopt(c net.Conn, in *bufio.Reader, r *http.Request) *Peer {
	return &Peer{Conn: c, In: in, Request: r}
}

// ReadHead reads a request over HTTP, without its body. Head is complete only if it fits the buffer of In.
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

// Header returns the values of all header lines of that name in Head, as they came.
func (p *Peer) Header(name string) (values []string) {
	for _, line := range strings.Split(p.Head, "\r\n")[1:] {
		if key, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(key, name) {
			values = append(values, value)
		}
	}
	return values
}

// UpgradeLines returns the lines of the answer that accepts the request, the status line first. No subprotocol is among
// them.
func (p *Peer) UpgradeLines() []string {
	return []string{
		"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Accept: " + AcceptKey(p.Request.Header.Get("Sec-WebSocket-Key")),
	}
}

// Upgrade returns the answer that accepts the request, with more header lines.
func (p *Peer) Upgrade(headers ...string) string {
	return Response(append(p.UpgradeLines(), headers...))
}

// Response returns lines as the head of a response.
func Response(lines []string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// Accept reads the client's handshake and accepts it, with more header lines.
func (p *Peer) Accept(headers ...string) error {
	if err := p.ReadHead(); err != nil {
		return err
	}
	return p.Say(p.Upgrade(headers...))
}

// Refuse reads a request and answers it with the text of a response.
func (p *Peer) Refuse(text string) error {
	if err := p.ReadHead(); err != nil {
		return err
	}
	return p.Say(text)
}

// Send writes bytes as they are. An error means that the client has gone.
func (p *Peer) Send(b []byte) error {
	_, err := p.Write(b)
	return err
}

// Say writes a text as it is.
func (p *Peer) Say(text string) error { return p.Send([]byte(text)) }

// Push writes a frame of the protocol.
func (p *Peer) Push(text string) error { return p.Send(Pack(text)) }

// Reply answers a request, with more, which begins with a comma.
func (p *Peer) Reply(r Request, more string) error {
	return p.Push(`{"id":"` + r.ID + `","action":"` + r.Action + `"` + more + `}`)
}

// ReadFrame reads one frame. It insists on a mask, and on the shortest form of the length.
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

// Drain reads until the client has gone, and returns the payload of its close frame, if there was one.
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

// Request is what a client asked for.
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
	_ = json.Unmarshal(r.Params, &params) // of another shape: none
	return params.MessageID
}

// Next reads frames until there is a request. It answers pings on the way, and a close frame, which is its end.
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
			_ = p.Send(Whole(Close, f.Payload)) // it ends either way
			return r, errClosed
		}
	}
}
