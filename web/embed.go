// Package web is the console: a Vue application in src/, built into dist/ and
// served from the binary. Without a build the binary serves a page that says so.
package web

import "embed"

// dist is what `npm run build` writes.
//
//go:embed all:dist
var dist embed.FS

// fallback is shown where the binary was built without the console.
//
//go:embed fallback.html
var fallback []byte
