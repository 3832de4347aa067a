package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/sdk/go/wire"
)

// What a route may carry where its manifest does not say.
const (
	defaultRequest     = 64 << 20
	defaultAnswer      = 1 << 30
	defaultStream      = 10 * time.Minute
	defaultConnections = 32

	maxStreamed    = 1 << 40 // bytes either way
	maxStream      = 24 * time.Hour
	maxConnections = 10_000
)

var (
	routePath = regexp.MustCompile(`^/(in|data)/[a-z][a-z0-9-]{0,62}$`)
	sizeUnits = map[string]int64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
		"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
)

// RouteLimits bound each request to a route.
type RouteLimits struct {
	Request, Answer int64 // bytes
	Timeout         time.Duration
	Connections     int
}

// Limits are those of a route of a valid manifest, with the defaults where it says
// nothing.
func Limits(r wire.Route) RouteLimits {
	l := RouteLimits{defaultRequest, defaultAnswer, defaultStream, defaultConnections}
	if n, err := bytesOf(r.Request); err == nil {
		l.Request = n
	}
	if n, err := bytesOf(r.Answer); err == nil {
		l.Answer = n
	}
	if d, err := Duration(r.Timeout); err == nil {
		l.Timeout = d
	}
	if r.Connections > 0 {
		l.Connections = r.Connections
	}
	return l
}

// RouteMethods are the methods that a route takes, HEAD among them where GET is.
func RouteMethods(r wire.Route) []string {
	all := slices.Clone(r.Methods)
	switch {
	case len(all) > 0:
	case strings.HasPrefix(r.Path, wire.RouteData):
		all = []string{"GET"}
	default:
		all = []string{"POST"}
	}
	if slices.Contains(all, "GET") {
		all = append(all, "HEAD")
	}
	return all
}

// bytesOf reads an amount such as 64Mi. Returns an error if it is none.
func bytesOf(s string) (int64, error) {
	if !memorySize.MatchString(s) {
		return 0, fmt.Errorf("%q is not an amount of bytes: write it like 64Mi", s)
	}
	digits := strings.TrimRight(s, "kKMGTi")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit := sizeUnits[s[len(digits):]]
	if err != nil || n > maxStreamed/unit {
		return 0, fmt.Errorf("%q is more than 1Ti", s)
	}
	return n * unit, nil
}

func (c *checker) routes() {
	seen := map[string]bool{}
	for i, r := range c.m.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		switch {
		case r.Path == "":
			c.add(path+".path", CodeMissing, "the path is missing: write /in/name or /data/name")
		case !routePath.MatchString(r.Path):
			c.add(path+".path", CodePath, "%q is no path of a route: write /in/name or /data/name, which leads to all below it", r.Path)
		case seen[r.Path]:
			c.add(path+".path", CodeDuplicate, "%q is there twice: remove one", r.Path)
		}
		seen[r.Path] = true
		c.routeMethods(path+".methods", r)
		c.amount(path+".request", r.Request)
		c.amount(path+".answer", r.Answer)
		if r.Timeout != "" {
			if d, err := Duration(r.Timeout); err != nil {
				c.add(path+".timeout", CodeDuration, "%v", err)
			} else if d <= 0 || d > maxStream {
				c.add(path+".timeout", CodeDuration, "%q is not possible: more than nothing, and a day at most", r.Timeout)
			}
		}
		if r.Connections < 0 || r.Connections > maxConnections {
			c.add(path+".connections", CodeRange, "%d is not possible: 1 to %d requests at the same time", r.Connections, maxConnections)
		}
	}
}

// amount checks a number of bytes; an empty one is none.
func (c *checker) amount(path, text string) {
	if _, err := bytesOf(text); text != "" && err != nil {
		c.add(path, CodeRange, "%v", err)
	}
}

func (c *checker) routeMethods(path string, r wire.Route) {
	seen := map[string]bool{}
	for k, m := range r.Methods {
		at := fmt.Sprintf("%s[%d]", path, k)
		switch {
		case !c.word(at, m, Methods()):
		case seen[m]:
			c.add(at, CodeDuplicate, "%q is there twice: remove one", m)
		case strings.HasPrefix(r.Path, wire.RouteData) && m != "GET" && m != "POST":
			c.add(at, CodeConflict, "what is below /data is only read, with GET or POST: take a path below /in for %s", m)
		}
		seen[m] = true
	}
}
