package bench

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofrs/uuid/v5"
	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/gzip"
)

// trust returns the TLS configuration shared by all clients of a process.
func (t Task) trust() (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t.Roots)) {
		return nil, errors.New("no certificate")
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// dial connects with the most common websocket library, and its default buffers of 4096 bytes.
func (t Task) dial(ctx context.Context) (*websocket.Conn, error) {
	d := websocket.Dialer{TLSClientConfig: t.tls, Subprotocols: []string{subprotocol}, Proxy: http.ProxyFromEnvironment}
	ws, _, err := d.DialContext(ctx, "wss://"+t.Address+"/", nil) //nolint:bodyclose // it is the connection
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return ws, nil
}

// limit reads frames, and inflates them if the contender is Inflate.
func (t Task) limit(ctx context.Context) (Result, error) {
	ws, err := t.dial(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = ws.Close() }()
	defer context.AfterFunc(ctx, func() { _ = ws.Close() })()
	if err := askPending(ws); err != nil {
		return Result{}, err
	}
	l := &limiter{ws: ws, meter: newMeter(t.Count, t.Before)}
	for i := range t.Count + 1 { // the first is the reply
		if err := l.next(t.Contender == Inflate); err != nil {
			return Result{}, errors.Join(err, context.Cause(ctx))
		}
		if i > 0 {
			l.meter.tick()
		}
	}
	return l.meter.result(), nil
}

// limiter has the state that is reused for each frame.
type limiter struct {
	ws    *websocket.Conn
	meter *meter
	frame []byte
	src   bytes.Reader
	zr    *gzip.Reader
	text  []byte
}

// next reads one frame.
func (l *limiter) next(inflate bool) error {
	_, r, err := l.ws.NextReader()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if l.frame, err = appendAll(l.frame[:0], r); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if !inflate {
		return nil
	}
	l.src.Reset(l.frame)
	if l.zr == nil {
		l.zr, err = gzip.NewReader(&l.src)
	} else {
		err = l.zr.Reset(&l.src)
	}
	if err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	if l.text, err = appendAll(l.text[:0], l.zr); err != nil {
		return fmt.Errorf("inflate: %w", err)
	}
	return nil
}

// askPending requests the pending messages.
func askPending(ws *websocket.Conn) error {
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, flate.BestSpeed)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	fmt.Fprintf(zw, `{"id":%q,"action":%q}`, uuid.Must(uuid.NewV4()), actionList)
	if err := zw.Close(); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, b.Bytes()); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	return nil
}
