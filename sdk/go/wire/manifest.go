package wire

import "encoding/json"

// Manifest describes a plugin once. Its native form is plugin.yaml.
type Manifest struct {
	Plugin      string        `json:"plugin" yaml:"plugin"`
	Version     string        `json:"version" yaml:"version"`
	Title       Text          `json:"title,omitempty" yaml:"title,omitempty"`
	Description Text          `json:"description,omitempty" yaml:"description,omitempty"`
	Requires    []Requirement `json:"requires,omitempty" yaml:"requires,omitempty"`
	Menus       []Menu        `json:"menus,omitempty" yaml:"menus,omitempty"`
	Settings    []Setting     `json:"settings,omitempty" yaml:"settings,omitempty"`
	// DynamicObjects says that the plugin's object types change while it runs:
	// they are read from GET /data-model besides those listed in Objects.
	DynamicObjects bool         `json:"dynamicObjects,omitempty" yaml:"dynamicObjects,omitempty"`
	Objects        []ObjectType `json:"objects,omitempty" yaml:"objects,omitempty"`
	// Changes says that the plugin answers /changes: it makes changes of several
	// types together, and keeps an outbox of all that it stored.
	Changes  bool      `json:"changes,omitempty" yaml:"changes,omitempty"`
	Services []Service `json:"services,omitempty" yaml:"services,omitempty"`
	// Routes are paths at the platform's border that lead to the plugin.
	Routes      []Route    `json:"routes,omitempty" yaml:"routes,omitempty"`
	Run         *Run       `json:"run,omitempty" yaml:"run,omitempty"`
	Resources   *Resources `json:"resources,omitempty" yaml:"resources,omitempty"`
	UI          *UI        `json:"ui,omitempty" yaml:"ui,omitempty"`
	Permissions []string   `json:"permissions,omitempty" yaml:"permissions,omitempty"`
}

// Text is a text by language code, such as en and zh.
type Text map[string]string

// UnmarshalJSON reads a text by language, or a plain one, which is taken as English.
func (t *Text) UnmarshalJSON(data []byte) error {
	var plain string
	if json.Unmarshal(data, &plain) == nil {
		*t = nil
		if plain != "" {
			*t = Text{"en": plain}
		}
		return nil
	}
	var by map[string]string
	if err := json.Unmarshal(data, &by); err != nil {
		return err
	}
	*t = by
	return nil
}

// Requirement is a plugin that must be present, with a version constraint.
type Requirement struct {
	Plugin  string `json:"plugin" yaml:"plugin"`
	Version string `json:"version,omitempty" yaml:"version,omitempty"`
}

// Menu is an entry of the console's menu under one of the dimensions.
type Menu struct {
	ID        string `json:"id" yaml:"id"`
	Dimension string `json:"dimension" yaml:"dimension"`
	Title     Text   `json:"title,omitempty" yaml:"title,omitempty"`
	Path      string `json:"path" yaml:"path"`
}

// Setting declares a value that an operator may set for the plugin.
type Setting struct {
	Name        string `json:"name" yaml:"name"`
	Type        string `json:"type" yaml:"type"`
	Title       Text   `json:"title,omitempty" yaml:"title,omitempty"`
	Description Text   `json:"description,omitempty" yaml:"description,omitempty"`
	Default     string `json:"default,omitempty" yaml:"default,omitempty"`
	// Values are those of an enum, Min and Max bound a number, Pattern a text.
	Values  []string `json:"values,omitempty" yaml:"values,omitempty"`
	Min     *float64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max     *float64 `json:"max,omitempty" yaml:"max,omitempty"`
	Pattern string   `json:"pattern,omitempty" yaml:"pattern,omitempty"`
	Secret  bool     `json:"secret,omitempty" yaml:"secret,omitempty"`
	Scope   string   `json:"scope,omitempty" yaml:"scope,omitempty"`
}

// Route is a path at the platform's border that leads to the plugin, with all below
// it. What is sent and answered there is streamed as it comes, whatever it is.
type Route struct {
	// Path is /in/<name> for what comes from outside, /data/<name> for reading.
	Path    string   `json:"path" yaml:"path"`
	Methods []string `json:"methods,omitempty" yaml:"methods,omitempty"`
	// Request and Answer are how many bytes may go either way, such as 64Mi.
	Request string `json:"request,omitempty" yaml:"request,omitempty"`
	Answer  string `json:"answer,omitempty" yaml:"answer,omitempty"`
	// Timeout is how long one stream may take.
	Timeout string `json:"timeout,omitempty" yaml:"timeout,omitempty"`
	// Connections is how many streams there may be at the same time.
	Connections int `json:"connections,omitempty" yaml:"connections,omitempty"`
}

