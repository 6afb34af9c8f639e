package link

import "time"

// Ponged reports whether a ping was answered.
func (l *Link) Ponged() bool { return l.ponged.Load() }

// pongCame records that all pings are answered. An endpoint may answer only the last of several (RFC 6455, section
// 5.5.3), and pings have no payload to tell them apart.
func (l *Link) pongCame() {
	l.patience.Store(int64(l.bounds.Pong))
	l.pinged.Store(0)
	l.ponged.Store(true)
	l.hooks.Pong()
}

// pings records that a ping is about to be written, and reports whether one has been unanswered for too long. The
// writer calls it.
func (l *Link) pings() (late bool) {
	now := max(int64(time.Since(l.born)), 1)
	if !l.pinged.CompareAndSwap(0, now) {
		first := l.pinged.Load()
		//mutant:pong-deadline
		return first != 0 && now-first >= l.patience.Load()
	}
	return false
}
