package blazetest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/wire"
)

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
	id3 = "33333333-3333-4333-8333-333333333333"
)

// faults collects the reports of a Server.
type faults struct {
	mu   sync.Mutex
	list []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// take returns the reports since the last take.
func (f *faults) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

// newServer returns a Server in memory and its reports. Reports that are not taken fail the test.
func newServer(t *testing.T) (*blazetest.Server, *faults) {
	t.Helper()
	return newServerWith(t, blazetest.Options{})
}

// newLenientServer returns a lenient Server, for tests of the form of requests. It accepts messages to any
// conversation.
func newLenientServer(t *testing.T) (*blazetest.Server, *faults) {
	t.Helper()
	return newServerWith(t, blazetest.Options{Lenient: true})
}

// newServerWith is newServer with options.
func newServerWith(t *testing.T, o blazetest.Options) (*blazetest.Server, *faults) {
	t.Helper()
	return collecting(t, blazetest.NewServerWith(o))
}

// collecting collects the reports of a Server, and closes it at the end of the test.
func collecting(t *testing.T, s *blazetest.Server) (*blazetest.Server, *faults) {
	t.Helper()
	f := new(faults)
	s.Errorf = f.add
	t.Cleanup(func() {
		s.Close()
		require.Empty(t, f.take(), "reported and not expected")
	})
	return s, f
}

// token returns a token for the handshake, signed after edit has changed its claims.
func token(t *testing.T, s *blazetest.Server, edit func(jwt.MapClaims)) string {
	t.Helper()
	seed, err := hex.DecodeString(s.Key.SessionPrivateKey)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("GET/"))
	claims := jwt.MapClaims{
		"uid": s.Key.AppID, "sid": s.Key.SessionID, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"jti": id1, "sig": hex.EncodeToString(sum[:]), "scp": "FULL",
	}
	if edit != nil {
		edit(claims)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(ed25519.NewKeyFromSeed(seed))
	require.NoError(t, err)
	return signed
}

// handshake dials the server with a bare websocket library.
func handshake(s *blazetest.Server, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{
		NetDialContext: s.Config.DialContext, TLSClientConfig: s.Config.TLSClientConfig,
		Subprotocols: protocols, EnableCompression: true,
	}
	return d.Dial(s.Config.Endpoints[0], header)
}

// raw is a client of the bare websocket library.
type raw struct {
	t  *testing.T
	ws *websocket.Conn
	z  wire.Inflater
	d  *wire.Deflater
}

func connect(t *testing.T, s *blazetest.Server) *raw {
	t.Helper()
	ws, _, err := handshake(s, http.Header{"Authorization": {"Bearer " + token(t, s, nil)}}, "Mixin-Blaze-1")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ws.Close() })
	return &raw{t: t, ws: ws, d: new(wire.Deflater)}
}

// connectAndList connects and lists pending messages.
func connectAndList(t *testing.T, s *blazetest.Server) *raw {
	t.Helper()
	c := connect(t, s)
	id := c.write(wire.ActionListPending, nil)
	require.Equal(t, wire.Frame{ID: id, Action: wire.ActionListPending}, c.read())
	return c
}

func (c *raw) write(action string, params any) (id string) {
	c.t.Helper()
	id = uuid.Must(uuid.NewV4()).String()
	p, err := wire.Marshal(struct {
		ID     string `json:"id"`
		Action string `json:"action"`
		Params any    `json:"params,omitempty"`
	}{id, action, params})
	require.NoError(c.t, err)
	c.writeBytes(c.d.Append(nil, p))
	return id
}

func (c *raw) writeBytes(p []byte) {
	c.t.Helper()
	require.NoError(c.t, c.ws.WriteMessage(websocket.BinaryMessage, p))
}

func (c *raw) read() wire.Frame {
	c.t.Helper()
	kind, p, err := c.ws.ReadMessage()
	require.NoError(c.t, err)
	require.Equal(c.t, websocket.BinaryMessage, kind)
	text, err := c.z.Inflate(p)
	require.NoError(c.t, err)
	f, err := wire.Parse(text)
	require.NoError(c.t, err)
	return *f
}

// call writes a request and returns its reply.
func (c *raw) call(action string, params any) wire.Frame {
	c.t.Helper()
	id := c.write(action, params)
	f := c.read()
	require.Equal(c.t, id, f.ID)
	require.Equal(c.t, action, f.Action)
	return f
}

// view is the data of a pushed message or receipt.
type view struct {
	ConversationID   string    `json:"conversation_id"`
	UserID           string    `json:"user_id"`
	SessionID        string    `json:"session_id"`
	MessageID        string    `json:"message_id"`
	Category         string    `json:"category"`
	Data             string    `json:"data"`
	DataBase64       string    `json:"data_base64"`
	Status           string    `json:"status"`
	Source           string    `json:"source"`
	QuoteMessageID   string    `json:"quote_message_id"`
	RepresentativeID string    `json:"representative_id"`
	Silent           bool      `json:"silent"`
	ExpireIn         int64     `json:"expire_in"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
}

// readView decodes the data of a frame. It returns nil if data is not an object.
func readView(data json.RawMessage) (*view, error) {
	v := new(view)
	return v, json.Unmarshal(data, v)
}

// pushed reads a pushed message.
func (c *raw) pushed() *view {
	c.t.Helper()
	f := c.read()
	m, err := readView(f.Data)
	require.NoError(c.t, err)
	return m
}

// acknowledge reads one frame, and acknowledges it if it is a pushed message.
func (c *raw) acknowledge() {
	f := c.read()
	m, err := readView(f.Data)
	if err != nil || m.Category == "" {
		return // a reply
	}
	c.write(wire.ActionAck, object{"message_id": m.MessageID, "status": "READ"})
}

// ended reads to the end of the connection and returns the error.
func (c *raw) ended() error {
	for {
		if _, _, err := c.ws.ReadMessage(); err != nil {
			return err
		}
	}
}

// object is JSON in a test.
type object = map[string]any

func textMessage(edit object) object {
	m := object{
		"conversation_id": id1, "category": "PLAIN_TEXT", "status": "SENT", "message_id": id2,
		"data": base64.StdEncoding.EncodeToString([]byte("hi")),
	}
	for k, v := range edit {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

func field(t *testing.T, f wire.Frame) string {
	t.Helper()
	require.NotNil(t, f.Error)
	require.Equal(t, 10002, f.Error.Code)
	require.Equal(t, 202, f.Error.Status)
	var extra struct{ Field string }
	require.NoError(t, json.Unmarshal(f.Error.Extra, &extra))
	return extra.Field
}

func ctx(t *testing.T) context.Context { return t.Context() }

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