// What the paths of routes begin with: RouteIn is for what comes from outside,
// RouteData for what is read.
const (
	RouteIn   = "/in/"
	RouteData = "/data/"
)

// Attribute types of objects.
const (
	TypeString   = "string"
	TypeText     = "text"
	TypeInt      = "int"
	TypeNumber   = "number"
	TypeBool     = "bool"
	TypeDateTime = "datetime"
	TypeEnum     = "enum"
	TypeRef      = "ref"
	TypeMultiRef = "multiref"
)

// Parameter types of services besides the attribute types.
const (
	TypeDuration   = "duration"
	TypeConnection = "connection"
	TypeFile       = "file"
	TypeList       = "list"
	TypeObject     = "object"
)

// ObjectType is a type of object that the plugin owns.
type ObjectType struct {
	Type        string       `json:"type" yaml:"type"`
	Title       Text         `json:"title,omitempty" yaml:"title,omitempty"`
	Description Text         `json:"description,omitempty" yaml:"description,omitempty"`
	Scope       *ObjectScope `json:"scope,omitempty" yaml:"scope,omitempty"`
	Paging      bool         `json:"paging,omitempty" yaml:"paging,omitempty"`
	// Display names the attribute shown for a row; empty means displayName is
	// answered by the owner as it sees fit.
	Display string `json:"display,omitempty" yaml:"display,omitempty"`
	// ReadOnly says that nobody but the plugin writes objects of this type.
	ReadOnly bool `json:"readOnly,omitempty" yaml:"readOnly,omitempty"`
	// Definition says that objects of this type define other types: they belong to
	// the installation, and changing them is a right of its own.
	Definition bool        `json:"definition,omitempty" yaml:"definition,omitempty"`
	Attributes []Attribute `json:"attributes" yaml:"attributes"`
}

// ObjectScope names the attributes that hold a row's project and environment.
type ObjectScope struct {
	Project     string `json:"project,omitempty" yaml:"project,omitempty"`
	Environment string `json:"environment,omitempty" yaml:"environment,omitempty"`
}

// Attribute is one attribute of an object type. To names the referenced type
// as package:type for ref and multiref. Observed attributes hold a desired
// value under their name and an observed one under name@observed.
type Attribute struct {
	Name     string   `json:"name" yaml:"name"`
	Type     string   `json:"type" yaml:"type"`
	Title    Text     `json:"title,omitempty" yaml:"title,omitempty"`
	Required bool     `json:"required,omitempty" yaml:"required,omitempty"`
	Unique   bool     `json:"unique,omitempty" yaml:"unique,omitempty"`
	Values   []string `json:"values,omitempty" yaml:"values,omitempty"`
	To       string   `json:"to,omitempty" yaml:"to,omitempty"`
	Observed bool     `json:"observed,omitempty" yaml:"observed,omitempty"`
	Secret   bool     `json:"secret,omitempty" yaml:"secret,omitempty"`
	Default  string   `json:"default,omitempty" yaml:"default,omitempty"`
	// Pattern is a regular expression that the whole of a string or text matches;
	// Description says what that is.
	Pattern     string `json:"pattern,omitempty" yaml:"pattern,omitempty"`
	Description Text   `json:"description,omitempty" yaml:"description,omitempty"`
}

// Service is a family of actions.
type Service struct {
	Name    string   `json:"name" yaml:"name"`
	Title   Text     `json:"title,omitempty" yaml:"title,omitempty"`
	Actions []Action `json:"actions" yaml:"actions"`
}

// Risk words of an action.
const (
	RiskRead        = "read"
	RiskChange      = "change"
	RiskDestructive = "destructive"
)

