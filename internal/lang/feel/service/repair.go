package service

import "strings"

// hole stands in a repaired text where something is missing.
const hole = "hole__"

// frame is something that was begun and is not closed: a bracket, or a word such
// as if that wants others behind it.
type frame struct {
	word  string
	value bool // { behind a colon; for, some, every behind in
	dots  bool // a bracket of a range
}

// place is what is open before a place of a text.
type place struct {
	open   []frame
	last   token // the token before
	before token // and the one before that
	any    bool  // there is a token before
	params bool  // the last token closes the parameters of a function
}

func (p *place) top() *frame {
	if len(p.open) == 0 {
		return &frame{}
	}
	return &p.open[len(p.open)-1]
}

func (p *place) push(word string) { p.open = append(p.open, frame{word: word}) }

// pop closes the innermost of some words, and what is open within it.
func (p *place) pop(words string) bool {
	for i := len(p.open) - 1; i >= 0; i-- {
		if strings.Contains(words, " "+p.open[i].word+" ") {
			p.open = p.open[:i]
			return true
		}
		if strings.Contains(" ( [ { ] params ", " "+p.open[i].word+" ") {
			return false
		}
	}
	return false
}

// bracket closes the innermost bracket.
func (p *place) bracket(words string) bool {
	for i := len(p.open) - 1; i >= 0; i-- {
		if strings.Contains(words, " "+p.open[i].word+" ") {
			params := p.open[i].word == "params"
			p.open = p.open[:i]
			return params
		}
	}
	return false
}

// survey finds out what is open behind some tokens.
func survey(all []token) *place {
	p := &place{}
	for i, t := range all {
		closes := p.any && p.last.endsValue()
		params := false
		switch {
		case p.any && p.last.is("."): // a member, whatever it is called
		case t.kind == tokenName:
			p.word(t.text, typeAnd(all, i))
		case t.kind == tokenOp:
			params = p.sign(t.text, closes)
		}
		p.before, p.last, p.any, p.params = p.last, t, true, params
	}
	return p
}

// typeAnd tells the "and" of "date and time" from the operator.
func typeAnd(all []token, i int) bool {
	if i == 0 || i+1 >= len(all) {
		return false
	}
	switch all[i-1].text + " " + all[i+1].text {
	case "date time", "days time", "years months":
		return true
	}
	return false
}

func (p *place) word(word string, name bool) {
	switch word {
	case "if", "for", "some", "every", "between":
		p.push(word)
	case "then":
		if p.pop(" if ") {
			p.push(word)
		}
	case "else":
		p.pop(" then ")
	case "return":
		p.pop(" for ")
	case "satisfies":
		p.pop(" some every ")
	case "in":
		if f := p.top(); f.word == "for" || f.word == "some" || f.word == "every" {
			f.value = true
		}
	case "and":
		if !name && p.top().word == "between" {
			p.open = p.open[:len(p.open)-1]
		}
	}
}

// sign takes an operator; it reports whether that closes parameters.
func (p *place) sign(sign string, closes bool) (params bool) {
	switch sign {
	case "(":
		if p.any && p.last.is("function") {
			p.push("params")
		} else {
			p.push(sign)
		}
	case "[":
		if f := p.top(); closes && f.dots {
			p.open = p.open[:len(p.open)-1]
		} else {
			p.push(sign)
		}
	case "{":
		p.push(sign)
	case ")":
		return p.bracket(" ( params ")
	case "]":
		if closes {
			p.bracket(" [ ] ")
		} else {
			p.push(sign)
		}
	case "}":
		p.bracket(" { ")
	case "..":
		p.top().dots = true
	case ":":
		if f := p.top(); f.word == "{" || f.word == "params" {
			f.value = true
		}
	case ",":
		p.comma()
	}
	return false
}

// comma ends what stands between brackets, or one of several iterators.
func (p *place) comma() {
	for len(p.open) > 0 {
		switch f := p.top(); f.word {
		case "for", "some", "every", "{", "params":
			f.value = false
			return
		case "(", "[", "]":
			return
		}
		p.open = p.open[:len(p.open)-1]
	}
}

// closing is what closes all that is open behind a value.
func (p *place) closing() string {
	var b strings.Builder
	for i := len(p.open) - 1; i >= 0; i-- {
		f := p.open[i]
		switch f.word {
		case "(":
			b.WriteString(")")
		case "params":
			b.WriteString(") null")
		case "[":
			b.WriteString("]")
		case "]":
			if !f.dots {
				b.WriteString(" .. null")
			}
			b.WriteString("]")
		case "{":
			if !f.value {
				b.WriteString(": null")
			}
			b.WriteString("}")
		case "if":
			b.WriteString(" then null else null")
		case "then":
			b.WriteString(" else null")
		case "between":
			b.WriteString(" and null")
		case "for", "some", "every":
			if !f.value {
				b.WriteString(" in null")
			}
			if f.word == "for" {
				b.WriteString(" return null")
			} else {
				b.WriteString(" satisfies null")
			}
		}
	}
	return b.String()
}

// repaired reads a text with a hole in place of what stands between two offsets:
// as a whole where that reads as FEEL, else what stands before, closed. Among
// arguments with names the hole has one.
func (e *Env) repaired(text string, from, to int, p *place) *analysis {
	named := hole + ": " + hole
	for _, candidate := range []string{text[:from] + hole + text[to:], text[:from] + hole + p.closing(), text[:from] + named + p.closing()} {
		if a, err := e.analyse(candidate); err == nil {
			return a
		}
	}
	return nil
}
