package bench

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// Sizes of the server's buffers.
const (
	pushChunk    = 64 << 10 // bytes of pushed messages in one write
	replyChunk   = 16 << 10 // bytes of replies after which they are written without a check for more requests
	readBuffer   = 16 << 10
	mostRequest  = 16 << 20 // bytes of a websocket message
	mostInflated = 64 << 20
)

// conn is one connection of the server. One goroutine reads and replies. After the first list request, another one
// pushes. Concurrent writes are safe, because each consists of whole frames, and a TLS connection does not interleave
// them.
type conn struct {
	net.Conn
	set   *frameSet
	count int
	acked []atomic.Bool // by the number of a message
	list  chan struct{} // has an element if the pending messages must be pushed from the start
	done  chan struct{} // closed after the last read
	push  sync.WaitGroup

	br      *bufio.Reader
	payload []byte // of one websocket message
	src     bytes.Reader
	zr      *gzip.Reader
	text    []byte // of one request
	replies []byte
	pushing bool
}

func newConn(c net.Conn, set *frameSet, count int) *conn {
	return &conn{
		Conn: c, set: set, count: count, list: make(chan struct{}, 1), done: make(chan struct{}),
		br: bufio.NewReaderSize(c, readBuffer),
	}
}

// serve reads until the connection ends.
func (c *conn) serve() {
	_ = c.read() // the client reports errors
	close(c.done)
	_ = c.Close()
	c.push.Wait()
}

func (c *conn) read() error {
	for {
		opcode, err := c.next()
		if err != nil {
			return err
		}
		switch opcode {
		case opBinary:
			err = c.request()
		case opPing:
			c.replies = append(appendHeader(c.replies, opPong, len(c.payload)), c.payload...)
		case opClose:
			c.replies = append(appendHeader(c.replies, opClose, len(c.payload)), c.payload...)
			return errors.Join(c.flush(), io.EOF)
		}
		if err != nil {
			return err
		}
		if c.br.Buffered() == 0 || len(c.replies) > replyChunk {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
}

func (c *conn) flush() error {
	if len(c.replies) == 0 {
		return nil
	}
	_, err := c.Write(c.replies)
	c.replies = c.replies[:0]
	return err
}

// next reads one websocket message into payload. It does not support control frames between the fragments of a message.
func (c *conn) next() (opcode byte, err error) {
	c.payload = c.payload[:0]
	for first := true; ; first = false {
		head, err := c.br.Peek(2)
		if err != nil {
			return 0, err
		}
		final, op, masked, n := head[0]&finalBit != 0, head[0]&0xf, head[1]&maskBit != 0, int(head[1]&0x7f)
		if first {
			opcode = op
		}
		if !masked || first == (op == opContinuation) {
			return 0, fmt.Errorf("bench: a frame with opcode %d, masked: %v", op, masked)
		}
		_, _ = c.br.Discard(2)
		if n, err = c.length(n); err != nil {
			return 0, err
		}
		if err := c.unmask(n); err != nil {
			return 0, err
		}
		if final {
			return opcode, nil
		}
	}
}

// length reads the extended length of a frame.
func (c *conn) length(n int) (int, error) {
	var p [8]byte
	switch n {
	case 126:
		if _, err := io.ReadFull(c.br, p[6:]); err != nil {
			return 0, err
		}
	case 127:
		if _, err := io.ReadFull(c.br, p[:]); err != nil {
			return 0, err
		}
	default:
		return n, nil
	}
	long := binary.BigEndian.Uint64(p[:])
	if long > mostRequest {
		return 0, fmt.Errorf("bench: a frame of %d bytes", long)
	}
	return int(long), nil
}

// unmask reads the masking key and n bytes.
func (c *conn) unmask(n int) error {
	var key [4]byte
	if _, err := io.ReadFull(c.br, key[:]); err != nil {
		return err
	}
	start := len(c.payload)
	c.payload = append(c.payload, make([]byte, n)...)
	p := c.payload[start:]
	if _, err := io.ReadFull(c.br, p); err != nil {
		return err
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
	return nil
}

// request replies to one request and carries it out.
func (c *conn) request() error {
	if err := c.inflate(); err != nil {
		return fmt.Errorf("bench: a request that is no gzip: %w", err)
	}
	id, action := field(c.text, `"id":"`), field(c.text, `"action":"`)
	if id == nil || action == nil {
		return errors.New("bench: a request without id or action")
	}
	c.replies = appendReply(c.replies, id, action)
	switch {
	case string(action) == actionList && c.count > 0:
		if err := c.flush(); err != nil { // the reply must precede the pushes
			return err
		}
		c.pushAll()
	case bytes.HasPrefix(action, []byte(actionAck)):
		c.acknowledge()
	}
	return nil
}

func (c *conn) inflate() (err error) {
	c.src.Reset(c.payload)
	if c.zr == nil {
		c.zr, err = gzip.NewReader(&c.src)
	} else {
		err = c.zr.Reset(&c.src)
	}
	if err != nil {
		return err
	}
	c.text, err = appendAll(c.text[:0], c.zr)
	return err
}

// appendAll appends the content of r to dst.
func appendAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		case len(dst) > mostInflated:
			return dst, errors.New("bench: a frame that does not end")
		}
	}
}

