package bench

import (
	"fmt"
	"strings"
)

// Measures of the chart, in pixels.
const (
	chartWidth  = 720
	labelWidth  = 130 // left of the bars
	valueWidth  = 150 // right of the longest bar
	barHeight   = 16
	barGap      = 4
	groupGap    = 12
	panelGap    = 40
	chartMargin = 16
)

// bar is one rate, relative to naive.
type bar struct {
	contender string
	times     float64
	perSecond float64
}

// group has the bars of one scenario.
type group struct {
	label string
	bars  []bar
}

// colors has the colors of the bars. Each bar has its name too, so a reader can distinguish them without color.
var colors = map[string]string{Ours: "#2563eb", Naive: "#9ca3af", Inflate: "#a7c4f5"}

// names has the names of the bars.
var names = map[string]string{Ours: "blaze", Naive: "naive", Inflate: "inflating only"}

// Chart returns the rates relative to naive as SVG. It has a background of its own, and needs no font or script.
func (r *Report) Chart() string {
	panels := []struct {
		title  string
		groups []group
	}{
		{"Messages received a second, relative to naive", []group{
			r.group("80 B", Receive80, Ours, Naive, Inflate), r.group("1 KB", Receive1K, Ours, Naive, Inflate),
			r.group("100 KB", Receive100K, Ours, Naive, Inflate),
		}},
		{"Messages sent and confirmed a second, relative to naive", []group{
			r.group("1 caller", Send1, Ours, Naive), r.group("16 callers", Send16, Ours, Naive),
			r.group("256 callers", Send256, Ours, Naive),
		}},
	}
	var b strings.Builder
	y := chartMargin + 14
	for _, p := range panels {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", chartMargin, y, p.title)
		y = drawPanel(&b, p.groups, y+groupGap) + panelGap
	}
	height := y - panelGap + chartMargin
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" `+
		`font-family="sans-serif" font-size="13" fill="#111827" role="img">`+"\n"+
		"<title>How fast, relative to naive</title>\n"+
		`<rect width="%d" height="%d" rx="6" fill="#ffffff" stroke="#d1d5db"/>`+"\n%s</svg>\n",
		chartWidth, height, chartWidth, height, chartWidth, height, b.String())
}

// group returns the bars of some contenders.
func (r *Report) group(label, scenario string, contenders ...string) group {
	g := group{label: label}
	for _, c := range contenders {
		times := r.ratio(key{scenario, c}, key{scenario, Naive}, perSecond)
		g.bars = append(g.bars, bar{c, times, r.median(scenario, c, perSecond)})
	}
	return g
}

// drawPanel draws groups from top to bottom, and returns the end of the last one.
func drawPanel(b *strings.Builder, groups []group, y int) int {
	longest := 1.0
	for _, g := range groups {
		for _, bar := range g.bars {
			longest = max(longest, bar.times)
		}
	}
	scale := (chartWidth - labelWidth - valueWidth - chartMargin) / longest
	for _, g := range groups {
		fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", chartMargin, y+barHeight-4, g.label)
		for _, bar := range g.bars {
			width := bar.times * scale
			fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`,
				labelWidth, y, width, barHeight, colors[bar.contender])
			fmt.Fprintf(b, `<text x="%.1f" y="%d" font-size="11">%s %s × (%s/s)</text>`+"\n",
				labelWidth+width+6, y+barHeight-4, names[bar.contender], number(bar.times), number(bar.perSecond))
			y += barHeight + barGap
		}
		y += groupGap
	}
	return y - groupGap
}
