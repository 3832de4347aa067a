package enginetest

import (
	"cmp"
	"slices"
)

// Oracle runs a block the simplest way there is: with functions that call each other
// and a list of what is open. It knows nothing of tokens, records or the engine.
type Oracle struct {
	V     int // the variable that conditions read
	Ended string

	now  int // hours
	made int
	open []*leaf
}

// leaf is a job or a timer that somebody waits for.
type leaf struct {
	number int
	job    string // element of a job
	due    int    // of a timer
	in     *frame
	done   func()
}

// frame is an instance within which others lie.
type frame struct {
	out   *frame
	over  bool
	code  string // of the error that broken takes
	catch func()
}

// NewOracle begins a block.
func NewOracle(b Block, v int) *Oracle {
	o := &Oracle{V: v}
	root := &frame{}
	b.begin(o, root, func() { o.end("completed") })
	return o
}

func (o *Oracle) end(how string) {
	if o.Ended == "" {
		o.Ended, o.open = how, nil
	}
}

// Jobs lists the elements whose jobs are open.
func (o *Oracle) Jobs() []string {
	var all []string
	for _, l := range o.open {
		if l.job != "" {
			all = append(all, l.job)
		}
	}
	slices.Sort(all)
	return all
}

// Complete ends the first open job of an element.
func (o *Oracle) Complete(id string) {
	if l := o.first(id); l != nil {
		o.drop(l)
		l.done()
	}
}

// Break throws an error from the first open job of an element. It says whether
// somebody catches it; where nobody does, nothing happens.
func (o *Oracle) Break(id, code string) bool {
	l := o.first(id)
	return l != nil && o.throw(l.in, code)
}

func (o *Oracle) first(id string) *leaf {
	i := slices.IndexFunc(o.open, func(l *leaf) bool { return l.job == id })
	if i < 0 {
		return nil
	}
	return o.open[i]
}

// Pass lets hours go by.
func (o *Oracle) Pass(n int) {
	until := o.now + n
	for o.Ended == "" {
		var due []*leaf
		for _, l := range o.open {
			if l.job == "" && l.due <= until {
				due = append(due, l)
			}
		}
		if len(due) == 0 {
			break
		}
		first := slices.MinFunc(due, func(a, b *leaf) int { return cmp.Or(a.due-b.due, a.number-b.number) })
		o.now = first.due
		o.drop(first)
		first.done()
	}
	o.now = until
}

func (o *Oracle) drop(l *leaf) {
	o.open = slices.DeleteFunc(o.open, func(other *leaf) bool { return other == l })
}

func (o *Oracle) wait(l *leaf) *leaf {
	o.made++
	l.number = o.made
	o.open = append(o.open, l)
	return l
}

// kill ends everything within a frame.
func (o *Oracle) kill(f *frame) {
	f.over = true
	o.open = slices.DeleteFunc(o.open, func(l *leaf) bool { return l.in.within(f) })
}

func (f *frame) within(other *frame) bool {
	for ; f != nil; f = f.out {
		if f == other {
			return true
		}
	}
	return false
}

// alive wraps what happens later in a frame that may be over by then.
func alive(f *frame, fn func()) func() {
	return func() {
		for at := f; at != nil; at = at.out {
			if at.over {
				return
			}
		}
		fn()
	}
}

func (o *Oracle) throw(in *frame, code string) bool {
	for f := in; f != nil; f = f.out {
		if f.catch != nil && f.code == code {
			f.catch()
			return true
		}
	}
	return false
}

func (t Task) begin(o *Oracle, in *frame, done func()) {
	own := &frame{out: in}
	o.wait(&leaf{job: t.ID, in: own, done: alive(in, func() { o.kill(own); done() })})
	if t.Limit > 0 {
		o.wait(&leaf{due: o.now + t.Limit, in: own, done: alive(in, func() { o.kill(own); t.Late.begin(o, in, done) })})
	}
}

func (s Seq) begin(o *Oracle, in *frame, done func()) {
	if len(s) == 0 {
		done()
		return
	}
	s[0].begin(o, in, alive(in, func() { s[1:].begin(o, in, done) }))
}

func (p Par) begin(o *Oracle, in *frame, done func()) { all(o, in, p, done) }

// all begins blocks at once and waits for each.
func all(o *Oracle, in *frame, blocks []Block, done func()) {
	left := len(blocks)
	for _, b := range blocks {
		b.begin(o, in, alive(in, func() {
			if left--; left == 0 {
				done()
			}
		}))
	}
}

func (e Each) begin(o *Oracle, in *frame, done func()) {
	one := Task{ID: e.ID}
	blocks := slices.Repeat([]Block{one}, e.N)
	if e.Sequential {
		Seq(blocks).begin(o, in, done)
		return
	}
	if e.N == 0 {
		done()
		return
	}
	all(o, in, blocks, done)
}

func (e Either) begin(o *Oracle, in *frame, done func()) {
	if o.V < e.Below {
		e.Then.begin(o, in, done)
		return
	}
	e.Not.begin(o, in, done)
}

func (s Sub) begin(o *Oracle, in *frame, done func()) {
	sub := &frame{out: in}
	left := 1
	finish := func() {
		if left--; left == 0 {
			o.kill(sub)
			done()
		}
	}
	body := &frame{out: sub}
	if s.Code != "" {
		catcher := sub
		if s.Inside {
			catcher = body
		}
		catcher.code = s.Code
		catcher.catch = func() {
			if !s.Inside {
				o.kill(sub)
				s.Broken.begin(o, in, done)
				return
			}
			o.kill(body)
			left = 1
			s.Broken.begin(o, sub, alive(sub, finish))
		}
	}
	if s.Every > 0 {
		o.wait(&leaf{due: o.now + s.Every, in: body, done: alive(body, func() {
			left++
			s.Beside.begin(o, body, alive(body, finish))
		})})
	}
	s.Body.begin(o, body, alive(body, finish))
}

// begin treats a call as a sub-process: that is what it is like from outside.
func (c Call) begin(o *Oracle, in *frame, done func()) {
	Sub{ID: c.ID, Body: c.Body, Code: c.Code, Broken: c.Broken}.begin(o, in, done)
}

func (r Race) begin(o *Oracle, in *frame, done func()) {
	own := &frame{out: in}
	over := func() { o.kill(own); done() }
	left := len(r.Ways)
	for i, b := range r.Ways {
		if own.over {
			return
		}
		b.begin(o, own, alive(own, func() {
			if left--; left == 0 || i == 0 {
				over()
			}
		}))
	}
}

func (t Throw) begin(o *Oracle, in *frame, _ func()) {
	if !o.throw(in, t.Code) {
		o.end("failed")
	}
}
