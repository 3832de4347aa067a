// Package objectpath is the language that finds objects and attributes by
// following references between the types of plugins:
//
//	multi     = item *( "#DME#" item )
//	item      = path [ "#DMEOP#" operation ]
//	path      = node *( link ) [ "." attribute [ "@observed" ] ]
//	relative  = [ "." attribute ">" node *( link ) / "~(" attribute ")" node *( link ) ] "." attribute
//	link      = "." attribute ">" node      ; the attribute holds ids of the node
//	          / "~(" attribute ")" node     ; the node's attribute holds ids of this
//	node      = package ":" type *( filter )
//	filter    = "{" attribute operator value "}"
//	operator  = eq neq like notLike gt lt in is isnot
//	value     = "'" text "'" / "[" "'" text "'" *( "," "'" text "'" ) "]" / number / NULL
//
// White space between the parts is free. In a text a quote is written twice, and
// "@@id@@label" stands for id: the label is for people. A path without attribute
// ends at the id of its objects, and one that ends in ".NONE" maps to nothing.
//
// The package parses, prints and plans; it reads no object. An evaluator walks a
// Plan, asking once per hop for all rows and all paths together, and hands the
// answers to Collect.
package objectpath
