package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/sdk/go/wire"
)

var (
	pluginName  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	partName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)
	exportName  = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]{0,127}$`)
	settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,127}$`)
	language    = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	typeRef     = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,62}):([A-Za-z_][A-Za-z0-9_-]{0,127})$`)
	urlPath     = regexp.MustCompile(`^/[A-Za-z0-9._~!$&'()*+,;=:@%/{}-]*$`)
	decimal     = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	memorySize  = regexp.MustCompile(`^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)?$`)
)

const (
	maxBatch    = 10_000 // rows of a call
	maxRetries  = 100
	maxCPU      = 1024
	namePattern = "letters, digits, _ and - are possible, a letter or _ first"
)

// Validate tells everything that is wrong with a manifest, at most 100 problems.
// Line and Column of the problems are 0.
func Validate(m *wire.Manifest) []Problem { return shown(check(m)) }

// check finds all that is wrong with a manifest.
func check(m *wire.Manifest) []Problem {
	c := checker{m: m, types: map[string]*wire.ObjectType{}}
	for i := range m.Objects {
		c.types[m.Objects[i].Type] = &m.Objects[i]
	}
	c.head()
	c.menus()
	c.settings()
	c.objects()
	c.services()
	c.routes()
	c.run()
	c.ui()
	return c.problems
}

// checker collects the problems of one manifest.
type checker struct {
	m        *wire.Manifest
	types    map[string]*wire.ObjectType
	problems []Problem
}

