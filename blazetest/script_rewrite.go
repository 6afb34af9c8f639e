package blazetest

import (
	"slices"
	"strings"
)

// rewrite plays the script and returns it with what the bot said. False means that a line cannot be carried out, which
// is reported.
func (p *player) rewrite() (text string, ok bool) {
	var out []string
	for i := 0; i < len(p.lines); {
		end := i
		for end < len(p.lines) && (p.lines[end].bot() || p.lines[end].step == stepComment) {
			end++
		}
		block := p.lines[i:end]
		heard := p.listen(block)
		out = append(out, p.align(block, heard)...)
		if end == len(p.lines) {
			break
		}
		l := &p.lines[end]
		switch {
		case l.step != stepBotNothing:
			if !p.act(l) {
				return "", false
			}
			out = append(out, l.raw)
		case len(heard) == 0 || slices.ContainsFunc(block, func(l scriptLine) bool { return l.bot() }):
			out = append(out, l.raw) // else the bot did say something here, which is written
		}
		i = end + 1
	}
	return strings.Join(out, "\n"), true
}

// listen returns what the bot says at a place in the script: as many messages as there are lines for, if they come in
// time, and what else comes until the bot is idle.
func (p *player) listen(block []scriptLine) []said {
	var heard []said
	for i := range block {
		if !block[i].bot() {
			continue
		}
		m, err := p.next(func(string) bool { return true })
		if err != nil {
			break
		}
		heard = append(heard, m)
	}
	_ = p.idle() // a bot that is not finished in time has said what it has said
	for _, m := range p.unread() {
		p.take(m)
		heard = append(heard, m)
	}
	for _, m := range heard {
		p.remember(m.shown())
	}
	return heard
}

// align returns the lines of a block as they are to be: those that match a message stay, and so do comments.
func (p *player) align(block []scriptLine, heard []said) []string {
	kept := matchLines(block, heard)
	if allMatch(block, heard) {
		return raws(block)
	}
	last := len(block) // behind it there are only comments, which belong to the next step
	for last > 0 && !block[last-1].bot() {
		last--
	}
	var out []string
	next := 0 // of heard
	for i := range block[:last] {
		switch m, keep := kept[i]; {
		case !block[i].bot():
			out = append(out, block[i].raw)
		case keep:
			for ; next < m; next++ {
				out = append(out, p.line(heard[next]))
			}
			out = append(out, block[i].raw)
			next++
		case next < nextKept(kept, i, len(heard)):
			out = append(out, p.line(heard[next]))
			next++
		}
	}
	for ; next < len(heard); next++ {
		out = append(out, p.line(heard[next]))
	}
	return append(out, raws(block[last:])...)
}

// line returns a new line about a message, with the end of line that the file has.
func (p *player) line(m said) string {
	line := written(m.group, m.out.Payload)
	if strings.HasSuffix(p.lines[0].raw, "\r") {
		line += "\r"
	}
	return line
}

func raws(block []scriptLine) []string {
	var out []string
	for i := range block {
		out = append(out, block[i].raw)
	}
	return out
}

// nextKept returns the first message that a line behind i keeps, or otherwise.
func nextKept(kept map[int]int, i, otherwise int) int {
	first := otherwise
	for line, m := range kept {
		if line > i {
			first = min(first, m)
		}
	}
	return first
}

// allMatch reports whether the block is what was said, whatever the order of the conversations among themselves.
func allMatch(block []scriptLine, heard []said) bool {
	left := slices.Clone(heard)
	for i := range block {
		if !block[i].bot() {
			continue
		}
		at := slices.IndexFunc(left, func(m said) bool { return m.group == block[i].group })
		if at < 0 || !block[i].matches(left[at].out.Payload) {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return len(left) == 0
}

// matchLines returns the longest selection of lines that match messages in the same order: the message of each line.
func matchLines(block []scriptLine, heard []said) map[int]int {
	same := func(i, k int) bool {
		return block[i].bot() && block[i].group == heard[k].group && block[i].matches(heard[k].out.Payload)
	}
	longest := make([][]int, len(block)+1) // of the lines from i on and the messages from k on
	for i := range longest {
		longest[i] = make([]int, len(heard)+1)
	}
	for i := len(block) - 1; i >= 0; i-- {
		for k := len(heard) - 1; k >= 0; k-- {
			longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			if same(i, k) {
				longest[i][k] = max(longest[i][k], 1+longest[i+1][k+1])
			}
		}
	}
	kept := map[int]int{}
	for i, k := 0, 0; i < len(block) && k < len(heard); {
		switch {
		case same(i, k) && longest[i][k] == 1+longest[i+1][k+1]:
			kept[i] = k
			i, k = i+1, k+1
		case longest[i+1][k] >= longest[i][k+1]:
			i++
		default:
			k++
		}
	}
	return kept
}
