package hostile

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// peer is the server's end of one connection.
type peer struct {
	*wspeer.Peer
	auth string        // the Authorization header of its last request
	deaf chan struct{} // the server reads frames until it is closed; nil: always
}

// repeat writes the same bytes again and again, at most so many bytes in all. It returns how many it wrote.
func (p *peer) repeat(b []byte, most int64) (written int64) {
	for written < most {
		n, err := p.Write(b[:min(int64(len(b)), most-written)])
		if written += int64(n); err != nil {
			return written
		}
	}
	return written
}

// trickle writes the same bytes again and again, with a pause before each, until the client has gone or for so long.
func (p *peer) trickle(b []byte, pause, most time.Duration) {
	for began := time.Now(); time.Since(began) < most; {
		time.Sleep(pause)
		if p.Send(b) != nil {
			return
		}
	}
}

// upgrade returns the answer that accepts a websocket. edit may change its lines; the first one is the status line.
func (p *peer) upgrade(edit func(lines []string) []string) string {
	lines := append(p.UpgradeLines(), "Sec-WebSocket-Protocol: Mixin-Blaze-1")
	if edit != nil {
		lines = edit(lines)
	}
	return wspeer.Response(lines)
}
