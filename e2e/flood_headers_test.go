package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Attacks by headers that are not complete. The server must parse a header before it
// knows what the request is, and many short fields take much more memory than their
// bytes.

const headerBegins = "GET /livez HTTP/1.1\r\nHost: localhost\r\n"

// shortFields returns the shortest fields of a header.
func shortFields(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "%x:\n", i)
	}
	return text.String()
}

// Half of the headers come behind a whole request: their connections look idle.
func TestAttackHeadersOfManyFields(t *testing.T) {
	needsFiles(t, 10_000)
	s := besiege(t)
	s.letStrangersIn()
	header := headerBegins + shortFields(4000)
	s.each(2000, dialers, func(*asker, int) {
		s.sayOnce(header)
		s.sayOnce(headerBegins + "\r\n" + header)
	})
	s.hold(2 * time.Second)
	// Headers of a busy machine wait until they are parsed. All of them, kept, would be 372 MiB.
	s.expectAtMost(128<<20, int(s.resident("VmHWM")), "bytes resident at worst: such headers are not kept")
	s.lift()
}

// Each header has almost as many fields, and as many bytes, as are allowed.
func TestAttackUnfinishedHeadersFromManyAddresses(t *testing.T) {
	needsFiles(t, 10_000)
	s := besiege(t)
	header := headerBegins + shortFields(240) + "Cookie: " + strings.Repeat("x", 18_000)
	s.each(4000, dialers, func(_ *asker, n int) { s.sayOnceFrom(fmt.Sprintf("127.0.1.%d", 1+n%20), header) })
	s.hold(2 * time.Second)
	s.lift()
}
