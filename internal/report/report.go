// Package report has the parts that the reports of measurements share: the machine, the files, the tables in documents,
// and the main function of their commands.
package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Machine identifies the program and the machine of a run. Reports embed it.
type Machine struct {
	Date      time.Time `json:"date"`
	Commit    string    `json:"commit,omitempty"` // with a plus sign if files were modified
	GoVersion string    `json:"go_version"`
	OS        string    `json:"os"`
	Arch      string    `json:"arch"`
	CPUs      int       `json:"cpus"`
}

// ThisMachine describes a run of this program that began at the given time.
func ThisMachine(began time.Time) Machine {
	return Machine{
		Date: began.UTC().Truncate(time.Second), Commit: commit(),
		GoVersion: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
	}
}

// String returns the Go version, the system and the number of CPUs.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %s/%s, %d CPUs", m.GoVersion, m.OS, m.Arch, m.CPUs)
}

// commit returns the revision that this program was built from, or "" if the build recorded none.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			revision += "+"
		}
	}
	return revision
}

// Read decodes the JSON of a report.
func Read(path string, into any) error {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Write writes the text of a report. It creates the directory if it is missing.
func Write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// Row returns a row of a Markdown table.
func Row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// Grouped inserts commas between groups of three digits of a whole number that is not negative.
func Grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Replace replaces the block of that name in a document. These two lines enclose it, and must occur once each:
//
//	<!-- NAME:begin, written by make NAME-table -->
//	<!-- NAME:end -->
func Replace(document, name, block string) (string, error) {
	begin := fmt.Sprintf("<!-- %s:begin, written by make %s-table -->", name, name)
	end := fmt.Sprintf("<!-- %s:end -->", name)
	before, rest, ok := strings.Cut(document, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed || strings.Count(document, begin) != 1 || strings.Count(document, end) != 1 {
		return "", errors.New("the document must have the lines " + begin + " and " + end + " once each, in this order")
	}
	return before + begin + "\n" + block + end + after, nil
}

// Update replaces the block of that name in a file.
func Update(path, name, block string) error {
	old, err := os.ReadFile(path) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return err
	}
	text, err := Replace(string(old), name, block)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WritePublic(path, text)
}

// WritePublic writes a document that everybody may read.
func WritePublic(path, text string) error {
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // G306: everybody may read it
}

// Main runs a command until it returns or is interrupted. After an error it prints the error and exits with status 1.
func Main(name string, run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // the root of the program
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
