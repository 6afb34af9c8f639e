package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// server is a server of the service and its storage, in memory. It is written from the protocol and shares no code with
// the Client. Without hooks it is honest.
type server struct {
	// Hooks of the attack, each may be nil. A hook returns true if it has handled the request. It is called on the
	// goroutine of a connection.
	handshake func(p *peer) bool
	http      func(p *peer, body []byte) bool
	request   func(p *peer, f wspeer.Request) bool
	wrap      func(net.Conn) net.Conn // adds TLS

	ln   *memnet.Listener
	done chan struct{} // closed by close
	wg   sync.WaitGroup

	mu      sync.Mutex // not held during I/O
	dialed  []string
	open    map[net.Conn]struct{}
	newest  *peer // with a websocket; nil: none yet
	linked  int   // number of websockets so far
	pending []push
	acked   map[string]string // status by message
	calls   []call
	tokens  map[string]bool
	files   map[string][]byte
}

// call is an HTTP request.
type call struct{ method, path, token string }

// push is a message that is not acknowledged.
type push struct {
	id    string
	frame []byte
}

func newServer() *server {
	s := &server{
		ln: memnet.Listen(), done: make(chan struct{}), acked: make(map[string]string),
		tokens: make(map[string]bool), files: make(map[string][]byte), open: make(map[net.Conn]struct{}),
	}
	s.wg.Go(s.accept)
	return s
}

// dial is the Client's DialContext. It connects to the server from every address.
func (s *server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	if len(s.dialed) < mostRecorded {
		s.dialed = append(s.dialed, addr)
	}
	s.mu.Unlock()
	return s.ln.Dial(ctx, network, addr)
}

func (s *server) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		s.open[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

// close closes the server and waits for its goroutines.
func (s *server) close() {
	close(s.done)
	_ = s.ln.Close()
	s.cut()
	s.wg.Wait()
}

// cut closes all connections.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close()
	}
}

// serve handles the requests of one connection.
func (s *server) serve(c net.Conn) {
	defer s.forget(c)
	if s.wrap != nil {
		c = s.wrap(c)
		defer func() { _ = c.Close() }()
	}
	p := &peer{Peer: wspeer.New(c)}
	for {
		if p.ReadHead() != nil {
			return
		}
		req := p.Request
		p.auth = req.Header.Get("Authorization")
		s.recordCall(p)
		if strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
			s.websocket(p)
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		if hook := s.http; hook != nil && hook(p, body) {
			if req.Close {
				return
			}
			continue
		}
		if s.api(p, body) != nil {
			return
		}
	}
}

// forget closes a connection.
func (s *server) forget(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// mostRecorded bounds the recorded requests, because an attack may make thousands.
const mostRecorded = 1000

// recordCall records a request and its token.
func (s *server) recordCall(p *peer) {
	token, _ := strings.CutPrefix(p.auth, "Bearer ")
	if strings.Count(token, ".") != 2 {
		token = "" // not a token of the Client
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) < mostRecorded {
		s.calls = append(s.calls, call{p.Request.Method, p.Request.URL.Path, token})
	}
	if token != "" && len(s.tokens) < mostRecorded {
		s.tokens[token] = true
	}
}

// websocket accepts a websocket and handles its frames.
func (s *server) websocket(p *peer) {
	if hook := s.handshake; hook != nil && hook(p) {
		return
	}
	if p.Say(p.upgrade(nil)) == nil {
		s.frames(p)
	}
}

// frames handles the frames of a client.
func (s *server) frames(p *peer) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return
		}
		switch f.Op() {
		case wspeer.Ping:
			_ = p.Send(wspeer.Whole(wspeer.Pong, f.Payload))
		case wspeer.Close:
			_ = p.Send(wspeer.Whole(wspeer.Close, f.Payload))
			return
		case wspeer.Binary:
			text, err := wspeer.Gunzip(f.Payload)
			var r wspeer.Request
			if err == nil && json.Unmarshal(text, &r) == nil {
				s.answer(p, r)
			}
		}
		if p.deaf != nil {
			<-p.deaf
		}
	}
}

// answer replies to a request.
func (s *server) answer(p *peer, r wspeer.Request) {
	if hook := s.request; hook != nil && hook(p, r) {
		return
	}
	s.acknowledge(r)
	_ = p.Send(wspeer.PackStored(fmt.Sprintf(`{"id":%q,"action":%q}`, r.ID, r.Action)))
	if r.Action != "LIST_PENDING_MESSAGES" {
		return
	}
	s.link(p)
	s.mu.Lock()
	pending := slices.Clone(s.pending)
	s.mu.Unlock()
	for _, m := range pending {
		_ = p.Send(m.frame)
	}
}

// link makes p the websocket of pushes.
func (s *server) link(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = p
	s.linked++
}

// acknowledge records the acknowledgements of a request.
func (s *server) acknowledge(r wspeer.Request) {
	var one struct {
		MessageID string `json:"message_id"`
		Status    string `json:"status"`
		Messages  []struct {
			MessageID string `json:"message_id"`
			Status    string `json:"status"`
		} `json:"messages"`
	}
	_ = json.Unmarshal(r.Params, &one)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Action {
	case "ACKNOWLEDGE_MESSAGE_RECEIPT":
		s.acked[one.MessageID] = one.Status
	case "ACKNOWLEDGE_MESSAGE_RECEIPTS":
		for _, m := range one.Messages {
			s.acked[m.MessageID] = m.Status
		}
	default:
		return
	}
	s.pending = slices.DeleteFunc(s.pending, func(m push) bool { return s.acked[m.id] != "" })
}

// deliver pushes a message on each link until it is acknowledged.
func (s *server) deliver(id string, frame []byte) {
	s.mu.Lock()
	s.pending = append(s.pending, push{id, frame})
	p := s.newest
	s.mu.Unlock()
	if p != nil {
		_ = p.Send(frame)
	}
}

// ack returns the status of the acknowledgement of a message, or "".
func (s *server) ack(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked[id]
}

// links returns the number of websockets so far.
func (s *server) links() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linked
}

// called returns the HTTP requests of a path.
func (s *server) called(path string) (all []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.path == path {
			all = append(all, c)
		}
	}
	return all
}

// hosts returns the dialed addresses without duplicates.
func (s *server) hosts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.dialed)
	slices.Sort(all)
	return slices.Compact(all)
}

// eventually waits until cond returns true, at most a day. It reports whether cond did.
func eventually(cond func() bool) bool {
	const most = 24 * time.Hour
	pause := time.Millisecond
	for began := time.Now(); time.Since(began) < most; {
		settle()
		if cond() {
			return true
		}
		time.Sleep(pause)
		pause = min(2*pause, time.Second)
	}
	return false
}
