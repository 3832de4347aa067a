package builtin

import (
	"strings"

	"sextant/internal/lang/feel/value"
)

// signatures are the types of parameters and results by function, as the first
// parameter list of each has them: "number, number -> number". T stands for what
// the list that comes first holds, ? for anything.
var signatures = map[string]string{
	"get value": "context, ? -> ?", "get entries": "context -> list", "get or else": "?, ? -> ?",
	"is defined": "? -> boolean", "context": "list -> context",
	"context put": "context, ?, ? -> context", "context merge": "list -> context", "put": "context, string, ? -> context",
	"put all": "list -> context", "from base64": "string -> string", "uuid": "-> string", "random number": "-> number",
	"and": "list<boolean> -> boolean", "or": "list<boolean> -> boolean", "is": "?, ? -> boolean",
	"to json": "? -> string", "from json": "string -> ?", "assert": "?, boolean, string -> ?",

	"list contains": "list<T>, T -> boolean", "count": "list -> number", "min": "list<T> -> T",
	"max": "list<T> -> T", "sum": "list<T> -> T", "product": "list<number> -> number",
	"mean": "list<T> -> T", "median": "list<number> -> number", "stddev": "list<number> -> number",
	"mode": "list<number> -> list<number>", "all": "list<boolean> -> boolean",
	"any": "list<boolean> -> boolean", "sublist": "list<T>, number, number -> list<T>",
	"append": "list<T>, T -> list<T>", "concatenate": "list<T> -> list<T>",
	"union": "list<T> -> list<T>", "insert before": "list<T>, number, T -> list<T>",
	"remove": "list<T>, number -> list<T>", "list replace": "list<T>, ?, T -> list<T>",
	"reverse": "list<T> -> list<T>", "index of": "list<T>, T -> list<number>",
	"distinct values": "list<T> -> list<T>", "duplicate values": "list<T> -> list<T>", "flatten": "list -> list",
	"sort": "list<T>, function -> list<T>", "is empty": "list -> boolean", "partition": "list<T>, number -> list<list<T>>",

	"not": "boolean -> boolean", "number": "string, string, string -> number",
	"decimal": "number, number, string -> number", "floor": "number, number -> number", "ceiling": "number, number -> number",
	"round up": "number, number -> number", "round down": "number, number -> number",
	"round half up": "number, number -> number", "round half down": "number, number -> number",
	"abs": "number -> number", "modulo": "number, number -> number", "sqrt": "number -> number",
	"log": "number -> number", "exp": "number -> number", "odd": "number -> boolean", "even": "number -> boolean",

	"range": "string -> range", "before": "?, ? -> boolean", "after": "?, ? -> boolean",
	"meets": "range, range -> boolean", "met by": "range, range -> boolean", "overlaps": "range, range -> boolean",
	"overlaps before": "range, range -> boolean", "overlaps after": "range, range -> boolean",
	"includes": "range, ? -> boolean", "during": "?, range -> boolean", "starts": "?, range -> boolean",
	"started by": "range, ? -> boolean", "finishes": "?, range -> boolean",
	"finished by": "range, ? -> boolean", "coincides": "?, ? -> boolean",

	"date": "? -> date", "time": "? -> time", "date and time": "? -> date and time",
	"duration": "string -> ?", "years and months duration": "date, date -> years and months duration",
	"now": "-> date and time", "today": "-> date", "day of week": "date -> string",
	"day of year": "date -> number", "month of year": "date -> string", "week of year": "date -> number",
	"last day of month": "date -> date",

	"string": "? -> string", "substring": "string, number, number -> string",
	"string length": "string -> number", "upper case": "string -> string", "lower case": "string -> string",
	"trim": "string -> string", "is blank": "string -> boolean", "substring before": "string, string -> string",
	"substring after": "string, string -> string", "contains": "string, string -> boolean",
	"starts with": "string, string -> boolean", "ends with": "string, string -> boolean",
	"matches": "string, string, string -> boolean", "replace": "string, string, string, string -> string",
	"split": "string, string -> list<string>", "extract": "string, string -> list<string>",
	"string join": "list<string>, string, string, string -> string", "to base64": "string -> string",
	"fromAi": "?, string, string, context -> ?",
}

// Signature gives the types of the parameters and of the result of a function,
// nil for what may be anything. given are the types of the arguments as far as
// they are known: what a list holds decides what min gives, say.
func (f *Func) Signature(given []*value.Type) (params []*value.Type, result *value.Type) {
	left, right, _ := strings.Cut(signatures[f.Name], "->")
	var elem *value.Type
	if len(given) > 0 && given[0] != nil {
		if elem = given[0]; elem.Kind == value.KindList {
			elem = elem.Elem
		}
		if f.variadic && len(given) > 1 {
			elem = common(given)
		}
	}
	if left = strings.TrimSpace(left); left != "" {
		for _, text := range strings.Split(left, ",") {
			params = append(params, signatureType(strings.TrimSpace(text), elem))
		}
	}
	return params, signatureType(strings.TrimSpace(right), elem)
}

// common is the type that all have, or nil.
func common(types []*value.Type) *value.Type {
	for _, t := range types[1:] {
		if t == nil || !t.Conforms(types[0]) {
			return nil
		}
	}
	return types[0]
}

func signatureType(text string, elem *value.Type) *value.Type {
	if inner, ok := strings.CutPrefix(text, "list<"); ok {
		return value.ListType(signatureType(strings.TrimSuffix(inner, ">"), elem))
	}
	switch text {
	case "T":
		return elem
	case "?":
		return nil
	}
	t, _ := value.NamedType(text)
	return t
}
