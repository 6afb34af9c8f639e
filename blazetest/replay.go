package blazetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze/internal/serve"
	"github.com/mixin-blaze/blaze/internal/wire"
)

// lineTimeout is the wait for the frame of one line. A client that waits for an answer is never silent: it pings,
// repeats requests and reconnects.
const lineTimeout = time.Minute

// Replay plays a recording in the format of [RecorderWith]. It sends the server's frames ("in") in order, and waits for
// each frame of the client ("out"). It returns after the last line. Meanwhile the server answers nothing else. Call it
// before the client has something to send.
//
//   - Connections: an existing connection is cut first, so that the recording starts with a new one. If the recording
//     continues on another connection, the current one is cut, and Replay waits for the client's next one. Frames that
//     were lost with the old connection are expected again.
//   - Comparison: a frame of the client must be the same JSON as the recorded one, except for the ids that clients
//     generate: those of requests and of the messages that they send. Replay replaces these ids in the server's frames,
//     so that recorded replies and receipts match. Ids inside data are compared unchanged. Bodies that the recorder has
//     changed are not compared.
//   - Order: the client may write frames in a different order, and may divide acknowledgements among frames
//     differently. Replay then answers them itself.
//   - Another bot: the ids of the recorded bot, its session and its contact conversations are replaced by those of the
//     bot of Server.Key, also in message bodies. The id of the recorded bot is in the recording, or in the reply to a
//     message that it sent. Without it the recording is played unchanged.
//
// The error has the number of a line that is invalid, or of the expected frame that did not arrive within a minute. It
// also lists frames of the client that are not in the recording. After Replay the server answers as usual; it pushes
// messages once the client has listed pending messages again.
func (s *Server) Replay(r io.Reader) error {
	lines, err := s.readOwn(r)
	if err != nil {
		return err
	}
	return s.playRecording(context.Background(), lines) // each line has a timeout
}

// readOwn reads a recording and adapts it to the Server's bot.
func (s *Server) readOwn(r io.Reader) ([]*line, error) {
	lines, err := readRecording(r)
	if err != nil {
		return nil, err
	}
	return lines, adopt(lines, s.session)
}

// playRecording is Replay of lines, until ctx ends.
func (s *Server) playRecording(ctx context.Context, lines []*line) error {
	p := &replay{
		ctx: ctx, s: s, lines: lines, link: 1, ids: newIDs(), acked: map[ack]int{}, answered: map[string]bool{},
	}
	if err := s.beginReplay(p); err != nil {
		return err
	}
	defer s.endReplay()
	s.cutLinks(func(c *conn) bool { return c.link <= p.above })
	return p.play()
}

func (s *Server) beginReplay(p *replay) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case s.replay != nil:
		return errors.New("blazetest: another replay is running")
	}
	s.replay, p.above = p, s.links
	return nil
}

func (s *Server) endReplay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replay = nil
	for _, c := range s.conns {
		c.replay = nil
	}
}

// replayed passes a frame to the replay of its connection. It returns false if there is none.
func (s *Server) replayed(c *conn, f *wire.Frame, text []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.replay == nil {
		return false
	}
	c.replay.inbox = append(c.replay.inbox, &arrival{conn: c, frame: f, text: text})
	s.changed()
	return true
}

// arrival is a frame that the client wrote.
type arrival struct {
	conn  *conn
	frame *wire.Frame
	text  []byte
	value any
}

// replay plays a recording. Its goroutine owns all fields except inbox.
type replay struct {
	ctx      context.Context // of the caller
	s        *Server
	lines    []*line
	ids      *ids
	kept     []*arrival      // frames that no line has matched yet
	acked    map[ack]int     // acknowledgements in frames unlike the recorded ones, which no line has matched yet
	answered map[string]bool // recorded ids of requests that Replay answered itself
	late     *time.Timer     // timeout of the current line
	link     int             // number of the current connection in the recording
	used     int             // number of the connection used last
	above    int             // connections up to this number belong to earlier lines

	inbox []*arrival // guarded by s.mu
}

func (p *replay) play() error {
	p.late = time.NewTimer(lineTimeout)
	defer p.late.Stop()
	for _, l := range p.lines {
		p.late.Reset(lineTimeout)
		var err error
		if l.link() > p.link {
			err = p.reconnect(l.link())
		}
		switch {
		case err != nil:
		case l.Dir == EventIn && l.link() < p.link:
			// Its connection has ended, so the client cannot receive it.
		case l.Dir == EventIn:
			err = p.send(l)
		default:
			err = p.expect(l)
		}
		if err != nil {
			return fmt.Errorf("blazetest: line %d of the recording: %w", l.number, err)
		}
	}
	p.late.Reset(lineTimeout)
	err := p.flush()
	p.sort()
	return errors.Join(err, p.leftOver())
}

// reconnect continues with the client's next connection, which may exist already.
func (p *replay) reconnect(link int) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.sort()
	p.link, p.above = link, max(p.above, p.used)
	p.s.cutLinks(func(c *conn) bool { return c.replay == p && c.link <= p.above })
	p.kept = slices.DeleteFunc(p.kept, func(a *arrival) bool { return a.conn.link <= p.above })
	return nil
}

