package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// Environment of a child process.
const (
	childEndpoint = "BLAZE_FAULTS_ENDPOINT"
	childKey      = "BLAZE_FAULTS_KEY"
	childHangs    = "BLAZE_FAULTS_HANGS" // its handler does not return
)

// child runs a bot in a process of its own. The bot replies to every message and ends when standard input is closed.
func child() int {
	key, err := blaze.ParseKeystore([]byte(os.Getenv(childKey)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c, err := blaze.New(key, &blaze.Config{
		Endpoints: []string{os.Getenv(childEndpoint)}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = c.Run(ctx, blaze.On(func(ctx context.Context, m *blaze.Message, text blaze.Text) error {
		if err := c.Reply(ctx, m, blaze.Text("failed, trying again")); err != nil {
			return err
		}
		if err := c.Reply(ctx, m, "echo: "+text); err != nil {
			return err
		}
		if os.Getenv(childHangs) != "" {
			<-ctx.Done()
		}
		return nil
	}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A process is killed between its replies and the acknowledgement. After a restart it sends the same replies, and the
// server stores each once.
func TestKilledBetweenReplyAndAck(t *testing.T) {
	b, _ := overTCP(t)
	id := b.deliver("hello")
	first := b.spawn(childHangs + "=1")
	for range 2 {
		_, err := b.s.Next(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, first.cmd.Process.Kill())
	require.Error(t, first.cmd.Wait())
	b.canary.look(t, "log lines", first.stderr.String())
	require.Equal(t, []string{id}, b.s.Pending(), "the handler had not returned")
	require.Len(t, b.s.Sent(), 2)
	answers := b.s.Sent()

	second := b.spawn()
	require.NoError(t, b.s.Idle(t.Context()))
	require.NoError(t, second.stdin.Close())
	require.NoError(t, second.cmd.Wait(), second.stderr.String())
	b.canary.look(t, "log lines", second.stderr.String())
	assert.Equal(t, answers, b.s.Sent())
	assert.Equal(t, []string{id}, b.s.Acked())
	assert.Equal(t, blaze.Text("failed, trying again"), answers[0].Payload)
	assert.Equal(t, blaze.Text("echo: hello"), answers[1].Payload)
}

type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *bytes.Buffer
}

// spawn starts this test binary as a bot.
func (b *bench) spawn(env ...string) *process {
	b.t.Helper()
	key, err := json.Marshal(map[string]string{
		"app_id": b.s.Key.AppID, "session_id": b.s.Key.SessionID, "session_private_key": b.s.Key.SessionPrivateKey,
	})
	require.NoError(b.t, err)
	p := &process{cmd: exec.CommandContext(b.t.Context(), os.Args[0], "-test.run=^$"), stderr: new(bytes.Buffer)}
	p.cmd.Env = append(append(os.Environ(), childEndpoint+"="+b.s.Config.Endpoints[0], childKey+"="+string(key)),
		env...)
	p.cmd.Stderr = p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, p.cmd.Start())
	return p
}
