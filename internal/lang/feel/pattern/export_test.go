package pattern

import (
	"regexp"
	"slices"
)

// Translated gives the pattern in the hands of RE2, whatever its size; nil where
// RE2 cannot say it. Idle reports whether a loop may go round and take nothing.
func Translated(text, flags string) (re *regexp.Regexp, idle bool) {
	f, err := parseFlags(flags)
	if err != nil {
		return nil, false
	}
	p, tree, err := parse(text, f)
	if err != nil || p.refs {
		return nil, false
	}
	re, err = regexp.Compile(translate(tree))
	if err != nil {
		return nil, false
	}
	return re, idles(tree)
}

func idles(n *node) bool {
	return n.kind == kindRepeat && n.max < 0 && n.subs[0].empty() || slices.ContainsFunc(n.subs, idles)
}

// Matches gives what the matcher finds, groups and all, with or without
// remembering what failed.
func (p *Pattern) Matches(text string, remember bool) (all [][]int, err error) {
	own := *p
	own.refs = own.refs || !remember
	steps := int64(0)
	err = own.each(text, func(n int64) bool {
		steps += n
		return steps < 200_000
	}, func(match []int) bool {
		all = append(all, append([]int(nil), match...))
		return true
	})
	return all, err
}
