package model

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed *.pml
var sources embed.FS

// Installed returns an error that names the missing program if a search is impossible.
func Installed() error {
	if _, err := exec.LookPath("spin"); err != nil {
		return errors.New("spin is not installed (apt-get install spin)")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		return errors.New("there is no C compiler (apt-get install gcc)")
	}
	return nil
}

// Result is the result of a search.
type Result struct {
	States   int
	Violated Property     // None: every property holds
	Happened map[int]bool // the transitions that happened, by number
}

// Search runs one search to its end. The error is nil if the search ran, whatever its result.
func Search(ctx context.Context, c Config) (Result, error) {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.CopyFS(dir, sources); err != nil {
		return Result{}, err
	}
	// No optimization, because every search takes less time than the optimizer.
	build := []string{"-O0", "-w", "-DMEMLIM=1024", "-o", "pan", "pan.c"}
	search := []string{"-m100000", "-n"}
	if c.Eventually {
		build, search = append(build, "-DNFAIR=4"), append(search, "-a", "-f")
	} else {
		build = append(build, "-DSAFETY")
	}
	if _, err := run(ctx, dir, "spin", append(c.flags(), "-a", "delivery.pml")...); err != nil {
		return Result{}, err
	}
	if _, err := run(ctx, dir, "cc", build...); err != nil {
		return Result{}, err
	}
	out, err := run(ctx, dir, filepath.Join(dir, "pan"), search...)
	if err != nil {
		return Result{}, err
	}
	return parse(out)
}

func run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: the arguments are those of the list
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out.Bytes())
	}
	return out.String(), nil
}

var (
	states    = regexp.MustCompile(`(?m)^\s*(\d+) states, stored`)
	errorsOf  = regexp.MustCompile(`errors: (\d+)`)
	violation = regexp.MustCompile(`pan:\d+: (.*)`)
	number    = regexp.MustCompile(`assertion violated +!\(\(?(\d+)&&`)
	happened  = regexp.MustCompile(`transition (\d+) happened`)
)

// parse parses the output of a search.
func parse(out string) (Result, error) {
	r := Result{Happened: make(map[int]bool)}
	counts, found := states.FindStringSubmatch(out), errorsOf.FindStringSubmatch(out)
	if counts == nil || found == nil {
		return r, fmt.Errorf("the search printed no result:\n%s", out)
	}
	r.States, _ = strconv.Atoi(counts[1])
	for _, m := range happened.FindAllStringSubmatch(out, -1) {
		n, _ := strconv.Atoi(m[1])
		r.Happened[n] = true
	}
	if found[1] != "0" {
		r.Violated = violatedBy(out)
		return r, nil
	}
	for _, sign := range []string{"Search not completed", "too small", "out of memory", "aborting", "resource limits"} {
		if strings.Contains(out, sign) {
			return r, fmt.Errorf("the search did not visit every state (%s):\n%s", sign, out)
		}
	}
	return r, nil
}

// violatedBy returns the property that the output reports as violated.
func violatedBy(out string) Property {
	why := violation.FindStringSubmatch(out)
	if why == nil {
		return unknown
	}
	if strings.Contains(why[1], "acceptance cycle") {
		return Served
	}
	if n := number.FindStringSubmatch(why[1]); n != nil {
		p, _ := strconv.Atoi(n[1])
		if _, named := properties[Property(p)]; named {
			return Property(p)
		}
	}
	return unknown
}
