// Package browser holds the client for browsers and Node.js. `make client` builds dist from
// src. Both are in the repository, so nobody has to build anything.
package browser

import "embed"

// Files holds what the server delivers: dist/*.js, the types, and the reader of event streams,
// which the doctor's page loads as it is. It is safe for use by several goroutines at once.
//
//go:embed dist/*.js *.d.ts src/event-stream.js
var Files embed.FS
