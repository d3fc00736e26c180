package decode

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a browser reads with JSON.parse, and makes Unicode with toWellFormed, is what the
// receiver of a repaired text reads.
func TestLoneSurrogatesAreReplaced(t *testing.T) {
	for text, want := range map[string]string{
		`"\ud83d"`:                   `"\ufffd"`,
		`"\uDE00"`:                   `"\ufffd"`,
		`"\uD83D\uDE00"`:             `"\uD83D\uDE00"`,
		`"\ud83d\ud83d\ude00"`:       `"\ufffd\ud83d\ude00"`,
		`"\ud83d\ude00\ude00"`:       `"\ud83d\ude00\ufffd"`,
		`"\ude00\ud83d"`:             `"\ufffd\ufffd"`,
		`"\ud83dx\ude00"`:            `"\ufffdx\ufffd"`,
		`"\ud83d\n\ude00"`:           `"\ufffd\n\ufffd"`,
		`"\ud83d\u0041"`:             `"\ufffd\u0041"`,
		`"\ud83d","\ude00"`:          `"\ufffd","\ufffd"`,
		`"\\ud83d"`:                  `"\\ud83d"`,
		`"\\\ud83d\\"`:               `"\\\ufffd\\"`,
		`"\\\\ud83d\"\ude00"`:        `"\\\\ud83d\"\ufffd"`,
		`"\ud7ff\ue000\ufffd\uffff"`: `"\ud7ff\ue000\ufffd\uffff"`,
		`"\ud83d\u12"`:               `"\ufffd\u12"`,
		`"\ud83`:                     `"\ud83`,
		`"\ud83d\`:                   `"\ufffd\`,
		`"\uD83g\`:                   `"\uD83g\`,
		`{"\udbff":{"\udfff":[]}}`:   `{"\ufffd":{"\ufffd":[]}}`,
		"\"\\ud83d\xff\"":            "\"\\ufffd\xff\"",
	} {
		body := []byte(text)
		repaired, isRepaired := withoutLoneSurrogates(body)
		require.Equal(t, want != text, isRepaired, text)
		if isRepaired {
			require.Equal(t, want, string(repaired))
		}
		require.Equal(t, text, string(body), "the body does not change")
	}
}
