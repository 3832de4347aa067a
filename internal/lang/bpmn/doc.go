// Package bpmn reads and writes BPMN 2.0 XML without loss.
//
// Parse builds a tree of every node of the file, see xmltree: unknown
// extensions, the diagram, comments and white space are kept, and
// Document.Write gives them back byte for byte where nothing was changed. Read
// lifts the processes, their elements, flows and the extension elements of the
// namespaces zeebe and sextant out of the tree; whatever cannot be understood
// becomes a Problem with element id, line and column.
//
// The package decides about form only. What can be executed is decided by
// engine/program.
//
// Refused at once, before anything is built: a document type declaration (it
// could name other files or expand without bound), a second root element,
// duplicate attributes, more than 64 levels, 256 attributes on an element, a
// million nodes or 16 MiB of text.
package bpmn
