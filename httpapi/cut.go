package httpapi

import (
	"strings"
	"unicode/utf8"
)

// maxRepeated is how many characters of a client's own text an answer repeats.
const maxRepeated = 64

// cut returns what an answer may repeat of a text that a client sent: all of it,
// or its beginning and its end with an ellipsis between them. The end is worth as
// much as the beginning: it is where a browser's User-Agent names the browser.
//
// The result is valid UTF-8 and shares no memory with the text, which may be a
// part of a whole request.
func cut(text string) string {
	if len(text) > maxRepeated && utf8.RuneCountInString(text) > maxRepeated {
		const tail = maxRepeated / 2
		text = firstRunes(text, maxRepeated-tail-1) + "…" + lastRunes(text, tail)
	}
	return strings.ToValidUTF8(strings.Clone(text), "\uFFFD")
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
