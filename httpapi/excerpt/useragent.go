package excerpt

import "strings"

// UserAgent shortens a User-Agent as [Of] does, but keeps more of its end. A
// browser on a telephone names itself in the last 39 characters, and its system in
// the first 23.
func UserAgent(text string) string {
	if !isTooLong(text) {
		return Of(text)
	}
	const tail = 40
	return strings.ToValidUTF8(shorten(text, tail), "\uFFFD")
}
