// Package docs is the manual, for the console's help.
package docs

import "embed"

// Files are the documents by their path.
//
//go:embed guide operate plugin-authors reference design img
var Files embed.FS
