// Package browser holds the client for browsers and Node.js. `make client` builds dist from
// src; both are in the repository, so nobody has to build anything.
package browser

import "embed"

// Files holds what the server delivers: dist/*.js and the types beside them. It is safe for
// use by several goroutines at once.
//
//go:embed dist/*.js *.d.ts
var Files embed.FS
