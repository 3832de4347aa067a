package pattern

// class reads a character class expression: [a-z], [^\s.], [a-z-[aeiou]].
func (p *parser) class() (set, error) {
	open := p.at
	p.at++
	not := p.take('^')
	c := &classParts{not: not, seen: map[string]bool{}}
	for parts := 0; ; parts++ {
		switch r := p.peek(); {
		case r < 0:
			return nil, p.failAt(open, "this class is not closed")
		case r == ']' && parts == 0:
			return nil, p.failAt(open, "this class holds nothing")
		case r == ']':
			p.at++
			return p.finish(c)
		case r == '-' && p.peekAt(1) == '[' && parts > 0:
			p.at++
			var err error
			if c.less, err = p.class(); err != nil {
				return nil, err
			}
			if p.peek() != ']' {
				return nil, p.fail("a class ends behind what is subtracted from it")
			}
			p.at++
			return p.finish(c)
		}
		if err := p.part(c); err != nil {
			return nil, err
		}
	}
}

// classParts is what stands in a class: characters and ranges, which flag i
// widens, escapes, which it does not, and what is subtracted.
type classParts struct {
	chars, escapes, less set
	not                  bool
	seen                 map[string]bool
}

func (p *parser) finish(c *classParts) (set, error) {
	s := normal(c.chars)
	if p.fold {
		s = p.folded(s)
	}
	s = normal(append(s, c.escapes...))
	if c.not {
		s = s.complement()
	}
	if c.less != nil {
		s = s.without(c.less)
	}
	return s, p.makes(s)
}

// part reads a character, a range or an escape within a class.
func (p *parser) part(c *classParts) error {
	begin := p.at
	lo, s, err := p.member()
	if err != nil {
		return err
	}
	if s != nil {
		// What stands there twice is as if it stood there once.
		if text := string(p.chars[begin:p.at]); !c.seen[text] {
			c.seen[text] = true
			c.escapes = append(c.escapes, s...)
			return p.makes(s)
		}
		return nil
	}
	hi := lo
	// A hyphen makes a range unless it ends the class or subtracts from it.
	if next := p.peekAt(1); p.peek() == '-' && next != '[' && next != ']' && (next != '-' || p.peekAt(2) != '[') {
		p.at++
		if hi, s, err = p.member(); err != nil {
			return err
		}
		if s != nil {
			return p.failAt(begin, "a range ends with a character, not with a class")
		}
		if hi < lo {
			return p.failAt(begin, "the range goes backwards")
		}
	}
	c.chars = append(c.chars, span{lo, hi})
	return nil
}

// member reads one character of a class, or the set that an escape stands for.
func (p *parser) member() (rune, set, error) {
	r := p.peek()
	switch r {
	case -1:
		return 0, nil, p.fail("the class is not closed")
	case '\\':
		if d := p.peekAt(1); d >= '0' && d <= '9' {
			return 0, nil, p.fail("a class cannot refer back to a group")
		}
		return p.escaped()
	case '[':
		return 0, nil, p.fail(`a [ within a class is written \[`)
	}
	p.at++
	return r, nil, nil
}
