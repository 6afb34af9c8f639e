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

// patience is how long a replay waits for the frame of one line. A client that waits for an answer is never silent: it
// pings, writes again what was not answered, and connects again.
const lineTimeout = time.Minute

// Replay plays a recording, as [Recorder] and RecordTo write them: it sends the server's frames ("in") in order, and
// for each of the client's ("out") waits until the client has written it. It returns when everything was written and
// everything expected has come; until then the server answers nothing by itself. A connection that is already there is
// cut, so that the recording begins where a connection does. Where the recording goes on on another connection, the
// present one is cut and the client's next one is waited for; frames that were lost with the old one are expected
// again. Call it before the client is to send anything.
//
// A frame is expected if it is the same JSON as the recorded one but for the ids that clients make up: those of
// requests and of the messages they create. Whatever the client uses in place of a recorded id is put into the server's
// frames in its place, so that recorded replies and receipts reach what they belong to. Ids inside of data, where
// messages speak of other messages, are compared as they are. The client may write in another order than was recorded,
// and may divide its acknowledgements among frames in another way: Replay then answers these itself. Bodies that the
// recorder has changed are not compared.
//
// A recording of another bot is played as one of the bot of Server.Key: the id of that bot, of its session, and of the
// conversations that it has with the users in the recording are replaced, in bodies too. Which bot that is, the
// recording says, or the reply to a message that it sent; without either it is taken for this bot.
//
// The error names the line: of a recording that cannot be read, or of the frame that did not come within a minute. It
// also tells of frames that the recording does not have. Afterwards the server answers as usual again; for messages to
// be pushed, the client has to ask for them again.
func (s *Server) Replay(r io.Reader) error {
	lines, err := s.readOwn(r)
	if err != nil {
		return err
	}
	return s.playRecording(context.Background(), lines) // each line ends by itself
}

// readOwn reads a recording as one of the Server's bot.
func (s *Server) readOwn(r io.Reader) ([]*line, error) {
	lines, err := readRecording(r)
	if err != nil {
		return nil, err
	}
	return lines, adopt(lines, s.session)
}

// playRecording is Replay of a recording that was read, until ctx ends.
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
		return errors.New("blazetest: another replay is under way")
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

// replayed hands a frame to the replay that its connection belongs to. False means that there is none.
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

// replay is a recording that is being played. All but inbox belongs to the goroutine that plays it.
type replay struct {
	ctx      context.Context // of whoever plays it
	s        *Server
	lines    []*line
	ids      *ids
	kept     []*arrival      // no line has asked for them yet
	acked    map[ack]int     // acknowledged in frames unlike the recorded ones, and no line has asked for them yet
	answered map[string]bool // recorded ids of requests whose replies were given otherwise
	late     *time.Timer     // runs for the present line
	link     int             // the recorded connection that is played
	used     int             // the number of the connection that was used last
	above    int             // connections up to this number belong to what was played before

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
			// Its connection has ended, and nobody could get it.
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

// reconnect goes on with the client's next connection, or with the one that has come already.
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

// flush waits until the frames that the client is to see have reached it, or it has gone.
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

// came reports whether the frame of a line has come.
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

// cameApart reports whether all that a line acknowledges was acknowledged in other frames.
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

// sort takes what has arrived: acknowledgements find their lines or are answered, everything else is kept until a line
// asks for it.
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

// sortAcks finds the line of a frame that acknowledges. What the recording has on a later connection only, and what
// came on one that was cut too late for its lines, the client is to write again, and gets no answer before.
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

// sameAcks compares without regard to order: the handlers of several messages end in any order.
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

// wait waits until cond, called with s.mu held, is true, but not longer than a line may take.
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
			return fmt.Errorf("it did not come within %v", lineTimeout)
		}
	}
}

// closest says how the first frame of the same action differs from what a line expects.
func (p *replay) closest(l *line) string {
	for _, a := range p.kept {
		if a.frame.Action == l.out.Action {
			return ", of which one came that differs in " + p.ids.match(l, a)
		}
	}
	return ""
}

// leftOver says what the client wrote that the recording does not have.
func (p *replay) leftOver() error {
	var left []string
	for _, a := range p.kept {
		left = append(left, a.frame.Action)
	}
	for a, n := range p.acked {
		if n > 0 {
			left = append(left, "the acknowledgement of "+a.MessageID)
		}
	}
	if left == nil {
		return nil
	}
	slices.Sort(left)
	return fmt.Errorf("blazetest: the client wrote what the recording does not have: %s", strings.Join(left, ", "))
}
