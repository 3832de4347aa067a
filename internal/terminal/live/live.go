// Package live draws a run in a terminal while it goes: a tree of its steps with
// bars, redrawn in place. Where the output is no terminal it writes a line for
// each step that ends.
package live

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"sextant/sdk/go/client"
)

const (
	barWidth  = 16
	nameWidth = 38
)

// View is the picture of one run. It is not safe for concurrent use.
type View struct {
	out io.Writer
	// Terminal redraws in place, with colours.
	terminal bool
	// Footer is drawn below the tree; may be nil.
	Footer func() string

	run   client.ProcessRun
	steps []*client.ProcessStep
	by    map[string]*client.ProcessStep
	drawn int
	told  map[string]string
	size  Size
}

// Size is that of a terminal in characters; zero fields are not known.
type Size struct{ Width, Height int }

// New makes a picture: one that is redrawn in place on a terminal, lines
// elsewhere.
func New(out io.Writer, terminal bool, size Size) *View {
	return &View{out: out, terminal: terminal, by: map[string]*client.ProcessStep{}, told: map[string]string{}, size: size}
}

// Take takes an update in and redraws.
func (v *View) Take(u client.Update, now time.Time) {
	v.run = u.Run
	for i := range u.Steps {
		s := &u.Steps[i]
		if known := v.by[s.Key]; known != nil {
			*known = *s
			continue
		}
		v.by[s.Key] = s
		v.steps = append(v.steps, s)
	}
	if v.terminal {
		v.Draw(now)
		return
	}
	v.tell()
}

// Waiting gives the user tasks and incidents that hold the run.
func (v *View) Waiting() (tasks, incidents []*client.ProcessStep) {
	for _, s := range v.steps {
		switch {
		case s.State == "incident":
			incidents = append(incidents, s)
		case s.State == "active" && s.Type == "user":
			tasks = append(tasks, s)
		}
	}
	return tasks, incidents
}

// Steps gives all steps in the order in which they began.
func (v *View) Steps() []*client.ProcessStep { return v.steps }

