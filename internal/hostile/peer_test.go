package hostile

import (
	"time"

	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// peer is the server's end of one connection.
type peer struct {
	*wspeer.Peer
	auth string        // Authorization header of the last request
	deaf chan struct{} // after a frame, the server reads no more until it is closed; nil: it keeps reading
}

// repeat writes the same bytes until it has written most bytes or fails. It returns the number of written bytes.
func (p *peer) repeat(b []byte, most int64) (written int64) {
	for written < most {
		n, err := p.Write(b[:min(int64(len(b)), most-written)])
		if written += int64(n); err != nil {
			return written
		}
	}
	return written
}

// trickle writes the same bytes after each pause, until the client has disconnected or most has passed.
func (p *peer) trickle(b []byte, pause, most time.Duration) {
	for began := time.Now(); time.Since(began) < most; {
		time.Sleep(pause)
		if p.Send(b) != nil {
			return
		}
	}
}

// upgrade returns the response that accepts a websocket. edit may change its lines. The first is the status line.
func (p *peer) upgrade(edit func(lines []string) []string) string {
	lines := append(p.UpgradeLines(), "Sec-WebSocket-Protocol: Mixin-Blaze-1")
	if edit != nil {
		lines = edit(lines)
	}
	return wspeer.Response(lines)
}
