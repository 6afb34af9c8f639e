//go:build unix

package blaze_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// botVariable selects the bot of a child process that calls Main.
const botVariable = "BLAZE_TEST_BOT"

func init() {
	switch os.Getenv(botVariable) {
	case "echo":
		blaze.Main(nil, echoing)
	case "stubborn":
		blaze.Main(&blaze.Config{HandlerAttempts: 1}, stubborn)
	}
}

func echoing(c *blaze.Client) blaze.Handler {
	return blaze.On(func(ctx context.Context, m *blaze.Message, t blaze.Text) error {
		return c.Reply(ctx, m, "echo: "+t)
	})
}

// stubborn never returns from its handler after the first signal, and sends itself more of them.
func stubborn(*blaze.Client) blaze.Handler {
	return func(context.Context, *blaze.Message) error {
		first := make(chan os.Signal, 1)
		signal.Notify(first, syscall.SIGTERM)
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-first
		signal.Stop(first)
		for {
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			runtime.Gosched()
		}
	}
}

// startMain runs Main in a process of its own.
func startMain(t *testing.T, bot string, env ...string) (c *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	log = new(bytes.Buffer)
	c = exec.CommandContext(t.Context(), exe, "-test.run=^$")
	c.Env = append([]string{botVariable + "=" + bot, "PATH=" + os.Getenv("PATH")}, env...)
	c.Stderr = log
	require.NoError(t, c.Start())
	return c, log
}

func listeningServer(t *testing.T, errorf func(string, ...any)) (s *blazetest.Server, env []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s = testkit.NewServerOn(ln)
	t.Cleanup(s.Close)
	s.Errorf = errorf
	// The race detector sees no order between that and requests of another process, unless both use the server's lock.
	require.Empty(t, s.Pending())
	return s, []string{
		"BLAZE_ENDPOINT= " + s.Config.Endpoints[0] + " ,ws://127.0.0.1:1", "BLAZE_API=" + s.Config.API,
		"BLAZE_KEYSTORE=" + keystoreJSON(t, s.Key),
	}
}

func keystoreJSON(t *testing.T, k blaze.Keystore) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{
		"app_id": k.AppID, "session_id": k.SessionID, "session_private_key": k.SessionPrivateKey,
	})
	require.NoError(t, err)
	return string(text)
}

func exitCode(t *testing.T, c *exec.Cmd) int {
	t.Helper()
	err := c.Wait()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return c.ProcessState.ExitCode()
}

func TestMainDrainsAtASignal(t *testing.T) {
	s, env := listeningServer(t, t.Errorf)
	c, log := startMain(t, "echo", env...)
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")})
	answer, err := s.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, blaze.Text("echo: hi"), answer.Payload)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Zero(t, exitCode(t, c))
	assert.Contains(t, log.String(), "blaze: the bot ended")
	testkit.Idle(t, s)
}

func TestMainEndsAtTheSecondSignal(t *testing.T) {
	s, env := listeningServer(t, t.Errorf)
	c, _ := startMain(t, "stubborn", env...)
	s.Deliver(blazetest.UserID("alice"), blaze.Outgoing{Payload: blaze.Text("hi")})
	assert.Equal(t, -1, exitCode(t, c))
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.True(t, status.Signaled(), status) // SIGTERM; the race detector may crash in the flood of signals
}

func TestExitCodesOfMain(t *testing.T) {
	s, env := listeningServer(t, func(string, ...any) {}) // it would report the token of the stranger
	stranger := s.Key
	stranger.SessionPrivateKey = strings.Repeat("5a", 32)
	for name, tt := range map[string]struct {
		code int
		env  []string
		text string
	}{
		"no keystore":         {2, nil, "BLAZE_KEYSTORE is not set"},
		"a file that is none": {2, []string{"BLAZE_KEYSTORE=/nonexistent/keystore.json"}, "no such file"},
		"an invalid keystore": {2, []string{`BLAZE_KEYSTORE={"app_id":"x"}`}, "session_id"},
		"an invalid endpoint": {2, append(env[1:], "BLAZE_ENDPOINT=blaze"), "Endpoints"},
		"a rejected session":  {3, append(env[:2:2], "BLAZE_KEYSTORE="+keystoreJSON(t, stranger)), "401"},
	} {
		t.Run(name, func(t *testing.T) {
			c, log := startMain(t, "echo", tt.env...)
			assert.Equal(t, tt.code, exitCode(t, c), log)
			assert.Contains(t, log.String(), tt.text)
			assert.NotContains(t, log.String(), stranger.SessionPrivateKey)
		})
	}
}

func TestMainWithoutABotPanics(t *testing.T) {
	assert.PanicsWithValue(t, "blaze: Main: the function is nil", func() { blaze.Main(nil, nil) })
}
