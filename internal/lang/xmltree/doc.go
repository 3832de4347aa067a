// Package xmltree reads XML into a tree and writes it back without loss.
//
// Parse keeps every node of a file: unknown elements, comments, instructions and
// white space; Document.Write gives them back byte for byte where nothing was
// changed. The languages that are XML (BPMN, DMN) lift what they understand out
// of the tree.
//
// Refused at once, before anything is built: a document type declaration (it
// could name other files or expand without bound), a second root element,
// duplicate attributes, and more than the limits allow. Problems carry
// the codes of the language that asks.
package xmltree
