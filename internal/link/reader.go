package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mixin-blaze/blaze/internal/wire"
)

// keepRead is the largest read buffer kept between frames, so that one large frame does not stay for ever.
const keepRead = 64 << 10

// reader hands on one frame after the other until the connection ends. It never writes and never waits for anything but the
// network. (On a violation of RFC 6455 the websocket library itself writes a close frame from here; the connection is
// finished then.)
func (l *Link) reader() {
	defer close(l.read)
	err := l.readFrames()
	l.end(err)
	// The writer may be in the middle of a write that will never end. It still gets a moment for the close frame.
	_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
}

func (l *Link) readFrames() error {
	_ = l.ws.SetReadDeadline(time.Now().Add(silence))
	var buf bytes.Buffer
	var inflater wire.Inflater
	for {
		kind, r, err := l.ws.NextReader()
		if err != nil {
			return l.lost(err)
		}
		l.alive()
		skip, err := l.readMessage(kind, r, &buf)
		if err != nil {
			return l.lost(err)
		}
		if skip == nil {
			var f *wire.Frame
			if f, skip = l.decode(&inflater, buf.Bytes()); skip == nil {
				err = l.hooks.Frame(l, f)
			}
		}
		if err != nil {
			return err
		}
		if skip != nil {
			l.hooks.Bad(skip)
		}
		if buf.Cap() > keepRead {
			buf = bytes.Buffer{}
		}
	}
}

// readMessage reads one message into buf. Where the message cannot be a frame, it is read to its end, and skip says why.
func (l *Link) readMessage(kind int, r io.Reader, buf *bytes.Buffer) (skip, err error) {
	buf.Reset()
	if kind == websocket.BinaryMessage {
		if _, err := buf.ReadFrom(io.LimitReader(r, wire.MaxFrame+1)); err != nil {
			return nil, err
		}
		if buf.Len() <= wire.MaxFrame {
			return nil, nil
		}
		skip = ErrLarge
	} else {
		skip = ErrText
	}
	_, err = io.Copy(io.Discard, r)
	return skip, err
}

func (l *Link) decode(inflater *wire.Inflater, p []byte) (*wire.Frame, error) {
	json, err := inflater.Inflate(p)
	if err != nil {
		return nil, err
	}
	l.hooks.Read(json)
	return wire.Parse(json)
}

// lost says in words why reading ended.
func (l *Link) lost(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		if l.ours.Load() {
			return ErrClosed
		}
		if closed.Code == websocket.CloseAbnormalClosure { // the library's code for no close frame
			return fmt.Errorf("the connection broke: %s", strconv.Quote(closed.Text))
		}
		return fmt.Errorf("the server closed the connection with code %d %s", closed.Code, strconv.Quote(closed.Text))
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no sign of life for %v: %w", silence, err)
	}
	return fmt.Errorf("read: %w", err)
}
