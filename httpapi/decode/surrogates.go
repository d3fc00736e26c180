package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeLength is the length of an escape such as \u0041.
const escapeLength = len(`\u0000`)

// withoutLoneSurrogates returns a copy of JSON text that has the escape \ufffd in place of
// each escape of a lone surrogate. It reports whether there was one; if not, the copy is
// nil.
//
// A program that cuts a string of UTF-16 in the middle of an emoji writes half of it as
// \ud83d. That is JSON (RFC 8259, 8.2), but not Unicode, and some receivers refuse it.
// Browsers replace it in the same way (Infra, "convert a string into a scalar value string").
func withoutLoneSurrogates(text []byte) (repaired []byte, isRepaired bool) {
	for at := 0; ; {
		backslash := bytes.IndexByte(text[at:], '\\')
		if backslash < 0 {
			return repaired, repaired != nil
		}
		at += backslash
		switch unit := escapedUnit(text, at); {
		case !utf16.IsSurrogate(unit):
			at = min(at+len(`\\`), len(text))
		case utf16.DecodeRune(unit, escapedUnit(text, at+escapeLength)) != utf8.RuneError:
			at += 2 * escapeLength
		default:
			if repaired == nil {
				repaired = bytes.Clone(text)
			}
			copy(repaired[at:], `\ufffd`)
			at += escapeLength
		}
	}
}

// escapedUnit returns the UTF-16 code unit whose escape begins at a place, or -1 if no
// such escape begins there.
func escapedUnit(text []byte, at int) rune {
	var unit [2]byte
	if len(text) < at+escapeLength || text[at] != '\\' || text[at+1] != 'u' {
		return -1
	}
	if _, err := hex.Decode(unit[:], text[at+2:at+escapeLength]); err != nil {
		return -1
	}
	return rune(binary.BigEndian.Uint16(unit[:]))
}
