package bpmn

import "sextant/internal/lang/xmltree"

// Namespaces that carry a meaning here.
const (
	NamespaceBPMN    = "http://www.omg.org/spec/BPMN/20100524/MODEL"
	NamespaceZeebe   = "http://camunda.org/schema/zeebe/1.0"
	NamespaceSextant = "urn:sextant:bpmn:1"
)

// Limits of a file.
const (
	MaxBytes      = 16 << 20
	MaxDepth      = 64
	MaxAttributes = 256
	MaxNodes      = 1_000_000
)

// The tree of a file and what is wrong with it are those of all XML here.
type (
	// Document is a parsed file.
	Document = xmltree.Document
	// Node is a node of the tree.
	Node = xmltree.Node
	// Attr is an attribute as written.
	Attr = xmltree.Attr
	// Problem is one thing wrong with a file.
	Problem = xmltree.Problem
	// Error is a file that cannot be used, with everything that is wrong with it.
	Error = xmltree.Error
)

var codes = xmltree.Codes{
	TooLarge: "bpmn.too_large", Encoding: "bpmn.encoding", Doctype: "bpmn.doctype",
	Syntax: "bpmn.syntax", Empty: "bpmn.empty", SecondRoot: "bpmn.second_root",
	Prefix: "bpmn.prefix", DuplicateAttribute: "bpmn.duplicate_attribute",
	Depth: "bpmn.depth", Attributes: "bpmn.attributes", Nodes: "bpmn.nodes",
}

// Parse reads a file into its tree. The error is an *Error.
func Parse(data []byte) (*Document, error) {
	return xmltree.Parse(data, &codes, xmltree.Limits{Bytes: MaxBytes, Depth: MaxDepth, Attributes: MaxAttributes, Nodes: MaxNodes})
}
