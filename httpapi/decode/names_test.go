package decode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesArePlain(t *testing.T) {
	const (
		control, lineEnd = "must not contain control characters, such as ", "must not contain line ends, such as "
		override         = "must not contain text-direction embeddings or overrides, such as "
		unended, unbegun = "must end each text-direction isolate by U+2069", "must not contain U+2069 without a text-direction isolate before it"
		invisible        = "must contain a visible character"
	)
	for name, want := range map[string]string{
		// What phone books and libraries for translations write.
		"\u2066+49 30 1234\u2069":                     "",
		"\u2068\u2067אדה\u2069 \u2066Bob\u2069\u2069": "",
		"אדה\u200f (1)":                               "",
		"\u200eBob\u200e":                             "",
		"\u061c١٢٣":                                   "",
		"\u2067\u2069x":                               "",
		// What would turn the text around it.
		"a\u202ab":                         override + "U+202A",
		"a\u202bb\u202c":                   override + "U+202B",
		"a\u202c":                          override + "U+202C",
		"a\u202db\u202c":                   override + "U+202D",
		"\u2068\u202eb\u202c\u2069":        override + "U+202E",
		"\u2066a":                          unended,
		"\u2067a\u2068b\u2069":             unended,
		"a\u2068":                          unended,
		"a\u2069":                          unbegun,
		"\u2069a\u2066":                    unbegun,
		"\u2066a\u2069\u2069":              unbegun,
		strings.Repeat("\u2066", 64) + "a": unended,
		strings.Repeat("\u2066", 60) + "a" + strings.Repeat("\u2069", 60): "",
		// Nothing to see.
		"":                     invisible,
		" \u00a0\u3000":        invisible,
		"\u200b\ufeff\u00ad":   invisible,
		"\u2066\u2069":         invisible,
		"\u200e\u200f\u061c":   invisible,
		"\U000e0001\U000e0020": invisible,
		"\u200d\u200c\u2060":   invisible,
		"\u3164":               invisible, // fillers of Hangul
		"\u115f\u1160\uffa0":   invisible,
		"\u17b4\u17b5":         invisible,
		"\u034f\ufe0f\u180b":   invisible,
		"\u2065\ufff0":         invisible, // reserved for characters that show nothing
		"\U000e0100\U000e0fff": invisible,
		"\u2800":               invisible, // Braille without a dot
		"\U0001d159":           invisible, // a note without a head
		"\U00013441\U00013442": invisible,
		"\u0301\u20dd":         invisible, // marks without a letter
		" \u3164 \u200b\u2800": invisible,
		// Invisible characters belong to many names.
		"👩\u200d👩\u200d👧\ufe0f":           "",
		"می\u200cخواهم":                   "",
		"🏴\U000e0067\U000e0062\U000e007f": "", // a flag
		"❤\ufe0f":                         "",
		"葛\U000e0100":                     "",
		"Zu\u00adcker\u00a0Mann\ufeff":    "",
		"e\u0301":                         "",
		"a\u3164b\u2800":                  "",
		"\u093f":                          "", // a vowel that stands beside its letter
		"ＡＢＣ\ufffd":                       "",
		// Unicode 16 and 17, and private use.
		"\U0001fae9": "",
		"\U0001fac8": "",
		"\uf8ff":     "",
		// More lines than one.
		"a\nb":     control + "U+000A",
		"a\x00":    control + "U+0000",
		"\x7f":     control + "U+007F",
		"a\u0085b": control + "U+0085",
		"a\u2028b": lineEnd + "U+2028",
		"\u2029":   lineEnd + "U+2029",
	} {
		require.Equal(t, want, WrongWithName(name), "%+q", name)
	}
}
