// Package static holds what a browser gets from this server: the landing page,
// the demo, the doctor, the dashboard, the reference, what they share, and the client that other
// pages use. They are embedded so that the server stays one binary. The pages are
// plain files, built by nothing; of the client, client/build.sh makes client/dist.
package static

import "embed"

// Files holds index.html (the landing page), demo/, doctor/, dashboard/, docs/, assets/ and
// client/. Only these are named, so that nothing else in this directory is ever served.
//
//go:embed index.html demo doctor dashboard docs assets client/dist/*.js client/*.d.ts
var Files embed.FS
