package testkit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Diary records lines in the order of their events. The zero value is ready. All methods are safe for concurrent use.
type Diary struct {
	mu    sync.Mutex
	lines []string
}

// Add appends a line.
func (d *Diary) Add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// All returns a copy of the lines.
func (d *Diary) All() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// Take returns the lines and removes them.
func (d *Diary) Take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// Count returns the number of lines that contain all texts.
func (d *Diary) Count(texts ...string) (n int) {
	for _, line := range d.All() {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			n++
		}
	}
	return n
}

func (d *Diary) String() string { return strings.Join(d.All(), "\n") }

// Log is a [slog.Handler] that records all levels, each record as a line of text and a line of JSON. It ignores
// attributes and groups of a logger.
type Log struct {
	Diary
	Scan func(record string) // called for each record; may be nil
}

// Enabled implements [slog.Handler].
func (l *Log) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements [slog.Handler].
func (l *Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler].
func (l *Log) WithGroup(string) slog.Handler { return l }

// Handle implements [slog.Handler].
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	var b bytes.Buffer
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	_ = slog.NewTextHandler(&b, opts).Handle(ctx, r)
	_ = slog.NewJSONHandler(&b, opts).Handle(ctx, r)
	if l.Scan != nil {
		l.Scan(b.String())
	}
	l.Add("%s", b.String())
	return nil
}

// Ledger is a blaze.Ledger in memory that records the ids in order. The zero value is ready.
type Ledger struct {
	Diary
}

// Handled implements blaze.Ledger.
func (l *Ledger) Handled(_ context.Context, id string) (bool, error) {
	return slices.Contains(l.All(), id), nil
}

// Record implements blaze.Ledger. If ctx has ended, it records the id and returns the error of ctx.
func (l *Ledger) Record(ctx context.Context, id string) error {
	l.Add("%s", id)
	return ctx.Err()
}
