// Command mutants builds the library with one bug at a time, runs the test that must catch it, and prints how many were
// caught. A test that hangs catches nothing. The command exits with 1 if a mutant was not caught or does not build, or
// if a test fails without a mutant. Run it at the root of the module.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/mixin-blaze/blaze/internal/mutants"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("run", "", "regular expression: only the mutants with such a name")
	verbose := flag.Bool("v", false, "print what the tests print")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := runner{dir: dir, verbose: *verbose, sound: make(map[mutants.Test]bool)}
	for _, m := range mutants.All {
		if wanted.MatchString(m.Name) {
			if err := r.judge(ctx, m); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d of %d mutants caught\n", r.caught, r.judged)
	if r.caught < r.judged {
		return errors.New("the tests let a broken build pass")
	}
	return nil
}

type runner struct {
	dir     string
	verbose bool
	sound   map[mutants.Test]bool // passes in the real build

	judged, caught int
}

// judge runs the test of one mutant. It runs the test without the mutant first: a test that fails there catches
// nothing.
func (r *runner) judge(ctx context.Context, m mutants.Mutant) error {
	if !r.sound[m.By] {
		passed, out, err := r.test(ctx, m.By)
		if err == nil && !passed {
			err = fmt.Errorf("%v fails in a build that is not broken:\n%s", m.By, out)
		}
		if err != nil {
			return err
		}
		r.sound[m.By] = true
	}
	overlay, err := r.overlay(m)
	if err != nil {
		return err
	}
	began := time.Now()
	passed, out, err := r.test(ctx, m.By, "-overlay="+overlay)
	if ctx.Err() != nil {
		return err
	}
	r.judged++
	verdict := "caught"
	switch {
	case err != nil: // continue with the others
		verdict = "NOT BUILT"
		fmt.Fprintln(os.Stderr, err)
	case passed:
		verdict = "NOT CAUGHT"
	case hung.Match(out):
		verdict = "HUNG"
	default:
		r.caught++
	}
	fmt.Printf("%-10s  %3.0f s  %s, by %v\n", verdict, time.Since(began).Seconds(), m.Name, m.By)
	if r.verbose {
		fmt.Printf("%s\n", out)
	}
	return nil
}

// overlay writes the changed file, and the overlay file that makes go test read it instead of the original.
func (r *runner) overlay(m mutants.Mutant) (string, error) {
	root, err := filepath.Abs(".")
	if err != nil {
		return "", err
	}
	path, text, err := m.Apply(root)
	if err != nil {
		return "", err
	}
	broken, overlay := filepath.Join(r.dir, "broken.go"), filepath.Join(r.dir, "overlay.json")
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		return "", err
	}
	replace := map[string]map[string]string{"Replace": {path: broken}}
	list, err := json.Marshal(replace)
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// notBuilt matches the output of go test if it could not run a test.
var notBuilt = regexp.MustCompile(`\[(build|setup) failed\]|no tests to run|no test files`)

// hung matches the output of a test that timed out.
var hung = regexp.MustCompile(`panic: test timed out after`)

// test runs one test and reports whether it passed. It is an error if the test could not be run.
func (r *runner) test(ctx context.Context, t mutants.Test, flags ...string) (passed bool, out []byte, err error) {
	// Vet might reject the intended bug.
	args := []string{"test", "-count=1", "-vet=off", "-timeout=" + t.Timeout.String(), "-tags=" + t.Tags}
	args = append(append(args, flags...), "-run="+t.Run, t.Package)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // G204: the arguments are those of the list
	cmd.Env = append(os.Environ(), "SOAK_FAIL_FAST=1")
	// The test is a child of the go command.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 5*time.Second
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, nil, ctx.Err()
	case notBuilt.Match(text.Bytes()):
		return false, nil, fmt.Errorf("nothing was run:\n%s", text.Bytes())
	case err == nil:
		return true, text.Bytes(), nil
	case errors.As(err, &exit):
		return false, text.Bytes(), nil
	}
	return false, nil, err
}
