// Package manifest reads plugin.yaml, which says what a plugin is and offers,
// into wire.Manifest and says everything that is wrong with it at once, each
// problem with its place.
//
// It is strict: keys that are not known, keys written twice, anchors and aliases
// are problems. A manifest that Parse returns without error has passed Validate;
// one that was made otherwise, such as from another package format, goes through
// Validate before it is used.
//
// The package reads no file and knows no other plugin: whether the plugins,
// types and settings that a manifest names exist is for the platform to say.
package manifest
