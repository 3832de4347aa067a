package manifest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxClauses = 16
	maxNumbers = 6
)

var (
	strictVersion = regexp.MustCompile(
		`^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
	looseVersion = regexp.MustCompile(`^[vV]?([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$`)
)

// version is a version whose missing numbers count as 0.
type version struct {
	numbers []int
	pre     []string // parts of the pre-release, none for a release
}

// parseVersion is tolerant: a leading v, and one to six numbers.
func parseVersion(s string) (version, bool) {
	match := looseVersion.FindStringSubmatch(s)
	if match == nil {
		return version{}, false
	}
	var v version
	for _, text := range strings.Split(match[1], ".") {
		n, err := strconv.Atoi(text)
		if err != nil || len(v.numbers) == maxNumbers {
			return version{}, false
		}
		v.numbers = append(v.numbers, n)
	}
	if match[2] != "" {
		v.pre = strings.Split(match[2], ".")
	}
	return v, true
}

func (v version) at(i int) int {
	if i < len(v.numbers) {
		return v.numbers[i]
	}
	return 0
}

func (v version) compare(o version) int {
	for i := range max(len(v.numbers), len(o.numbers)) {
		if c := cmp.Compare(v.at(i), o.at(i)); c != 0 {
			return c
		}
	}
	switch {
	case len(v.pre) == 0 || len(o.pre) == 0:
		return cmp.Compare(len(o.pre), len(v.pre)) // a release follows its pre-releases
	default:
		return slices.CompareFunc(v.pre, o.pre, comparePart)
	}
}

// comparePart orders the parts of pre-releases: numbers first, by their value.
func comparePart(a, b string) int {
	na, aIsNumber := number(a)
	nb, bIsNumber := number(b)
	switch {
	case aIsNumber && bIsNumber:
		return cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb))
	case aIsNumber:
		return -1
	case bIsNumber:
		return 1
	}
	return cmp.Compare(a, b)
}

func number(s string) (string, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	return strings.TrimLeft(s, "0"), true
}

// before reports whether v comes before a bound and before all pre-releases of
// the bound too.
func (v version) before(bound version) bool {
	return v.compare(version{numbers: bound.numbers, pre: []string{"0"}}) < 0
}

// next is the first version in which the number at i is greater.
func (v version) next(i int) version {
	numbers := make([]int, i+1)
	for k := range numbers {
		numbers[k] = v.at(k)
	}
	numbers[i]++
	return version{numbers: numbers}
}

// CompareVersions orders versions by the precedence of Semantic Versioning: -1,
// 0 or 1. It is tolerant of a leading v and of fewer or more than three numbers;
// what is no version comes before every version, in the order of its text.
func CompareVersions(a, b string) int {
	va, aIsVersion := parseVersion(a)
	vb, bIsVersion := parseVersion(b)
	switch {
	case aIsVersion && bIsVersion:
		return va.compare(vb)
	case aIsVersion:
		return 1
	case bIsVersion:
		return -1
	}
	return cmp.Compare(a, b)
}

// SatisfiesVersion reports whether a version meets a constraint: clauses joined
// by commas, all of which must hold, each one of >= > <= < = ^ ~ and a version;
// without a sign it means =, and an empty constraint holds always. A version of
// fewer than three numbers stands for all that begin so, pre-releases among them:
// >=0.1 holds for 0.1.0-dev, >=0.1.0 does not, and >1.2 begins with 1.3. ^ goes
// up to the next change of the first number that is not 0, ~ up to the next
// second number.
func SatisfiesVersion(ver, constraint string) (bool, error) {
	v, ok := parseVersion(strings.TrimSpace(ver))
	if !ok {
		return false, fmt.Errorf("%q is not a version: write it like 1.2.3", ver)
	}
	clauses, err := parseConstraint(constraint)
	if err != nil {
		return false, err
	}
	for _, c := range clauses {
		if !c.holds(v) {
			return false, nil
		}
	}
	return true, nil
}

type clause struct {
	op    string
	bound version
}

func parseConstraint(s string) ([]clause, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var clauses []clause
	for _, text := range strings.Split(s, ",") {
		text = strings.TrimSpace(text)
		c := clause{op: "="}
		for _, op := range [...]string{">=", "<=", ">", "<", "=", "^", "~"} {
			if rest, found := strings.CutPrefix(text, op); found {
				c.op, text = op, strings.TrimSpace(rest)
				break
			}
		}
		bound, ok := parseVersion(text)
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is not a version constraint: write it like >=1.2, <2", s)
		case len(clauses) == maxClauses:
			return nil, fmt.Errorf("a version constraint has at most %d clauses", maxClauses)
		}
		c.bound = bound
		clauses = append(clauses, c)
	}
	return clauses, nil
}

func (c clause) holds(v version) bool {
	given := len(c.bound.numbers)
	partial := given < 3 && len(c.bound.pre) == 0
	atLeast := v.compare(c.bound) >= 0
	if partial {
		atLeast = !v.before(c.bound)
	}
	switch c.op {
	case ">=":
		return atLeast
	case "<":
		if partial {
			return v.before(c.bound)
		}
		return v.compare(c.bound) < 0
	case ">":
		if partial {
			return !v.before(c.bound.next(given - 1))
		}
		return v.compare(c.bound) > 0
	case "<=":
		if partial {
			return v.before(c.bound.next(given - 1))
		}
		return v.compare(c.bound) <= 0
	case "^":
		return atLeast && v.before(c.bound.next(c.bound.leading()))
	case "~":
		return atLeast && v.before(c.bound.next(min(given-1, 1)))
	}
	if partial {
		return atLeast && v.before(c.bound.next(given-1))
	}
	return v.compare(c.bound) == 0
}

// leading is the place of the first number that is not 0, or of the last.
func (v version) leading() int {
	for i, n := range v.numbers {
		if n != 0 {
			return i
		}
	}
	return len(v.numbers) - 1
}
