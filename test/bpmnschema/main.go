// Bpmnschema writes the names of BPMN and of the Zeebe extension as the table that
// internal/lang/bpmn embeds, from the descriptors in the npm packages bpmn-moddle and
// zeebe-bpmn-moddle:
//
//	go run ./test/bpmnschema <bpmn.json> <zeebe.json> internal/lang/bpmn/schema/names.tsv
//
// A test then names what has no verdict in support.tsv yet.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type property struct {
	Name                                   string
	Type                                   string
	IsAttr, IsReference, IsBody, IsVirtual bool
	IsMany                                 bool
	XML                                    struct{ Serialize string }
}

type typ struct {
	Name       string
	SuperClass []string
	Extends    []string
	IsAbstract bool
	Properties []property
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "want the descriptors of BPMN and Zeebe, and the file to write")
		os.Exit(2)
	}
	var lines []string
	for _, source := range []struct{ prefix, path string }{{"bpmn", os.Args[1]}, {"zeebe", os.Args[2]}} {
		data, err := os.ReadFile(source.path)
		if err != nil {
			panic(err)
		}
		var d struct{ Types []typ }
		if err := json.Unmarshal(data, &d); err != nil {
			panic(err)
		}
		for _, t := range d.Types {
			lines = append(lines, describe(source.prefix, t)...)
		}
	}
	slices.Sort(lines)
	text := "# Written by test/bpmnschema. A type: its super types, or what it extends after +, abstract or not. An attribute: " +
		"Type@name. A child\n# that has its own tag: Type/name. A child that has the tag of its type: Type:name, with the type.\n" +
		strings.Join(slices.Compact(lines), "\n") + "\n"
	if err := os.WriteFile(os.Args[3], []byte(text), 0o644); err != nil {
		panic(err)
	}
}

func describe(prefix string, t typ) []string {
	full := func(name string) string {
		if strings.Contains(name, ":") {
			return strings.TrimPrefix(name, "bpmn:")
		}
		if prefix == "bpmn" {
			return name
		}
		return prefix + ":" + name
	}
	var above []string
	for _, s := range t.SuperClass {
		if s != "Element" {
			above = append(above, full(s))
		}
	}
	for _, s := range t.Extends {
		above = append(above, "+"+full(s))
	}
	kind := "concrete"
	if t.IsAbstract || len(t.Extends) > 0 {
		kind = "abstract"
	}
	lines := []string{fmt.Sprintf("%s\t%s\t%s", full(t.Name), kind, strings.Join(above, " "))}
	for _, p := range t.Properties {
		switch {
		case p.IsVirtual || p.IsBody:
		case p.IsAttr:
			lines = append(lines, full(t.Name)+"@"+p.Name+"\tattribute\t")
		case p.IsReference || p.Type == "String" || p.XML.Serialize != "":
			lines = append(lines, full(t.Name)+"/"+p.Name+"\tchild\t"+full(p.Type))
		default:
			lines = append(lines, full(t.Name)+":"+p.Name+"\tmember\t"+full(p.Type))
		}
	}
	return lines
}
