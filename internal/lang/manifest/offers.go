package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

func (c *checker) objects() {
	seen := map[string]bool{}
	for i := range c.m.Objects {
		o, path := &c.m.Objects[i], fmt.Sprintf("objects[%d]", i)
		c.name(path+".type", o.Type, partName, seen)
		c.title(path+".title", o.Title)
		c.title(path+".description", o.Description)
		if o.Scope != nil {
			c.scopeName(path+".scope.project", o.Scope.Project)
			c.scopeName(path+".scope.environment", o.Scope.Environment)
		}
		if len(o.Attributes) == 0 {
			c.add(path+".attributes", CodeMissing, "the type has no attributes: list them")
		}
		c.attributes(path, o.Attributes)
		if o.Display != "" && !slices.Contains(fieldsOf(o), o.Display) {
			c.add(path+".display", CodeReference, "the type has no attribute %q", o.Display)
		}
	}
}

func (c *checker) scopeName(path, attr string) {
	if attr != "" {
		c.name(path, attr, partName, nil)
	}
}

// fieldsOf are the names under which rows of a type hold values.
func fieldsOf(o *wire.ObjectType) []string {
	fields := []string{wire.AttrID, wire.AttrDisplayName}
	if o.Scope != nil {
		fields = append(fields, o.Scope.Project, o.Scope.Environment)
	}
	for _, a := range o.Attributes {
		fields = append(fields, a.Name)
		if a.Observed {
			fields = append(fields, a.Name+wire.ObservedSuffix)
		}
	}
	return fields
}

func (c *checker) attributes(object string, attributes []wire.Attribute) {
	seen := map[string]bool{}
	for i, a := range attributes {
		path := fmt.Sprintf("%s.attributes[%d]", object, i)
		c.name(path+".name", a.Name, partName, seen)
		if a.Name == objectpath.AttrNone {
			c.add(path+".name", CodeName, "%q means no attribute in paths: choose another name", a.Name)
		}
		c.title(path+".title", a.Title)
		if !c.word(path+".type", a.Type, AttributeTypes()) {
			continue
		}
		c.enumValues(path+".values", a.Type, a.Values)
		c.defaultValue(path+".default", a.Type, a.Default, a.Values)
		isRef := a.Type == wire.TypeRef || a.Type == wire.TypeMultiRef
		switch {
		case isRef:
			c.reference(path+".to", a.To)
		case a.To != "":
			c.add(path+".to", CodeConflict, "only ref and multiref lead to a type")
		}
		if a.Name == wire.AttrID && a.Type != wire.TypeString {
			c.add(path+".type", CodeConflict, "the id of a row is a string")
		}
		if a.Secret && a.Default != "" {
			c.add(path+".default", CodeConflict, "a secret has no default: it would be readable here")
		}
		c.title(path+".description", a.Description)
		c.pattern(path+".pattern", a.Type, a.Pattern)
	}
}

// pattern checks that a pattern can be one, and stands at a text.
func (c *checker) pattern(path, typ, pattern string) {
	if pattern == "" {
		return
	}
	if typ != wire.TypeString && typ != wire.TypeText {
		c.add(path, CodeConflict, "only a string or a text has a pattern")
	}
	if _, err := regexp.Compile(pattern); err != nil {
		c.add(path, CodeExpression, "%v", err)
	}
}

// oneOf checks sets of inputs of which one is given.
func (c *checker) oneOf(action string, a *wire.Action) {
	for i, set := range a.OneOf {
		path := fmt.Sprintf("%s.oneOf[%d]", action, i)
		if len(set) < 2 {
			c.add(path, CodeMissing, "name at least two inputs")
		}
		for k, name := range set {
			at := slices.IndexFunc(a.Input, func(p wire.Param) bool { return p.Name == name })
			switch {
			case at < 0:
				c.add(fmt.Sprintf("%s[%d]", path, k), CodeReference, "the action has no input %q", name)
			case a.Input[at].Required || a.Input[at].Default != "":
				c.add(fmt.Sprintf("%s[%d]", path, k), CodeConflict, "the input %q always has a value: it is not one of several", name)
			}
		}
	}
}

func (c *checker) services() {
	services, routes := map[string]bool{}, map[string]bool{}
	for i, s := range c.m.Services {
		path := fmt.Sprintf("services[%d]", i)
		c.name(path+".name", s.Name, partName, services)
		c.title(path+".title", s.Title)
		if len(s.Actions) == 0 {
			c.add(path+".actions", CodeMissing, "the service has no actions: list them")
		}
		actions := map[string]bool{}
		for k := range s.Actions {
			at := fmt.Sprintf("%s.actions[%d]", path, k)
			c.name(at+".action", s.Actions[k].Action, partName, actions)
			c.action(at, &s.Actions[k], routes)
		}
	}
}

func (c *checker) action(path string, a *wire.Action, routes map[string]bool) {
	c.title(path+".title", a.Title)
	c.title(path+".description", a.Description)
	c.route(path+".path", a.Path)
	c.optionalWord(path+".method", a.Method, Methods())
	method := a.Method
	if method == "" {
		method = "POST"
	}
	route := method + " " + a.Path
	if a.Path != "" && routes[route] {
		c.add(path+".path", CodeDuplicate, "%s is the path of another action: change one", route)
	}
	routes[route] = true
	if a.Target != "" {
		c.reference(path+".target", a.Target)
	}
	if a.Batch < 0 || a.Batch > maxBatch {
		c.add(path+".batch", CodeRange, "%d is not possible: 1 to %d rows go into a call", a.Batch, maxBatch)
	}
	if a.Timeout != "" {
		if d, err := Duration(a.Timeout); err != nil {
			c.add(path+".timeout", CodeDuration, "%v", err)
		} else if d <= 0 {
			c.add(path+".timeout", CodeDuration, "%q is no time at all: write it like PT10M", a.Timeout)
		}
	}
	c.optionalWord(path+".risk", a.Risk, Risks())
	c.retry(path+".retry", a.Retry)
	c.oneOf(path, a)
	c.locks(path, a.Locks)
	c.effects(path, a.Effects)
	c.params(path+".input", a, a.Input)
	c.params(path+".output", a, a.Output)
}

