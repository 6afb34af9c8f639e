package arch

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/mixin-blaze/blaze/internal/mutants"
)

// The glossary in CONTRIBUTING.md lists terms that must not be used in the last column of its table. Terms with a star
// are everyday words, too, and are left to reviewers.
func TestTheGlossaryIsFollowed(t *testing.T) {
	avoid := avoided(t)
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var s scanner.Scanner
		files := token.NewFileSet()
		s.Init(files.AddFile(path, -1, len(text)), text, nil, scanner.ScanComments)
		for {
			pos, kind, literal := s.Scan()
			if kind == token.EOF {
				break
			}
			switch {
			case kind == token.IDENT:
				literal = splitWords(literal)
			case strings.HasPrefix(literal, "//mutant:"):
				literal = strings.ReplaceAll(literal, "-", " ")
			case kind != token.COMMENT:
				continue
			}
			if found := avoid.FindString(literal); found != "" {
				t.Errorf("%s: %q: see the glossary in CONTRIBUTING.md", files.Position(pos), found)
			}
		}
	}
}

func TestTheNamesOfMutantsFollowTheGlossary(t *testing.T) {
	avoid := avoided(t)
	for _, m := range mutants.All {
		if found := avoid.FindString(m.Name); found != "" {
			t.Errorf("mutant %q: %q: see the glossary in CONTRIBUTING.md", m.Name, found)
		}
	}
}

// avoided returns a regular expression of the terms in the last column of the glossary, without those with a star.
func avoided(t *testing.T) *regexp.Regexp {
	t.Helper()
	var terms []string
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, glossary, _ := strings.Cut(string(text), "## Glossary")
	glossary, _, _ = strings.Cut(glossary, "\n## ")
	for line := range strings.Lines(glossary) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.Contains(cells[2], "---") || strings.TrimSpace(cells[2]) == "not" {
			continue
		}
		for term := range strings.SplitSeq(cells[2], ",") {
			if term = strings.TrimSpace(term); term != "" && !strings.HasSuffix(term, `\*`) {
				terms = append(terms, regexp.QuoteMeta(term))
			}
		}
	}
	if len(terms) < 10 {
		t.Fatalf("the glossary has %d terms to avoid", len(terms))
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(terms, "|") + `)\b`)
}

// splitWords splits a Go name into its words.
func splitWords(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// goFiles returns all Go files of this module and the modules below it.
func goFiles(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (d.Name()[0] == '.' || d.Name() == "bin" || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
