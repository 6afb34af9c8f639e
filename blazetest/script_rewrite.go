package blazetest

import (
	"slices"
	"strings"
)

// rewrite plays the script and returns it with the bot's messages. It returns false, and reports the line, if a line
// cannot be executed.
func (p *player) rewrite() (text string, ok bool) {
	var out []string
	for i := 0; i < len(p.lines); {
		end := i
		for end < len(p.lines) && (p.lines[end].bot() || p.lines[end].step == stepComment) {
			end++
		}
		block := p.lines[i:end]
		received := p.listen(block)
		out = append(out, p.align(block, received)...)
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
		case len(received) == 0 || slices.ContainsFunc(block, func(l scriptLine) bool { return l.bot() }):
			out = append(out, l.raw) // otherwise the bot sent messages here, which replace the line
		}
		i = end + 1
	}
	return strings.Join(out, "\n"), true
}

// listen returns the bot's messages for a block of lines: at least one for each line if they arrive in time, and all
// others until the bot is idle.
func (p *player) listen(block []scriptLine) []botMessage {
	var received []botMessage
	for i := range block {
		if !block[i].bot() {
			continue
		}
		m, err := p.next(func(string) bool { return true })
		if err != nil {
			break
		}
		received = append(received, m)
	}
	_ = p.idle() // if the bot is not idle in time, use the messages so far
	for _, m := range p.unread() {
		p.take(m)
		received = append(received, m)
	}
	for _, m := range received {
		p.remember(m.shown())
	}
	return received
}

// align returns the updated lines of a block. Comments and matching lines stay unchanged.
func (p *player) align(block []scriptLine, received []botMessage) []string {
	kept := matchLines(block, received)
	if allMatch(block, received) {
		return raws(block)
	}
	last := len(block) // only comments follow, which belong to the next step
	for last > 0 && !block[last-1].bot() {
		last--
	}
	var out []string
	next := 0 // index into received
	for i := range block[:last] {
		switch m, keep := kept[i]; {
		case !block[i].bot():
			out = append(out, block[i].raw)
		case keep:
			for ; next < m; next++ {
				out = append(out, p.line(received[next]))
			}
			out = append(out, block[i].raw)
			next++
		case next < nextKept(kept, i, len(received)):
			out = append(out, p.line(received[next]))
			next++
		}
	}
	for ; next < len(received); next++ {
		out = append(out, p.line(received[next]))
	}
	return append(out, raws(block[last:])...)
}

// line returns a new line for a message, with the line break of the file.
func (p *player) line(m botMessage) string {
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

// nextKept returns the first message that is matched by a line after i, or otherwise if there is none.
func nextKept(kept map[int]int, i, otherwise int) int {
	first := otherwise
	for line, m := range kept {
		if line > i {
			first = min(first, m)
		}
	}
	return first
}

// allMatch reports whether the block matches all messages. The order between conversations is ignored.
func allMatch(block []scriptLine, received []botMessage) bool {
	left := slices.Clone(received)
	for i := range block {
		if !block[i].bot() {
			continue
		}
		at := slices.IndexFunc(left, func(m botMessage) bool { return m.group == block[i].group })
		if at < 0 || !block[i].matches(left[at].out.Payload) {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return len(left) == 0
}

// matchLines returns the longest selection of lines that match messages in the same order: index of the line to index
// of the message.
func matchLines(block []scriptLine, received []botMessage) map[int]int {
	same := func(i, k int) bool {
		return block[i].bot() && block[i].group == received[k].group && block[i].matches(received[k].out.Payload)
	}
	longest := make([][]int, len(block)+1) // for the lines from i on and the messages from k on
	for i := range longest {
		longest[i] = make([]int, len(received)+1)
	}
	for i := len(block) - 1; i >= 0; i-- {
		for k := len(received) - 1; k >= 0; k-- {
			longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			if same(i, k) {
				longest[i][k] = max(longest[i][k], 1+longest[i+1][k+1])
			}
		}
	}
	kept := map[int]int{}
	for i, k := 0, 0; i < len(block) && k < len(received); {
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
