// Package static holds the pages: the landing page, the demo, the doctor, the dashboard, the
// reference, and what they share. They are embedded, so the server stays one binary.
//
// They are plain files without a build. So each page has its own head and header, although some
// lines are the same in all of them: sharing these lines would take a build or a template.
package static

import "embed"

// Files holds index.html (the landing page), demo/, doctor/, dashboard/, reference/ and
// assets/. Only these are embedded, so nothing else in this folder is ever served. It is safe
// for use by several goroutines at once.
//
//go:embed index.html demo doctor dashboard reference assets
var Files embed.FS
