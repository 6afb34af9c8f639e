package link_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mixin-blaze/blaze/internal/bounds"
	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// feed sends a frame every ten seconds until the link has ended.
func (r *rig) feed() {
	r.readers.Go(func() {
		for {
			if _, err := r.peer.Write(named("x")); err != nil {
				return
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// waitEnd waits until the link has ended on its own, for at most a day.
func (r *rig) waitEnd() {
	late := time.AfterFunc(24*time.Hour, func() { r.Fail(errors.New("the link has not ended within a day")) })
	defer late.Stop()
	<-r.Done()
}

// A peer that sends frames but no pongs may not receive anything.
func TestAPingThatIsNotAnsweredEndsTheLink(t *testing.T) {
	for name, tt := range map[string]struct {
		patience, after time.Duration
	}{
		"by default":          {0, 15*time.Second + 3*time.Minute},
		"after lost links":    {12 * time.Minute, 15*time.Second + 12*time.Minute},
		"for an hour at most": {time.Hour, 15*time.Second + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connectIn(t.Context(), t, newSource(), new(log), tt.patience)
				r.collect(false)
				r.feed()
				r.waitEnd()
				assert.Equal(t, tt.after, time.Since(r.born))
				assert.ErrorIs(t, r.Err(), link.ErrPong)
				assert.False(t, r.Ponged())
				assert.Zero(t, r.log.pongs)
			})
		})
	}
}

// After the first pong, a link has the default patience.
func TestAPongEndsPatience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connectIn(t.Context(), t, newSource(), new(log), 12*time.Minute)
		r.collect(false)
		r.feed()
		time.Sleep(10*time.Minute + time.Second)
		r.lives()
		r.send(wspeer.Whole(wspeer.Pong, nil))
		assert.True(t, r.Ponged())
		assert.Equal(t, 1, r.log.pongs)
		r.waitEnd()
		assert.Equal(t, 10*time.Minute+15*time.Second+3*time.Minute, time.Since(r.born))
		assert.ErrorIs(t, r.Err(), link.ErrPong)
	})
}

func TestAPeerThatAnswersLateLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.collect(false)
		r.feed()
		for range 100 {
			time.Sleep(2*time.Minute + 59*time.Second)
			r.send(wspeer.Whole(wspeer.Pong, nil))
		}
		r.lives()
	})
}

func TestLinksHaveTheBoundsOfTheirContext(t *testing.T) {
	b := bounds.Default()
	b.Ping, b.Silence, b.Pong = time.Second, 5*time.Second, 20*time.Second
	for name, tt := range map[string]struct {
		feeds bool
		after time.Duration
	}{"silence": {false, 5 * time.Second}, "no pong": {true, 21 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connectIn(bounds.With(t.Context(), b), t, newSource(), new(log), 0)
				r.collect(false)
				if tt.feeds {
					r.readers.Go(func() {
						for {
							if _, err := r.peer.Write(named("x")); err != nil {
								return
							}
							time.Sleep(time.Second)
						}
					})
				}
				r.waitEnd()
				assert.Equal(t, tt.after, time.Since(r.born))
			})
		})
	}
}