// flush waits until all queued frames are written or the connection has ended.
func (p *replay) flush() error {
	return p.wait(func() bool {
		c := p.conn()
		return c == nil || c.Flushed()
	})
}

// send writes a frame of the server.
func (p *replay) send(l *line) error {
	item := serve.Item{Message: l.Raw}
	if l.Frame != nil {
		var reply struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(l.Frame, &reply) == nil && p.answered[reply.ID] {
			return nil
		}
		item = serve.Item{Frame: p.ids.toLive(l.Frame)}
	}
	return p.wait(func() bool {
		c := p.conn()
		if c != nil {
			c.Enqueue(item)
			p.used = c.link
		}
		return c != nil
	})
}

// expect waits for a frame of the client.
func (p *replay) expect(l *line) error {
	for {
		p.sort()
		if p.came(l) {
			return nil
		}
		if err := p.wait(func() bool { return len(p.inbox) > 0 }); err != nil {
			return errors.Join(fmt.Errorf("waiting for %s%s: %w", l.out.Action, p.closest(l), err), p.leftOver())
		}
	}
}

// came reports whether the frame of a line has arrived.
func (p *replay) came(l *line) bool {
	if l.done {
		return true
	}
	if l.acks != nil {
		return p.cameApart(l)
	}
	for i, a := range p.kept {
		if p.ids.match(l, a) == "" {
			p.kept = slices.Delete(p.kept, i, i+1)
			p.used = max(p.used, a.conn.link)
			return true
		}
	}
	return false
}

// cameApart reports whether all acknowledgements of a line have arrived in other frames.
func (p *replay) cameApart(l *line) bool {
	for _, a := range l.acks {
		if p.acked[a] == 0 {
			return false
		}
	}
	for _, a := range l.acks {
		p.acked[a]--
	}
	p.answered[l.out.ID] = true
	return true
}

// sort processes the arrived frames. Acknowledgements are matched with lines or answered; other frames are stored until
// a line matches them.
func (p *replay) sort() {
	p.s.mu.Lock()
	inbox := p.inbox
	p.inbox = nil
	p.s.mu.Unlock()
	for _, a := range inbox {
		// It was parsed when it was read.
		a.value, _ = decode(a.text)
		switch acks := acksOf(a.frame); {
		case acks != nil:
			p.sortAcks(a, acks)
		case a.conn.link > p.above:
			p.kept = append(p.kept, a)
		}
	}
}

// sortAcks finds the line of a frame with acknowledgements. If the matching line is on a later connection, or the frame
// arrived on a connection that was cut after its lines were played, the client must write it again, and it is not
// answered.
func (p *replay) sortAcks(a *arrival, acks []ack) {
	link := p.link
	again := a.conn.link <= p.above
	if again {
		link--
	}
	for _, l := range p.lines {
		if l.done || l.acks == nil || p.answered[l.out.ID] ||
			l.out.Action != a.frame.Action || !sameAcks(l.acks, acks) {
			continue
		}
		if l.link() > link {
			again = true
			continue
		}
		if p.ids.bind(l.out.ID, a.frame.ID) {
			l.done = true
			return
		}
	}
	if again {
		return
	}
	for _, one := range acks {
		p.acked[one]++
	}
	a.conn.Enqueue(serve.Item{Frame: &wire.Frame{ID: a.frame.ID, Action: a.frame.Action}})
}

// sameAcks compares without order, because handlers of several messages end in any order.
func sameAcks(a, b []ack) bool {
	byID := func(x, y ack) int { return strings.Compare(x.MessageID+x.Status, y.MessageID+y.Status) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, byID)
	slices.SortFunc(b, byID)
	return slices.Equal(a, b)
}

// conn returns the newest connection. The caller holds s.mu.
func (p *replay) conn() *conn {
	for _, c := range slices.Backward(p.s.conns) {
		if c.replay == p && c.link > p.above {
			return c
		}
	}
	return nil
}

// wait waits until cond, which is called with s.mu held, returns true, or the line's timeout expires.
func (p *replay) wait(cond func() bool) error {
	for {
		s := p.s
		s.mu.Lock()
		if cond() {
			s.mu.Unlock()
			return nil
		}
		change := s.change()
		s.mu.Unlock()
		select {
		case <-change:
		case <-s.done:
			return errClosed
		case <-p.ctx.Done():
			return p.ctx.Err()
		case <-p.late.C:
			return fmt.Errorf("timeout after %v", lineTimeout)
		}
	}
}

// closest describes how the first frame with the same action differs from a line.
func (p *replay) closest(l *line) string {
	for _, a := range p.kept {
		if a.frame.Action == l.out.Action {
			return ", received one that differs in " + p.ids.match(l, a)
		}
	}
	return ""
}

// leftOver returns an error that lists the client's frames that are not in the recording.
func (p *replay) leftOver() error {
	var left []string
	for _, a := range p.kept {
		left = append(left, a.frame.Action)
	}
	for a, n := range p.acked {
		if n > 0 {
			left = append(left, "acknowledgement of "+a.MessageID)
		}
	}
	if left == nil {
		return nil
	}
	slices.Sort(left)
	return fmt.Errorf("blazetest: the client wrote frames that the recording does not contain: %s",
		strings.Join(left, ", "))
}
