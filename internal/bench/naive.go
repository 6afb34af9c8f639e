package bench

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/gofrs/uuid/v5"
	"github.com/gorilla/websocket"
)

// naiveClient is built like most clients of this protocol: a new decompressor for each frame, JSON decoded in two
// steps, a map for the params, a goroutine that writes, a new compressor for each frame, and a table of waiting
// requests.
type naiveClient struct {
	ws      *websocket.Conn
	handler func(m *message, data []byte)
	writes  chan []byte
	ended   chan struct{} // closed after the last read
	why     error         // may be read after ended
	wg      sync.WaitGroup

	mu      sync.Mutex
	waiting map[string]chan *naiveFrame
}

// naiveFrame is a frame after the first step.
type naiveFrame struct {
	ID     string          `json:"id"`
	Action string          `json:"action"`
	Data   json.RawMessage `json:"data"`
	Error  *naiveError     `json:"error"`
}

type naiveError struct {
	Status      int    `json:"status"`
	Code        int    `json:"code"`
	Description string `json:"description"`
}

func (t Task) dialNaive(ctx context.Context, handler func(m *message, data []byte)) (*naiveClient, error) {
	ws, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &naiveClient{
		ws: ws, handler: handler, writes: make(chan []byte, 1024),
		ended: make(chan struct{}), waiting: make(map[string]chan *naiveFrame),
	}
	c.wg.Go(c.reader)
	c.wg.Go(c.writer)
	return c, nil
}

func (c *naiveClient) close() {
	_ = c.ws.Close()
	c.wg.Wait()
}

func (c *naiveClient) reader() {
	defer close(c.ended)
	for c.why == nil {
		c.why = c.readFrame()
	}
}

func (c *naiveClient) readFrame() error {
	_, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	zr, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		return err
	}
	f := new(naiveFrame)
	if err := json.Unmarshal(text, f); err != nil {
		return err
	}
	if c.answer(f) || f.Action != actionCreate {
		return nil
	}
	m := new(message)
	if err := json.Unmarshal(f.Data, m); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(m.Data)
	if err != nil {
		return err
	}
	c.handler(m, data)
	return nil
}

// answer passes a reply to the request that waits for it. It returns false if there is none.
func (c *naiveClient) answer(f *naiveFrame) bool {
	c.mu.Lock()
	ch := c.waiting[f.ID]
	delete(c.waiting, f.ID)
	c.mu.Unlock()
	if ch == nil {
		return false
	}
	ch <- f
	return true
}

func (c *naiveClient) writer() {
	for {
		select {
		case text := <-c.writes:
			if err := c.writeFrame(text); err != nil {
				_ = c.ws.Close() // which ends the reader
				return
			}
		case <-c.ended:
			return
		}
	}
}

func (c *naiveClient) writeFrame(text []byte) error {
	w, err := c.ws.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	zw, err := gzip.NewWriterLevel(w, 3)
	if err != nil {
		return err
	}
	if _, err := zw.Write(text); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	return w.Close()
}

// call makes a request and waits for its reply.
func (c *naiveClient) call(ctx context.Context, action string, params map[string]any) error {
	id := uuid.Must(uuid.NewV4()).String()
	text, err := json.Marshal(map[string]any{"id": id, "action": action, "params": params})
	if err != nil {
		return err
	}
	ch := make(chan *naiveFrame, 1)
	c.mu.Lock()
	c.waiting[id] = ch
	c.mu.Unlock()
	select {
	case c.writes <- text:
	case <-c.ended:
		return fmt.Errorf("connection lost: %w", c.why)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case f := <-ch:
		if f.Error != nil {
			return fmt.Errorf("refused: %d %s", f.Error.Code, f.Error.Description)
		}
		return nil
	case <-c.ended:
		return fmt.Errorf("connection lost: %w", c.why)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send sends a text.
func (c *naiveClient) send(ctx context.Context, to recipient) error {
	return c.call(ctx, actionCreate, map[string]any{
		"conversation_id": to.conversation, "recipient_id": to.user, "message_id": uuid.Must(uuid.NewV4()).String(),
		"category": "PLAIN_TEXT", "status": "SENT", "data": base64.StdEncoding.EncodeToString([]byte(to.text)),
	})
}

// naive does the task with naive clients.
func (t Task) naive(ctx context.Context) (Result, error) {
	switch t.Scenario {
	case Receive80, Receive1K, Receive100K:
		return t.naiveReceive(ctx)
	case Send1, Send16, Send256:
		return t.naiveSend(ctx)
	case Idle:
		return t.naiveIdle(ctx)
	}
	return Result{}, errors.New("not a scenario of this contender")
}

// naiveReceive sends no acknowledgements, which is an advantage for it.
func (t Task) naiveReceive(ctx context.Context) (Result, error) {
	m := newMeter(t.Count, t.Before)
	c, err := t.dialNaive(ctx, func(_ *message, data []byte) {
		if len(data) == t.Size {
			m.tick()
		}
	})
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	if err := c.call(ctx, actionList, nil); err != nil {
		return Result{}, err
	}
	select {
	case <-m.full:
		return m.result(), nil
	case <-c.ended:
		return Result{}, fmt.Errorf("connection lost: %w", c.why)
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}

func (t Task) naiveSend(ctx context.Context) (Result, error) {
	c, err := t.dialNaive(ctx, func(*message, []byte) {})
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	to := recipients(users, t.Size)
	return t.measureSends(ctx, func(ctx context.Context, caller int) error { return c.send(ctx, to[caller%len(to)]) })
}

func (t Task) naiveIdle(ctx context.Context) (Result, error) {
	clients := make([]*naiveClient, 0, t.Count)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	before, goroutines := settled(), runtime.NumGoroutine()
	for range t.Count {
		c, err := t.dialNaive(ctx, func(*message, []byte) {})
		if err != nil {
			return Result{}, err
		}
		clients = append(clients, c)
		if err := c.call(ctx, actionList, nil); err != nil {
			return Result{}, err
		}
	}
	return t.idleResult(before, goroutines), nil
}

// idleResult returns the cost per client of the clients started since the values were measured.
func (t Task) idleResult(before uint64, goroutines int) Result {
	n := float64(t.Count)
	now := settled()
	return Result{
		IdleKB: float64(now-min(now, before)) / n / 1024, Goroutines: float64(runtime.NumGoroutine()-goroutines) / n,
	}
}
