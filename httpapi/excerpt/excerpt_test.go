package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestALongTextLosesItsMiddle(t *testing.T) {
	const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	for text, want := range map[string]string{
		"":                      "",
		"roomID":                "roomID",
		strings.Repeat("x", 64): strings.Repeat("x", 64),
		strings.Repeat("ü", 64): strings.Repeat("ü", 64),
		strings.Repeat("ü", 65): strings.Repeat("ü", 31) + "…" + strings.Repeat("ü", 32),
		chrome:                  "Mozilla/5.0 (X11; Linux x86_64)…) Chrome/156.0.0.0 Safari/537.36",
		"\xff":                  "\uFFFD",
	} {
		require.Equal(t, want, Of(text))
	}
}

func FuzzOf(f *testing.F) {
	f.Add(strings.Repeat("<", 15_500))
	f.Add(strings.Repeat("\xff", 80))
	f.Fuzz(func(t *testing.T, text string) {
		short := Of(text)
		require.True(t, utf8.ValidString(short))
		require.LessOrEqual(t, utf8.RuneCountInString(short), maxLength)
	})
}
