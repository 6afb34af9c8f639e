package dialog_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// shop is a server and a store that outlive the processes of the bot.
type shop struct {
	s      *blazetest.Server
	states store
	done   []order // of each call of Done
}

func newShop() *shop { return &shop{s: blazetest.NewServer()} }

// bot returns the handler of one process.
func (p *shop) bot(c *blaze.Client) blaze.Handler {
	return route(c, newOrders(c, &p.states, func(o order) error {
		p.done = append(p.done, o)
		return p.states.reach("did")
	}))
}

// crashAt runs a process that crashes when it reaches a point for the nth time, or else after a while.
func (p *shop) crashAt(t require.TestingT, point string, n int) {
	var l *life
	dead, started := false, make(chan struct{})
	p.states.at = func(at string) error {
		<-started
		if at == point && n == 0 && !dead {
			dead = true
			l.cancel()
		}
		if dead {
			return errCrash
		}
		if at == point {
			n--
		}
		return nil
	}
	var err error
	l, err = live(p.s, p.bot)
	require.NoError(t, err)
	close(started)
	time.Sleep(soon)
	synctest.Wait()
	l.end()
	p.states.at = nil
}

// finish runs a process until all messages are acknowledged.
func (p *shop) finish(t require.TestingT) {
	l, err := live(p.s, p.bot)
	require.NoError(t, err)
	defer l.end()
	time.Sleep(soon)
	synctest.Wait()
	require.Empty(t, p.s.Pending())
}

var oneOrder = []string{"drink? {  }", "cups? {tea  }", "note? {tea 2 }", "done {tea 2 hot}"}

// The process crashes at each point of each message. No acknowledgement of it is accepted, so all messages are
// redelivered to the next process. Done runs again only after a crash between its beginning and Save.
func TestEveryCrashPoint(t *testing.T) {
	for _, tt := range []struct {
		point string
		times int // that messages reach it
		done  func(n int) int
	}{
		{"load", 4, func(int) int { return 1 }},
		{"taken", 3, func(int) int { return 1 }},
		{"save", 4, func(n int) int { return 1 + n/3 }},
		{"saved", 4, func(int) int { return 1 }},
		{"done", 1, func(int) int { return 1 }},
		{"did", 1, func(int) int { return 2 }},
		{"never", 1, func(int) int { return 1 }},
	} {
		testkit.Bubble(t, tt.point, func(t *testing.T) {
			for n := range tt.times {
				p := newShop()
				undo := rejectAcks(p.s)
				for _, text := range []string{"/order", "tea", "2", "hot"} {
					p.s.User("alice").Say(text)
				}
				p.crashAt(t, tt.point, n)
				assert.Len(t, p.s.Pending(), 4)
				p.crashAt(t, "never", 0)
				undo()
				p.finish(t)
				assert.Equal(t, oneOrder, sentBy(p.s), "%s %d", tt.point, n)
				assert.Equal(t, slices.Repeat([]order{{"tea", "2", "hot"}}, tt.done(n)), p.done)
				p.s.Close()
			}
		})
	}
}

// The reply is written and not confirmed, and the process crashes. The service may answer the same reply of the next
// process with 403.
func TestAnUnconfirmedQuestion(t *testing.T) {
	for _, response := range []string{"confirmed", "forbidden"} {
		testkit.Bubble(t, response, func(t *testing.T) {
			p := newShop()
			defer p.s.Close()
			p.s.User("alice").Say("/order")
			p.finish(t)
			p.s.Intercept("CREATE_MESSAGE", testkit.Answer(blazetest.Answer{Hang: true}))
			p.s.User("alice").Say("tea")
			p.crashAt(t, "never", 0)
			assert.Equal(t, 0, p.states.only(t).Step)
			if response == "forbidden" {
				p.s.InterceptAll("CREATE_MESSAGE", testkit.Answer(blazetest.Refuse(blaze.CodeForbidden)))
			}
			p.finish(t)
			assert.Equal(t, oneOrder[:2], sentBy(p.s))
			assert.Equal(t, 1, p.states.only(t).Step)
		})
	}
}

// A message that is redelivered after the form went on is neither the next answer nor handled by others. A message that
// another handler got before stays with that handler.
func TestOldMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newShop()
		defer p.s.Close()
		alice := p.s.User("alice")
		undo := rejectAcks(p.s)
		for _, text := range []string{"before", "/order", "bad", "tea", "skip", "2"} {
			alice.Say(text)
		}
		want := []string{"echo before", "drink? {  }", "again", "cups? {tea  }", "echo skip", "note? {tea 2 }"}
		for range 3 {
			p.crashAt(t, "never", 0)
			assert.Equal(t, want, sentBy(p.s))
			assert.Equal(t, 2, p.states.only(t).Step)
		}
		undo()
		alice.Say("hot")
		p.finish(t)
		assert.Equal(t, append(want, "done {tea 2 hot}"), sentBy(p.s))
	})
}

// A redelivered message that was answered is acknowledged, and the question is not written again.
func TestAnAnsweredMessageIsNotAnsweredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newShop()
		defer p.s.Close()
		written := 0
		p.s.InterceptAll("CREATE_MESSAGE", func(blazetest.Frame) blazetest.Answer {
			written++
			return blazetest.Answer{}
		})
		defer rejectAcks(p.s)()
		p.s.User("alice").Say("/order")
		p.s.User("alice").Say("tea")
		p.crashAt(t, "never", 0)
		p.crashAt(t, "never", 0)
		assert.Equal(t, 2, written)
		assert.Equal(t, oneOrder[:2], sentBy(p.s))
	})
}

