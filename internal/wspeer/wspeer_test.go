package wspeer_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/memnet"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// The examples of RFC 6455, sections 1.3 and 5.7.
func TestTheExamplesOfTheRFC(t *testing.T) {
	assert.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", wspeer.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))

	assert.Equal(t, "\x81\x05Hello", string(wspeer.Whole(wspeer.Text, []byte("Hello"))))
	assert.Equal(t, "\x01\x03Hel", string(wspeer.Encode(wspeer.Text, []byte("Hel"))))
	assert.Equal(t, "\x80\x02lo", string(wspeer.Whole(wspeer.Continuation, []byte("lo"))))
	assert.Equal(t, "\x89\x05Hello", string(wspeer.Whole(wspeer.Ping, []byte("Hello"))))
	assert.Equal(t, "\x82\x7E\x01\x00", string(wspeer.Head(wspeer.Final|wspeer.Binary, 256)))
	assert.Equal(t, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", string(wspeer.Head(wspeer.Final|wspeer.Binary, 65536)))
	assert.Equal(t, "\x88\x05\x03\xE9bye", string(wspeer.CloseFrame(1001, "bye")))

	for text, first := range map[string]byte{
		"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58": wspeer.Final | wspeer.Text,
		"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58": wspeer.Final | wspeer.Pong,
	} {
		want := wspeer.Frame{First: first, Key: [4]byte{0x37, 0xfa, 0x21, 0x3d}, Payload: []byte("Hello")}
		f, n, err := wspeer.Cut([]byte(text + "more"))
		require.NoError(t, err)
		assert.Equal(t, want, f)
		assert.Equal(t, len(text), n)
		for i := range text {
			_, n, err = wspeer.Cut([]byte(text[:i]))
			require.NoError(t, err)
			assert.Zero(t, n, "%d bytes are no frame", i)
		}
		f, err = served(t, text).ReadFrame()
		require.NoError(t, err)
		assert.Equal(t, want, f)
		assert.Equal(t, first&0xF, f.Op())
	}
}

func TestFramesThatNoClientMayWrite(t *testing.T) {
	for name, text := range map[string]string{
		"no mask":         "\x81\x05Hello12345",
		"16 bits for 125": "\x82\xFE\x00\x7D\x00\x00\x00\x00" + strings.Repeat("x", 125),
		"64 bits for 126": "\x82\xFF\x00\x00\x00\x00\x00\x00\x00\x7E\x00\x00\x00\x00" + strings.Repeat("x", 126),
	} {
		_, _, err := wspeer.Cut([]byte(text))
		require.Error(t, err, name)
		_, err = served(t, text).ReadFrame()
		require.Error(t, err, name)
	}
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 125, 126, 0xFFFF, 0x10000} {
		payload := bytes.Repeat([]byte{7}, n)
		frame := wspeer.Whole(wspeer.Binary, payload)
		head := frame[:len(frame)-n]
		frame = append(append(append([]byte{head[0], head[1] | wspeer.Masked}, head[2:]...), 0, 0, 0, 0), payload...)
		f, size, err := wspeer.Cut(bytes.Clone(frame))
		require.NoError(t, err)
		assert.Equal(t, len(frame), size)
		assert.Len(t, f.Payload, n)
		f, err = served(t, string(frame)).ReadFrame()
		require.NoError(t, err)
		assert.Len(t, f.Payload, n)
	}
}

// The standard library decodes stored and compressed streams alike.
func TestGzip(t *testing.T) {
	for _, n := range []int{0, 1, 0xFFFF, 0x10000, 3 * 0xFFFF} {
		text := strings.Repeat("x", n)
		stored := wspeer.AppendStored(nil, []byte(text))
		assert.Len(t, stored, wspeer.LenStored(n))
		for _, p := range [][]byte{stored, wspeer.Gzip(text)} {
			zr, err := gzip.NewReader(bytes.NewReader(p))
			require.NoError(t, err)
			got, err := io.ReadAll(zr)
			require.NoError(t, err)
			assert.True(t, text == string(got), n)
			got, err = wspeer.Gunzip(p)
			require.NoError(t, err)
			assert.True(t, text == string(got), n)
			_, err = wspeer.Gunzip(append(bytes.Clone(p), 0))
			require.ErrorContains(t, err, "trailing data")
		}
	}
	_, err := wspeer.Gunzip([]byte("no gzip"))
	require.Error(t, err)
}

// served returns the peer of a client that writes a text and disconnects.
func served(t *testing.T, text string) *wspeer.Peer {
	t.Helper()
	ours, theirs := memnet.Pipe()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.WriteString(theirs, text)
		_ = theirs.Close()
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-gone
	})
	return wspeer.New(ours)
}

const handshake = "GET /path HTTP/1.1\r\nHost: server.example.com\r\nupgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Two: a\r\nx-two: b\r\n\r\n"

func TestTheHandshake(t *testing.T) {
	p := served(t, handshake+"\x89\x80\x00\x00\x00\x00")
	require.NoError(t, p.ReadHead())
	assert.Equal(t, handshake, p.Head)
	assert.Equal(t, []string{"a", "b"}, p.Header("X-TWO"))
	assert.Equal(t, "/path", p.Request.URL.Path)
	assert.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-More: yes\r\n\r\n", p.Upgrade("X-More: yes"))
	f, err := p.ReadFrame()
	require.NoError(t, err, "the data after the header is kept")
	assert.Equal(t, wspeer.Ping, f.Op())
	require.Error(t, p.ReadHead())

	long := served(t, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: "+strings.Repeat("x", 10_000)+"\r\n\r\n")
	require.NoError(t, long.ReadHead(), "a header larger than the buffer is read, too")
	assert.Len(t, long.Request.Header.Get("X-Long"), 10_000)
}

// masked returns a client frame with a mask of zeros.
func masked(first byte, payload []byte) string {
	return string([]byte{first, wspeer.Masked | byte(len(payload)), 0, 0, 0, 0}) + string(payload)
}

func TestRequests(t *testing.T) {
	ours, theirs := memnet.Pipe()
	p := wspeer.New(ours)
	ended := make(chan error, 1)
	go func() {
		err := p.Accept()
		for err == nil {
			var r wspeer.Request
			if r, err = p.Next(); err == nil {
				err = p.Reply(r, fmt.Sprintf(`,"data":%q`, r.MessageID()))
			}
		}
		ended <- err
	}()
	say := func(text string) {
		t.Helper()
		_, err := io.WriteString(theirs, text)
		require.NoError(t, err)
	}
	hear := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		_, err := io.ReadFull(theirs, got)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	say(handshake)
	hear("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	say(masked(0x89, []byte("there?")))
	hear("\x8a\x06there?")
	say(masked(0x82, wspeer.Gzip(`{"id":"1","action":"A","params":{"message_id":"2"}}`)))
	hear(string(wspeer.Pack(`{"id":"1","action":"A","data":"2"}`)))
	say(masked(0x88, []byte("\x03\xe8")))
	hear("\x88\x02\x03\xe8")
	require.ErrorContains(t, <-ended, "closed")

	go func() { _, _ = io.WriteString(theirs, masked(0x88, []byte("\x03\xe9"))); _ = theirs.Close() }()
	assert.Equal(t, "\x03\xe9", string(p.Drain()))
}
