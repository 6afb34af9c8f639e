package link_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// every sends first and then the parts, repeatedly, one every ten seconds.
func (r *rig) every(first []byte, parts ...[]byte) {
	r.readers.Go(func() {
		for i := 0; ; i++ {
			if _, err := r.peer.Write(first); err != nil {
				return
			}
			first = parts[i%len(parts)]
			time.Sleep(10 * time.Second)
		}
	})
}

// A message must end within five minutes of its first byte, whatever arrives between its fragments.
func TestAMessageThatDoesNotEnd(t *testing.T) {
	const after = 5 * time.Minute
	empty, x := wspeer.Encode(wspeer.Continuation, nil), wspeer.Encode(wspeer.Continuation, []byte("x"))
	ping, part := wspeer.Whole(wspeer.Ping, []byte("x")), wspeer.Encode(wspeer.Continuation, make([]byte, 20<<10))
	for name, c := range map[string]struct {
		first []byte
		parts [][]byte
	}{
		"pongs":             {wspeer.Encode(wspeer.Binary, []byte{1}), [][]byte{wspeer.Whole(wspeer.Pong, nil)}},
		"pings":             {wspeer.Encode(wspeer.Binary, nil), [][]byte{ping}},
		"empty parts":       {wspeer.Encode(wspeer.Binary, nil), [][]byte{empty, ping}},
		"large parts":       {wspeer.Encode(wspeer.Binary, nil), [][]byte{part}},
		"text":              {wspeer.Encode(wspeer.Text, []byte("x")), [][]byte{ping, x}},
		"after another one": {append(named("a"), wspeer.Encode(wspeer.Binary, nil)...), [][]byte{ping}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.collect(true)
				began := time.Now()
				r.every(c.first, c.parts...)
				select {
				case <-r.Done():
				case <-time.After(2 * after):
				}
				assert.ErrorIs(t, r.Err(), link.ErrEndless)
				assert.ErrorContains(t, r.Err(), "within 5m0s of its first byte")
				assert.WithinRange(t, time.Now(), began.Add(after), began.Add(after+10*time.Second))
			})
		})
	}
}

// A message that ended in time does not shorten the time of the next one.
func TestAMessageThatEndedInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(true)
		p := named("slow")[2:]
		time.Sleep(7 * time.Second) // no pong arrives between the end of the message and its deadline
		r.send(wspeer.Encode(wspeer.Binary, p[:5]))
		for range 29 {
			time.Sleep(10 * time.Second)
			r.send(wspeer.Whole(wspeer.Ping, nil))
		}
		time.Sleep(4 * time.Second)
		r.send(wspeer.Whole(wspeer.Continuation, p[5:]))
		time.Sleep(30 * time.Second)
		r.lives()
		assert.Equal(t, []string{"slow", "alive"}, r.ids())
	})
}

// Each message has its own five minutes.
func TestMessagesThatTakeLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(true)
		p := named("slow")[2:]
		for range 3 {
			r.send(wspeer.Encode(wspeer.Binary, p[:5]))
			for range 29 {
				time.Sleep(10 * time.Second)
				r.send(wspeer.Whole(wspeer.Ping, nil))
			}
			r.send(wspeer.Whole(wspeer.Continuation, p[5:]))
		}
		r.lives()
		assert.Equal(t, []string{"slow", "slow", "slow", "alive"}, r.ids())
	})
}
