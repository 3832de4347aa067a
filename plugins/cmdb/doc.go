// Package cmdb is the plugin that keeps a configuration database: objects of
// types that people define while it runs.
//
// Definitions are objects themselves. cmdb:object_type and cmdb:object_attribute
// are changed like any other object, by the action types/define from one text,
// or by the action import/yaml together with objects. Whichever way, the whole
// model is checked at the end of the transaction, against itself and against the
// objects that exist: a definition that objects rely on cannot be broken, and the
// error names what to do first. What the checks promise:
//
//   - an object has no value that its type does not allow;
//   - a value never loses its attribute, and an object never its type;
//   - a reference leads to an object, or to another plugin;
//   - every change of an object or a definition has one entry in cmdb:history, in
//     the same commit.
//
// An attribute with observed: true holds two values: the desired one under its
// name and the observed one under name@observed.
//
// The plugin decides no rights. Objects of a type with a scope stand in the
// project that their scope attribute names, and so does their history.
package cmdb
