// Package excerpt shortens a text that a client sent, before the server repeats
// it in an answer, in the log or to an operator.
package excerpt

import (
	"strings"
	"unicode/utf8"
)

// maxLength is how many characters an excerpt may have.
const maxLength = 64

// Of returns a text or, if it is too long, its beginning and its end with an
// ellipsis between them. The end is as useful as the beginning: a browser's
// User-Agent names the browser there.
//
// The result is valid UTF-8. It shares no memory with the text, which may be a
// part of a whole request.
func Of(text string) string {
	if isTooLong(text) {
		text = shorten(text, maxLength/2)
	}
	return strings.ToValidUTF8(strings.Clone(text), "\uFFFD")
}

func isTooLong(text string) bool {
	return len(text) > maxLength && utf8.RuneCountInString(text) > maxLength
}

// shorten cuts the middle out of a text that is too long. It keeps the last tail
// characters, and as many of the first as then fit.
func shorten(text string, tail int) string {
	return firstRunes(text, maxLength-1-tail) + "…" + lastRunes(text, tail)
}

func firstRunes(text string, count int) string {
	end := 0
	for range count {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return text[:end]
}

func lastRunes(text string, count int) string {
	start := len(text)
	for range count {
		_, size := utf8.DecodeLastRuneInString(text[:start])
		start -= size
	}
	return text[start:]
}
