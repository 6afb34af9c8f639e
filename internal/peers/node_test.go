package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Timeout of the whole test: a ping of the server, for which the SDK waits, comes after 15 s.
const patience = time.Minute

// said is a line of the bot.
type said struct {
	Category string
	Data     json.RawMessage
	Receipt  string
	Me       string
	Ping     bool
	Error    string
}

// A bot made with Mixin's SDK for Node connects, gets a message of every category, acknowledges each, sends over the
// websocket and over HTTP, uploads a file, is pinged and gets receipts.
func TestNodeSDK(t *testing.T) {
	dir := os.Getenv("NODE_PEER")
	if dir == "" {
		t.Skip("make test-peers installs what this needs, and runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := blazetest.NewServerOn(ln)
	s.Errorf = t.Errorf
	defer s.Close()
	lines := startNode(ctx, t, s, dir)
	require.Equal(t, s.Key.AppID, (<-lines).Me)

	alice := s.User("alice")
	categories := everyCategory(s)
	for _, p := range categories {
		alice.Send(p)
		require.Equal(t, string(p.Category()), (<-lines).Category)
	}
	require.NoError(t, s.Idle(ctx), "each is acknowledged")
	require.Len(t, s.Acked(), len(categories)+1, "and the stub too, as this SDK does")

	require.Equal(t, blaze.Text("over the websocket"), next(ctx, t, alice).Payload)
	require.Equal(t, blaze.Text("over HTTP"), next(ctx, t, alice).Payload)
	file := next(ctx, t, alice)
	require.IsType(t, blaze.Data{}, file.Payload)
	content, ok := s.File(file.Payload.(blaze.Data).ID)
	require.True(t, ok)
	require.Equal(t, "a file", string(content))

	alice.Reads(file)
	require.Equal(t, "DELIVERED", (<-lines).Receipt)
	require.Equal(t, "READ", (<-lines).Receipt)
	require.True(t, (<-lines).Ping, "after 15 s")
}

// startNode starts the bot, which ends with the test, and returns its output.
func startNode(ctx context.Context, t *testing.T, s *blazetest.Server, dir string) <-chan said {
	t.Helper()
	key, err := json.Marshal(map[string]string{
		"app_id": s.Key.AppID, "session_id": s.Key.SessionID, "session_private_key": s.Key.SessionPrivateKey,
		"server_public_key": s.Key.ServerPublicKey,
	})
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, "node", "bot.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KEYSTORE="+string(key), "API="+s.Config.API, "BLAZE="+s.Config.Endpoints[0])
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := make(chan said)
	read := make(chan struct{})
	go func() {
		defer close(read)
		tell(ctx, out, lines)
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		_ = cmd.Wait() // the websocket may have ended it before
	})
	return lines
}

// tell reads the bot's lines until it ends. Those that nobody waits for are dropped when ctx ends.
func tell(ctx context.Context, out io.Reader, lines chan<- said) {
	defer close(lines)
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var l said
		if json.Unmarshal(scan.Bytes(), &l) != nil {
			l.Error = scan.Text()
		}
		select {
		case lines <- l:
		case <-ctx.Done():
			return
		}
	}
}

func next(ctx context.Context, t *testing.T, u *blazetest.User) blaze.Outgoing {
	t.Helper()
	out, err := u.Next(ctx)
	require.NoError(t, err)
	return out
}

// everyCategory returns a payload of each of the twelve categories of the specification. The text is the last one,
// since the bot answers it.
func everyCategory(s *blazetest.Server) []blaze.Payload {
	file := blaze.Attachment{ID: blazetest.UserID("file"), MimeType: "image/jpeg", Size: 100}
	yes := true
	return []blaze.Payload{
		blaze.Post("# Title"),
		blaze.Image{Attachment: file, Width: 10, Height: 20, Thumbnail: "AAAA"},
		blaze.Data{Attachment: file, Name: "name.txt"},
		blaze.Sticker{StickerID: blazetest.UserID("sticker")},
		blaze.Contact{UserID: blazetest.UserID("bob")},
		blaze.ButtonGroup{{Label: "Yes", Color: "#00AA00", Action: "input:yes"}},
		blaze.Card{
			AppID: s.Key.AppID, IconURL: "https://example.com/i.png", Title: "Title", Description: "Text",
			Action: "https://example.com", Shareable: &yes,
		},
		blaze.Audio{Attachment: file, Duration: 3 * time.Second, Waveform: []byte{1, 2, 3}},
		blaze.Video{Attachment: file, Width: 10, Height: 20, Duration: 5 * time.Second, Thumbnail: "AAAA"},
		blaze.Live{Width: 10, Height: 20, ThumbURL: "https://example.com/t.png", URL: "https://example.com/l.m3u8"},
		blaze.Location{Longitude: 116.4, Latitude: 39.9, Name: "Somewhere", Address: "Street 1"},
		blaze.Text("hello"),
	}
}