func (c *checker) retry(path string, r *wire.Retry) {
	if r == nil {
		return
	}
	if r.Max < 0 || r.Max > maxRetries {
		c.add(path+".max", CodeRange, "%d is not possible: 0 to %d attempts may follow the first", r.Max, maxRetries)
	}
	if r.Backoff != "" {
		if _, _, err := Backoff(r.Backoff); err != nil {
			c.add(path+".backoff", CodeDuration, "%v", err)
		}
	}
	for i, class := range r.On {
		c.word(fmt.Sprintf("%s.on[%d]", path, i), class, RetryClasses())
	}
}

func (c *checker) locks(action string, locks []wire.Lock) {
	for i, l := range locks {
		path := fmt.Sprintf("%s.locks[%d]", action, i)
		c.word(path+".mode", l.Mode, LockModes())
		ref, id, hasID := strings.Cut(l.On, "/")
		switch {
		case l.On == "":
			c.add(path+".on", CodeMissing, "write target, or what to lock as plugin:type/id")
		case l.On != "target" && (!typeRef.MatchString(ref) || !hasID || id == "" || strings.ContainsAny(l.On, " \t\r\n")):
			c.add(path+".on", CodeReference, "%q is nothing to lock: write target, or plugin:type/id", l.On)
		}
	}
}

func (c *checker) effects(action string, effects []string) {
	for i, e := range effects {
		path := fmt.Sprintf("%s.effects[%d]", action, i)
		p, err := objectpath.Parse(e)
		switch {
		case err != nil:
			c.add(path, CodeExpression, "%v", err)
		case len(p.Nodes) > 1 || len(p.Nodes[0].Filters) > 0 || p.None:
			c.add(path, CodeExpression, "%q is not a type or attribute: write plugin:type.attribute", e)
		default:
			c.reference(path, p.Nodes[0].TypeRef())
		}
	}
}

func (c *checker) params(list string, a *wire.Action, params []wire.Param) {
	seen := map[string]bool{}
	for i := range params {
		p, path := &params[i], fmt.Sprintf("%s[%d]", list, i)
		c.name(path+".name", p.Name, settingName, seen)
		c.title(path+".title", p.Title)
		c.title(path+".description", p.Description)
		if c.word(path+".type", p.Type, ParamTypes()) {
			c.enumValues(path+".values", p.Type, p.Values)
			c.defaultValue(path+".default", p.Type, p.Default, p.Values)
		}
		c.pattern(path+".pattern", p.Type, p.Pattern)
		if len(p.Fields) > 0 && p.Type != wire.TypeConnection {
			c.add(path+".fields", CodeConflict, "only a connection has fields")
		}
		c.optionalWord(path+".risk", p.Risk, ParamRisks())
		if p.Secret && p.Default != "" {
			c.add(path+".default", CodeConflict, "a secret has no default: it would be readable here")
		}
		if strings.HasSuffix(list, ".input") {
			c.source(path, a, p)
		} else {
			c.destination(path, a, p)
		}
	}
}

// source checks where an input comes from.
func (c *checker) source(path string, a *wire.Action, p *wire.Param) {
	if p.To != "" {
		c.add(path+".to", CodeConflict, "an input is not written anywhere: only outputs have to")
	}
	switch {
	case p.From == "" && p.Expr != "":
		c.add(path+".from", CodeMissing, "expr has no from: write one of %s", strings.Join(Sources(), " "))
	case p.From == "":
	case !c.word(path+".from", p.From, Sources()):
	case p.Expr == "" && p.From != "constant":
		c.add(path+".expr", CodeMissing, "the expression is missing")
	case p.From == "path":
		c.path(path+".expr", p.Expr, a)
	}
}

// destination checks where an output goes to.
func (c *checker) destination(path string, a *wire.Action, p *wire.Param) {
	if p.From != "" {
		c.add(path+".from", CodeConflict, "an output comes from the action: only inputs have from")
	}
	if p.Expr != "" {
		c.add(path+".expr", CodeConflict, "an output comes from the action: only inputs have expr")
	}
	if p.Pattern != "" || len(p.Fields) > 0 {
		c.add(path+".pattern", CodeConflict, "an output comes from the action: only inputs have a pattern or fields")
	}
	if p.To != "" {
		c.path(path+".to", p.To, a)
	}
}

// path checks an object path and, where it is one attribute of the target and
// the target a type of this plugin, that the attribute exists.
func (c *checker) path(path, expr string, a *wire.Action) {
	p, err := objectpath.ParseRelative(expr)
	if err != nil {
		c.add(path, CodeExpression, "%v", err)
		return
	}
	match := typeRef.FindStringSubmatch(a.Target)
	if !p.Relative || len(p.Nodes) > 1 || p.None || match == nil || match[1] != c.m.Plugin || c.m.DynamicObjects {
		return
	}
	if o := c.types[match[2]]; o != nil && !slices.Contains(fieldsOf(o), p.Field()) {
		c.add(path, CodeReference, "the target %s has no attribute %q", a.Target, p.Field())
	}
}
