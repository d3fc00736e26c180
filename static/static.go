// Package static holds what a browser gets from this server: the landing page,
// the demo and what they share. They are plain files, built by nothing, and
// embedded so that the server stays one binary.
package static

import "embed"

// Files holds index.html (the landing page), demo/ and assets/. Only these are
// named, so that nothing else in this directory is ever served.
//
//go:embed index.html demo assets
var Files embed.FS