// Action is one callable operation of a service.
type Action struct {
	Action      string `json:"action" yaml:"action"`
	Title       Text   `json:"title,omitempty" yaml:"title,omitempty"`
	Description Text   `json:"description,omitempty" yaml:"description,omitempty"`
	Path        string `json:"path" yaml:"path"`
	Method      string `json:"method,omitempty" yaml:"method,omitempty"`
	Target      string `json:"target,omitempty" yaml:"target,omitempty"`
	Batch       int    `json:"batch,omitempty" yaml:"batch,omitempty"`
	Timeout     string `json:"timeout,omitempty" yaml:"timeout,omitempty"`
	Retry       *Retry `json:"retry,omitempty" yaml:"retry,omitempty"`
	Risk        string `json:"risk,omitempty" yaml:"risk,omitempty"`
	Idempotent  bool   `json:"idempotent,omitempty" yaml:"idempotent,omitempty"`
	Async       bool   `json:"async,omitempty" yaml:"async,omitempty"`
	Cancel      bool   `json:"cancel,omitempty" yaml:"cancel,omitempty"`
	// Settles says that the action answers for a row only once it is certain that
	// what it began has ended: its word is awaited beyond the deadline.
	Settles bool `json:"settles,omitempty" yaml:"settles,omitempty"`
	// OneOf lists sets of inputs of which exactly one is given.
	OneOf   [][]string `json:"oneOf,omitempty" yaml:"oneOf,omitempty"`
	Locks   []Lock     `json:"locks,omitempty" yaml:"locks,omitempty"`
	Effects []string   `json:"effects,omitempty" yaml:"effects,omitempty"`
	Input   []Param    `json:"input,omitempty" yaml:"input,omitempty"`
	Output  []Param    `json:"output,omitempty" yaml:"output,omitempty"`
}

// Retry is the policy for outcomes that may be tried again. Backoff is an ISO
// 8601 duration, or two joined by ".." for the first and the longest wait. On
// lists error classes: transport, throttled.
type Retry struct {
	Max     int      `json:"max" yaml:"max"`
	Backoff string   `json:"backoff,omitempty" yaml:"backoff,omitempty"`
	On      []string `json:"on,omitempty" yaml:"on,omitempty"`
}

// LockTarget is what a lock on the objects of the call is on.
const LockTarget = "target"

// Lock is a lock that an action needs. On is "target" or a lock key.
type Lock struct {
	Mode string `json:"mode" yaml:"mode"`
	On   string `json:"on" yaml:"on"`
}

// Param is an input or output parameter. From is where an input comes from by
// default (path, feel, constant, setting, step) with Expr as its text; To is
// the object path that an output is written to by default.
type Param struct {
	Name        string   `json:"name" yaml:"name"`
	Type        string   `json:"type" yaml:"type"`
	Title       Text     `json:"title,omitempty" yaml:"title,omitempty"`
	Description Text     `json:"description,omitempty" yaml:"description,omitempty"`
	Required    bool     `json:"required,omitempty" yaml:"required,omitempty"`
	Secret      bool     `json:"secret,omitempty" yaml:"secret,omitempty"`
	Multiple    bool     `json:"multiple,omitempty" yaml:"multiple,omitempty"`
	Risk        string   `json:"risk,omitempty" yaml:"risk,omitempty"`
	Values      []string `json:"values,omitempty" yaml:"values,omitempty"`
	Default     string   `json:"default,omitempty" yaml:"default,omitempty"`
	From        string   `json:"from,omitempty" yaml:"from,omitempty"`
	Expr        string   `json:"expr,omitempty" yaml:"expr,omitempty"`
	To          string   `json:"to,omitempty" yaml:"to,omitempty"`
	// Pattern is a regular expression that the whole of a string or text matches.
	Pattern string `json:"pattern,omitempty" yaml:"pattern,omitempty"`
	// Fields are those that a connection needs; a|b is one of both.
	Fields []string `json:"fields,omitempty" yaml:"fields,omitempty"`
}

// Run says how an instance is started: exactly one of the fields is set.
type Run struct {
	Binary  string `json:"binary,omitempty" yaml:"binary,omitempty"`
	Image   string `json:"image,omitempty" yaml:"image,omitempty"`
	Builtin bool   `json:"builtin,omitempty" yaml:"builtin,omitempty"`
}

// Resources are what an instance needs from the platform.
type Resources struct {
	Database bool    `json:"database,omitempty" yaml:"database,omitempty"`
	Bucket   bool    `json:"bucket,omitempty" yaml:"bucket,omitempty"`
	Memory   string  `json:"memory,omitempty" yaml:"memory,omitempty"`
	CPU      float64 `json:"cpu,omitempty" yaml:"cpu,omitempty"`
}

// UI is the plugin's micro-front-end.
type UI struct {
	Entry string   `json:"entry" yaml:"entry"`
	Pages []UIPage `json:"pages,omitempty" yaml:"pages,omitempty"`
	Cards []UICard `json:"cards,omitempty" yaml:"cards,omitempty"`
}

// UIPage is a page of the micro-front-end.
type UIPage struct {
	Path   string `json:"path" yaml:"path"`
	Export string `json:"export" yaml:"export"`
}

// UICard is a card that the micro-front-end puts on an object page.
type UICard struct {
	On     string `json:"on" yaml:"on"`
	Export string `json:"export" yaml:"export"`
}

// Raw is a convenience for building rows: it marshals v, which must be
// representable in JSON.
func Raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}
