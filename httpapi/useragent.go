package httpapi

import (
	"strings"
	"unicode/utf8"
)

// cutUserAgent cuts a User-Agent as [cut] does, but keeps more of its end. A
// browser on a telephone names itself by the last 39 characters, and its system by
// the first 23.
func cutUserAgent(text string) string {
	if len(text) <= maxRepeated || utf8.RuneCountInString(text) <= maxRepeated {
		return cut(text)
	}
	const tail = 40
	return strings.ToValidUTF8(firstRunes(text, maxRepeated-tail-1)+"…"+lastRunes(text, tail), "\uFFFD")
}