// field returns the value of the first key. The key includes the opening quote of its value. Our own clients write the
// requests: ids and actions have no escapes, and there is no white space around the colon.
func field(text []byte, key string) []byte {
	_, rest, ok := bytes.Cut(text, []byte(key))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return nil
	}
	return rest[:end]
}

// acknowledge marks the messages of a request.
func (c *conn) acknowledge() {
	for rest := c.text; ; {
		var ok bool
		if _, rest, ok = bytes.Cut(rest, []byte(`"message_id":"`)); !ok {
			return
		}
		if n, ok := messageNumber(rest[:min(36, len(rest))]); ok && n >= 0 && n < len(c.acked) {
			c.acked[n].Store(true)
		}
	}
}

// appendReply appends the successful reply to a request: gzip with one stored block.
func appendReply(dst, id, action []byte) []byte {
	n := len(`{"id":"","action":""}`) + len(id) + len(action)
	dst = appendHeader(dst, opBinary, 10+5+n+8)
	dst = append(dst, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))  //nolint:gosec // G115: ids are short
	dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n)) //nolint:gosec // G115: as above
	start := len(dst)
	dst = append(append(dst, `{"id":"`...), id...)
	dst = append(append(dst, `","action":"`...), action...)
	dst = append(dst, `"}`...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
	return binary.LittleEndian.AppendUint32(dst, uint32(n)) //nolint:gosec // G115: as above
}

// pushAll starts a push of all messages without an acknowledgement, the oldest first.
func (c *conn) pushAll() {
	if !c.pushing {
		c.pushing = true
		c.acked = make([]atomic.Bool, min(c.count, c.set.len()))
		c.push.Go(c.pusher)
	}
	select {
	case c.list <- struct{}{}:
	default:
	}
}

// pusher pushes until the connection ends. After another list request it pushes everything again.
func (c *conn) pusher() {
	var buf []byte
	for next := c.count; ; {
		if next >= c.count {
			select {
			case <-c.list:
				next = 0
			case <-c.done:
				return
			}
		}
		select {
		case <-c.list:
			next = 0
		default:
		}
		if buf, next = c.collect(buf[:0], next); len(buf) > 0 {
			if _, err := c.Write(buf); err != nil {
				_ = c.Close() // which ends the reader
				return
			}
		}
	}
}

// collect appends messages from number next on, as many as fit into one write.
func (c *conn) collect(buf []byte, next int) ([]byte, int) {
	for ; next < c.count && len(buf) < pushChunk; next++ {
		i := next % c.set.len()
		if !c.acked[i].Load() {
			buf = append(buf, c.set.buf[c.set.from(i):c.set.ends[i]]...)
		}
	}
	return buf, next
}
