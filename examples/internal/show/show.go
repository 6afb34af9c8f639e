// Package show is the main function of most examples. If BLAZE_KEYSTORE is set, the bot runs on Mixin Messenger.
// Otherwise a conversation with the bot is played in memory and printed. Your own bot calls blaze.Main instead.
package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// Demo is a bot and a conversation with it.
type Demo struct {
	Bot    func(*blaze.Client) blaze.Handler
	Config func(*blaze.Config)                        // if not nil, changes the configuration of the bot
	Script string                                     // the conversation, in the format of blazetest.Script
	Talk   func(ctx context.Context, st *Stage) error // the conversation in Go, after Script; may be nil
}

// Stage is the server of a Demo. It prints the messages of both sides. It is the blazetest.TB of the bot.
type Stage struct {
	*blazetest.Server
	demo Demo
	w    io.Writer
	look *blaze.Client     // finds names
	stop func()            // ends the bot
	seen map[string]bool   // messages of people that were printed
	name map[string]string // of users and groups, by id

	mu      sync.Mutex
	dir     string // that has the script, as testdata has it in the sources
	lives   int    // of the bot
	settled sync.Cond
	printed int // messages of the bot
	acked   int // messages of people that were printed and acknowledged
	faults  []error
	ends    []func()
}

// Helper implements blazetest.TB.
func (st *Stage) Helper() {}

// Errorf implements blazetest.TB: Play returns the error.
func (st *Stage) Errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.dir != "" {
		text = strings.ReplaceAll(text, st.dir, "testdata")
	}
	st.faults = append(st.faults, errors.New(text))
}

func (st *Stage) failed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.faults) > 0
}

// Logf receives warnings of the bot's Client, for example about a handler that failed.
func (st *Stage) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Cleanup implements blazetest.TB.
func (st *Stage) Cleanup(f func()) { st.ends = append(st.ends, f) }

// Main runs the bot with blaze.Main if BLAZE_KEYSTORE is set. Otherwise it plays the conversation, and exits with 1 if
// something went wrong. It plays in a temporary directory, so that files of the bot are not left behind.
func (d Demo) Main() {
	if os.Getenv("BLAZE_KEYSTORE") != "" {
		var cfg blaze.Config
		if d.Config != nil {
			d.Config(&cfg)
		}
		blaze.Main(&cfg, d.Bot)
	}
	if err := d.main(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (d Demo) main() (err error) {
	dir, err := os.MkdirTemp("", "show-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Chdir(os.TempDir()), os.RemoveAll(dir)) }()
	if err := os.Chdir(dir); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // as main
	defer stop()
	return d.Play(ctx, os.Stdout)
}

// Play plays the conversation with a server in memory and prints it to w.
func (d Demo) Play(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	st := &Stage{Server: blazetest.NewServer(), demo: d, w: w, seen: map[string]bool{}, name: map[string]string{}}
	st.settled.L = &st.mu
	err := st.play(ctx)
	for _, end := range slices.Backward(st.ends) {
		end()
	}
	st.Close()
	return errors.Join(append(st.faults, err)...)
}

func (st *Stage) play(ctx context.Context) error {
	var err error
	if st.look, err = blaze.New(st.Key, &st.Config); err != nil {
		return err
	}
	st.Cleanup(st.look.CloseIdleConnections)
	st.Watch(func(e blazetest.Event) { st.event(ctx, e) })
	st.Start()                                         //nolint:contextcheck // the bot ends with Play
	if err := st.script(); err != nil || st.failed() { //nolint:contextcheck // a line has a timeout of its own
		return err
	}
	if st.demo.Talk != nil {
		if err := st.demo.Talk(ctx, st); err != nil {
			return err
		}
	}
	return st.settle(ctx)
}

// script plays the script from a file, because it is embedded in the program.
func (st *Stage) script() error {
	if st.demo.Script == "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "show-")
	if err != nil {
		return err
	}
	st.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system removes temporary files
	st.mu.Lock()
	st.dir = dir
	st.mu.Unlock()
	path := filepath.Join(dir, "demo.txt")
	if err := os.WriteFile(path, []byte(st.demo.Script), 0o600); err != nil {
		return err
	}
	blazetest.Script(st, st.Server, path)
	return nil
}

// Stop ends the bot. What people write meanwhile waits for the next Start.
func (st *Stage) Stop() { st.stop() }

// Start starts the bot again after Stop.
func (st *Stage) Start() { _, st.stop = blazetest.Run(st, st.Server, st.bot, st.demo.Config) }

// bot returns the handler of the bot for a new process.
func (st *Stage) bot(c *blaze.Client) blaze.Handler {
	st.flush()
	st.mu.Lock()
	if st.lives++; st.lives > 1 {
		st.print("", "(the bot starts again)")
	}
	st.mu.Unlock()
	return st.demo.Bot(c)
}

// Note waits until the bot has handled every message, and prints a remark.
func (st *Stage) Note(ctx context.Context, text string) error {
	if err := st.settle(ctx); err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.print("", "("+text+")")
	return nil
}

// settle waits until the bot has handled every message, and all messages are printed.
func (st *Stage) settle(ctx context.Context) error {
	if err := st.Idle(ctx); err != nil {
		return err
	}
	st.flush()
	return nil
}

// flush waits until the messages so far are printed.
func (st *Stage) flush() {
	sent, acked := len(st.Sent()), len(st.Acked())
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.printed < sent || st.acked < acked {
		st.settled.Wait()
	}
}

// print prints a line: who said it, and a text, of which further lines are indented.
func (st *Stage) print(who, text string) {
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+strings.Repeat(" ", 14))
	fmt.Fprintf(st.w, "  %-11s %s\n", who, text)
}