// The ids of answers outlive the form, because the service keeps messages for longer.
func TestIDsOutliveTheForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newShop()
		defer p.s.Close()
		undo := rejectAcks(p.s)
		for _, text := range []string{"hi", "/order", "tea", "2", "hot"} {
			p.s.User("alice").Say(text)
		}
		p.crashAt(t, "never", 0)
		assert.Len(t, p.done, 1)
		assert.WithinDuration(t, time.Now().Add(8*24*time.Hour), p.states.only(t).Expires, time.Hour)
		undo()
		time.Sleep(7 * 24 * time.Hour)
		p.finish(t)
		assert.Len(t, p.done, 1)
		assert.Equal(t, append([]string{"echo hi"}, oneOrder...), sentBy(p.s))
	})
}

// An answer that was written in time is taken, even if the bot was away.
func TestAnAnswerWrittenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newShop()
		defer p.s.Close()
		p.s.User("alice").Say("/order")
		p.finish(t)
		p.s.User("alice").Say("tea")
		time.Sleep(3 * 24 * time.Hour)
		p.s.User("alice").Say("2") // three days after the last question
		p.finish(t)
		assert.Equal(t, append(slices.Clone(oneOrder[:2]), "note? {tea 2 }"), sentBy(p.s))
	})
}

// The reply of Done is rejected, so the message is dropped. The next message does not run Done again.
func TestADroppedDoneClosesTheForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newShop()
		defer p.s.Close()
		alice := p.s.User("alice")
		for _, text := range []string{"/order", "tea", "2"} {
			alice.Say(text)
		}
		p.finish(t)
		undo := p.s.InterceptAll("CREATE_MESSAGE", testkit.Answer(blazetest.Refuse(blaze.CodeForbidden)))
		l, err := live(p.s, p.bot)
		require.NoError(t, err)
		synctest.Wait()
		alice.Say("hot") // not from the backlog, whose 403 may mean that an earlier process has replied
		time.Sleep(soon)
		l.end()
		undo()
		alice.Say("thanks")
		p.finish(t)
		assert.Equal(t, append(slices.Clone(oneOrder[:3]), "echo thanks"), sentBy(p.s))
		assert.NotEmpty(t, p.done)
		for _, o := range p.done {
			assert.Equal(t, "hot", o.Note)
		}
	})
}

// The newest ids are remembered over all forms of a person.
func TestAnsweredIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := new(store)
		s := begin(t, states, nil)
		alice := s.User("alice")
		var ids []string
		for _, text := range append(slices.Repeat([]string{"/order", "tea", "2", "hot"}, 20), "/order") {
			ids = append(ids, alice.Say(text))
		}
		testkit.Idle(t, s)
		state := states.only(t)
		assert.Equal(t, ids[len(ids)-64:], state.Answered)
		assert.Equal(t, ids[len(ids)-1], state.MessageID)
		assert.Equal(t, 0, state.Step)
	})
}

// Whatever the messages and wherever processes crash, replies and forms are those of a bot that never crashed.
func TestCrashesTakeNoMessageTwiceAndLoseNone(t *testing.T) {
	said := []string{"/order", "/order", "a", "b", "c", "d", "bad", "skip", "stop"}
	texts := rapid.SliceOfN(rapid.SampledFrom(said), 1, 12)
	points := rapid.SampledFrom([]string{"load", "taken", "save", "saved", "done", "did", "never"})
	testkit.Check(t, func(t *rapid.T) {
		said := texts.Draw(t, "texts")
		p := newShop()
		defer p.s.Close()
		alice := p.s.User("alice")
		undo := func() {}
		for left := said; ; {
			n := rapid.IntRange(0, len(left)).Draw(t, "new messages")
			for _, text := range left[:n] {
				alice.Say(text)
			}
			if left = left[n:]; len(left) == 0 {
				break
			}
			undo()
			undo = func() {}
			if rapid.Bool().Draw(t, "acknowledgements are lost") {
				undo = rejectAcks(p.s)
			}
			p.crashAt(t, points.Draw(t, "point"), rapid.IntRange(0, 6).Draw(t, "after"))
		}
		undo()
		p.crashAt(t, points.Draw(t, "last point"), rapid.IntRange(0, 6).Draw(t, "after"))
		p.finish(t)
		replies, done := expected(said)
		require.Equal(t, replies, sentBy(p.s))
		require.Equal(t, done, slices.Compact(p.done))
	})
}

// expected is the bot of the tests without messages, processes and a store: the replies, and the forms that were done,
// without repetitions.
func expected(texts []string) (replies []string, done []order) {
	step, o := -1, order{}
	questions := []string{"drink?", "cups?", "note?"}
	for _, text := range texts {
		switch {
		case text == "/order":
			step, o = 0, order{}
		case step < 0 || text == "skip":
			replies = append(replies, "echo "+text)
			continue
		case text == "stop":
			step = -1
			replies = append(replies, "Canceled.")
			continue
		case text == "bad":
			replies = append(replies, "again")
			continue
		default:
			*[]*string{&o.Drink, &o.Cups, &o.Note}[step] = text
			step++
		}
		if step == len(questions) {
			step = -1
			done = append(done, o)
			replies = append(replies, line("done", o))
			continue
		}
		replies = append(replies, line(questions[step], o))
	}
	return replies, slices.Compact(done)
}

func line(text string, o order) string { return string(blaze.Textf("%s %v", text, o)) }