// Draw redraws the tree.
func (v *View) Draw(now time.Time) {
	if !v.terminal || v.run.Key == "" {
		return
	}
	lines := v.lines(now)
	if most := v.size.Height - 2; v.size.Height > 4 && len(lines) > most {
		// The end is where things happen.
		lines = append(lines[:1:1], lines[len(lines)-most+1:]...)
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", v.drawn)
	}
	for _, l := range lines {
		b.WriteString(clip(l, v.size.Width) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	v.drawn = len(lines)
	_, _ = io.WriteString(v.out, b.String()) // a terminal that is gone needs no picture
}

func (v *View) lines(now time.Time) []string {
	lines := []string{v.head(now)}
	kids := v.children()
	for _, s := range kids[""] {
		lines = v.branch(lines, s, kids, line{depth: 1, now: now})
	}
	if v.Footer != nil {
		if text := v.Footer(); text != "" {
			lines = append(lines, "", text)
		}
	}
	return lines
}

func (v *View) head(now time.Time) string {
	end := now
	if !v.run.Ended.IsZero() {
		end = v.run.Ended
	}
	title := v.run.Title
	if title == "" {
		title = v.run.Process
	}
	return fmt.Sprintf("%s %s  %s", mark(string(v.run.State)), bold(harmless(title)),
		dim(fmt.Sprintf("run %s · %s · %s", v.run.Key, v.run.State, clockText(end.Sub(v.run.Started)))))
}

// shown reports whether a step says something to people: gateways and plain
// events only pass.
func shown(s *client.ProcessStep) bool {
	switch s.Type {
	case "service", "user", "subprocess", "script", "decision", "timer", "message", "boundary":
		return true
	}
	return s.State == "incident"
}

func (v *View) children() map[string][]*client.ProcessStep {
	kids := map[string][]*client.ProcessStep{}
	for _, s := range v.steps {
		if shown(s) {
			kids[s.Parent] = append(kids[s.Parent], s)
		}
	}
	return kids
}

// line is where a branch is drawn.
type line struct {
	depth int
	now   time.Time
}

func (v *View) branch(lines []string, s *client.ProcessStep, kids map[string][]*client.ProcessStep, at line) []string {
	lines = append(lines, row(s, at, len(kids[s.Key])))
	// What was done well is folded, so that the eye finds what goes on.
	if s.State == "completed" && s.Index > 0 {
		return lines
	}
	at.depth++
	for _, kid := range kids[s.Key] {
		lines = v.branch(lines, kid, kids, at)
	}
	return lines
}

func row(s *client.ProcessStep, at line, kids int) string {
	name := label(s)
	indent := strings.Repeat("  ", at.depth)
	pad := max(1, nameWidth-len([]rune(indent+name)))
	text := indent + mark(string(s.State)) + " " + name + strings.Repeat(" ", pad)
	switch {
	case s.Rows.Total > 0:
		text += bar(s.Rows) + fmt.Sprintf(" %d/%d", done(s.Rows), s.Rows.Total)
	case s.Type == "user" && s.State == "active":
		text += yellow("waits for a person")
	default:
		text += strings.Repeat(" ", barWidth+4)
	}
	end := at.now
	if !s.Left.IsZero() {
		end = s.Left
	}
	text += "  " + dim(shortText(end.Sub(s.Entered)))
	if s.Message != "" && (s.State == "incident" || s.State == "terminated" || s.State == "skipped") {
		text += "  " + red(Short(s.Message))
	}
	return text
}

func label(s *client.ProcessStep) string {
	name := s.Name
	if name == "" {
		name = s.Element
	}
	if s.Index > 0 {
		name = fmt.Sprintf("%s · %d", name, s.Index)
	}
	return harmless(name)
}

// harmless takes out what a terminal would obey: names and messages come from
// elsewhere.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}

func done(r client.ProcessRows) int64 {
	var n int64
	for _, c := range r.Outcomes {
		n += c
	}
	return n
}

func bar(r client.ProcessRows) string {
	full := int(r.Percent) * barWidth / 100
	text := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	switch {
	case r.Outcomes["failed"]+r.Outcomes["unknown"]+r.Outcomes["timed_out"]+r.Outcomes["cancelled"] > 0:
		return red(text)
	case r.Percent == 100:
		return green(text)
	}
	return text
}

// tell writes a line for each step that changed its state.
func (v *View) tell() {
	for _, s := range v.steps {
		if !shown(s) || v.told[s.Key] == string(s.State) || s.State == "active" && s.Type != "user" {
			continue
		}
		v.told[s.Key] = string(s.State)
		text := fmt.Sprintf("%-10s %s", s.State, v.place(s))
		if s.Rows.Total > 0 {
			text += fmt.Sprintf("  %d/%d", s.Rows.Outcomes["ok"]+s.Rows.Outcomes["skipped"], s.Rows.Total)
		}
		if !s.Left.IsZero() {
			text += "  " + shortText(s.Left.Sub(s.Entered))
		}
		if s.Message != "" && s.State != "completed" {
			text += "  " + Short(s.Message)
		}
		_, _ = fmt.Fprintln(v.out, text) // nobody reads if this fails
	}
}

// place is the names of a step and of those around it.
func (v *View) place(s *client.ProcessStep) string {
	name := label(s)
	if around := v.by[s.Parent]; around != nil {
		return v.place(around) + " › " + name
	}
	return name
}

// Short is the first line of a text, cut where it is long.
func Short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s = harmless(s)
	if r := []rune(s); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return s
}

func clockText(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func shortText(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return clockText(d)
}

// clip cuts a line to the width of the terminal, so that it stays one line;
// colours take no room.
func clip(text string, width int) string {
	if width <= 0 {
		return text
	}
	n, colour := 0, false
	for i, r := range text {
		switch {
		case r == '\x1b':
			colour = true
		case colour:
			colour = r != 'm'
		case n == width-1:
			return text[:i] + "…\x1b[0m"
		default:
			n++
		}
	}
	return text
}

func mark(state string) string {
	switch state {
	case "completed":
		return green("✔")
	case "failed", "incident":
		return red("✖")
	case "terminated", "cancelled":
		return yellow("◌")
	case "skipped":
		return yellow("→")
	}
	return blue("●")
}

func colour(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
func green(s string) string        { return colour("32", s) }
func red(s string) string          { return colour("31", s) }
func yellow(s string) string       { return colour("33", s) }
func blue(s string) string         { return colour("34", s) }
func bold(s string) string         { return colour("1", s) }
func dim(s string) string          { return colour("2", s) }
