package decode

import (
	"fmt"
	"strings"
	"unicode"
)

// The characters of Unicode that set the direction of text (UAX #9, 2). Marks are harmless.
// An embedding or an override would change the text around a name. So would an isolate that
// does not end, and an end without an isolate.
const (
	firstEmbedding, lastOverride = '\u202a', '\u202e' // and their end, U+202C
	firstIsolate, lastIsolate    = '\u2066', '\u2068'
	endOfIsolate                 = '\u2069'
)

// invisible are the characters that show nothing by themselves: white space, format
// characters, marks that need a letter before them, fillers and all others that Unicode
// calls default ignorable (UAX #44), and blank.
var invisible = []*unicode.RangeTable{unicode.Z, unicode.Cf, unicode.Mn, unicode.Me, unicode.Other_Default_Ignorable_Code_Point, blank}

// blank are the blanks that Unicode counts among letters and signs: of Braille, of
// hieroglyphs, and of musical notation.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x13441, Hi: 0x13442, Stride: 1}, {Lo: 0x1d159, Hi: 0x1d159, Stride: 1}},
}

// WrongWithName returns what a text must be so that it can be shown as a name, or "" if
// it can. A name contains a visible character. It contains nothing that would change the
// text around it. A character that Go's tables do not know yet is visible: phones have
// new emoji before we do.
func WrongWithName(text string) string {
	isVisible := false
	isolates := 0 // that are open
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Sprintf("must not contain control characters, such as %U", r)
		case r == '\u2028', r == '\u2029':
			return fmt.Sprintf("must not contain line ends, such as %U", r)
		case r >= firstEmbedding && r <= lastOverride:
			return fmt.Sprintf("must not contain text-direction embeddings or overrides, such as %U", r)
		case r >= firstIsolate && r <= lastIsolate:
			isolates++
		case r == endOfIsolate:
			isolates--
		}
		if isolates < 0 {
			return "must not contain U+2069 without a text-direction isolate before it"
		}
		isVisible = isVisible || !unicode.In(r, invisible...)
	}
	switch {
	case isolates > 0:
		return "must end each text-direction isolate by U+2069"
	case !isVisible:
		return "must contain a visible character"
	}
	return ""
}

// IsVisible reports whether a text has only visible characters of ASCII, and no spaces.
func IsVisible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