func (c *checker) add(path, code, format string, args ...any) {
	if len(c.problems) < mostFound {
		c.problems = append(c.problems, Problem{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

// name checks a name and, within seen, that it is there once.
func (c *checker) name(path, name string, pattern *regexp.Regexp, seen map[string]bool) {
	switch {
	case name == "":
		c.add(path, CodeMissing, "the name is missing")
	case !pattern.MatchString(name):
		c.add(path, CodeName, "%q is not a name: %s", name, namePattern)
	case seen[name]:
		c.add(path, CodeDuplicate, "%q is there twice: rename or remove one", name)
	}
	if seen != nil {
		seen[name] = true
	}
}

// word checks that a text is one of a closed set.
func (c *checker) word(path, word string, possible []string) bool {
	switch {
	case slices.Contains(possible, word):
		return true
	case word == "":
		c.add(path, CodeMissing, "the word is missing: possible are %s", strings.Join(possible, " "))
	default:
		c.add(path, CodeWord, "%q is not possible: write one of %s", word, strings.Join(possible, " "))
	}
	return false
}

func (c *checker) optionalWord(path, word string, possible []string) {
	if word != "" {
		c.word(path, word, possible)
	}
}

func (c *checker) title(path string, text wire.Text) {
	for _, lang := range sortedKeys(text) {
		switch {
		case !language.MatchString(lang):
			c.add(path+"."+lang, CodeName, "%q is not a language: write it like en or zh", lang)
		case strings.TrimSpace(text[lang]) == "":
			c.add(path+"."+lang, CodeMissing, "the text is empty")
		}
	}
}

func sortedKeys(text wire.Text) []string {
	keys := make([]string, 0, len(text))
	for k := range text {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reference checks a package:type. A type of the plugin itself must be among its
// objects.
func (c *checker) reference(path, ref string) {
	match := typeRef.FindStringSubmatch(ref)
	switch {
	case ref == "":
		c.add(path, CodeMissing, "the type is missing: write plugin:type")
	case match == nil:
		c.add(path, CodeReference, "%q is not a type: write plugin:type", ref)
	case match[1] == c.m.Plugin && c.types[match[2]] == nil && !c.m.DynamicObjects:
		c.add(path, CodeReference, "the plugin has no type %q: add it to objects, or set dynamicObjects", match[2])
	}
}

func (c *checker) head() {
	if c.m.Plugin == "" {
		c.add("plugin", CodeMissing, "the plugin's name is missing")
	} else if !pluginName.MatchString(c.m.Plugin) {
		c.add("plugin", CodeName, "%q is not a plugin's name: lower-case letters, digits, _ and - are possible, a letter first, at most 63",
			c.m.Plugin)
	}
	if c.m.Version == "" {
		c.add("version", CodeMissing, "the version is missing: write it like 1.2.3")
	} else if !strictVersion.MatchString(c.m.Version) {
		c.add("version", CodeVersion, "%q is not a version: write it like 1.2.3 or 1.2.3-beta.1", c.m.Version)
	}
	c.title("title", c.m.Title)
	c.title("description", c.m.Description)
	seen := map[string]bool{}
	for i, r := range c.m.Requires {
		path := fmt.Sprintf("requires[%d]", i)
		c.name(path+".plugin", r.Plugin, pluginName, seen)
		if r.Plugin == c.m.Plugin && r.Plugin != "" {
			c.add(path+".plugin", CodeConflict, "a plugin does not require itself")
		}
		if _, err := parseConstraint(r.Version); err != nil {
			c.add(path+".version", CodeConstraint, "%v", err)
		}
	}
	granted := map[string]bool{}
	for i, p := range c.m.Permissions {
		c.name(fmt.Sprintf("permissions[%d]", i), p, settingName, granted)
	}
}

func (c *checker) menus() {
	seen := map[string]bool{}
	for i, m := range c.m.Menus {
		path := fmt.Sprintf("menus[%d]", i)
		c.name(path+".id", m.ID, partName, seen)
		c.word(path+".dimension", m.Dimension, Dimensions())
		c.title(path+".title", m.Title)
		c.route(path+".path", m.Path)
	}
}

// route checks a path of the console or of a service.
func (c *checker) route(path, route string) {
	switch {
	case route == "":
		c.add(path, CodeMissing, "the path is missing")
	case !urlPath.MatchString(route) || slices.Contains(strings.Split(route, "/"), ".."):
		c.add(path, CodePath, "%q is not a path: it begins with / and has neither spaces nor ..", route)
	}
}

func (c *checker) settings() {
	seen := map[string]bool{}
	for i, s := range c.m.Settings {
		path := fmt.Sprintf("settings[%d]", i)
		c.name(path+".name", s.Name, settingName, seen)
		c.title(path+".title", s.Title)
		c.title(path+".description", s.Description)
		if c.word(path+".type", s.Type, SettingTypes()) {
			c.enumValues(path+".values", s.Type, s.Values)
			c.bounds(path, s)
		}
		c.pattern(path+".pattern", s.Type, s.Pattern)
		c.optionalWord(path+".scope", s.Scope, SettingScopes())
		if s.Secret && s.Default != "" {
			c.add(path+".default", CodeConflict, "a secret has no default: it would be readable here")
		}
	}
}

// defaultValue checks that a default reads as its type; an empty one is none.
func (c *checker) defaultValue(path, typ, text string, values []string) {
	if text != "" && !Reads(typ, text, values) {
		c.add(path, CodeDefault, "%q is not of the type %s", text, typ)
	}
}

// Reads reports whether a text reads as a type; values are those of an enum.
func Reads(typ, text string, values []string) bool {
	var err error
	ok := true
	switch typ {
	case wire.TypeInt:
		_, err = strconv.ParseInt(text, 10, 64)
	case wire.TypeNumber:
		ok = decimal.MatchString(text)
	case wire.TypeBool:
		ok = text == "true" || text == "false"
	case wire.TypeDateTime:
		_, err = time.Parse(time.RFC3339, text)
	case wire.TypeDuration:
		_, err = Duration(text)
	case wire.TypeEnum:
		ok = slices.Contains(values, text)
	case wire.TypeList:
		var list []json.RawMessage
		err = json.Unmarshal([]byte(text), &list)
	case wire.TypeObject:
		var object map[string]json.RawMessage
		err = json.Unmarshal([]byte(text), &object)
	}
	return err == nil && ok
}

// enumValues checks that an enumeration has values, and nothing else has.
func (c *checker) enumValues(path, typ string, values []string) {
	switch {
	case typ == wire.TypeEnum && len(values) == 0:
		c.add(path, CodeValues, "an enum has values: list them")
	case typ != wire.TypeEnum && len(values) > 0:
		c.add(path, CodeValues, "only an enum has values: make the type enum or remove them")
	}
	seen := map[string]bool{}
	for i, v := range values {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case v == "":
			c.add(at, CodeValues, "a value is empty")
		case seen[v]:
			c.add(at, CodeDuplicate, "%q is there twice: remove one", v)
		}
		seen[v] = true
	}
}
