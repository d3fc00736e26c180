package sse

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
)

// Token is the secret of one socket: 128 random bits. Whoever holds it speaks
// for the socket. Its text form is 22 characters of unpadded base64url.
//
// A Token prints as "[secret]" wherever it is formatted or logged; only
// [Token.Secret] gives it away. The zero Token belongs to no socket.
type Token struct{ text string }

const tokenBytes = 16

var encoding = base64.RawURLEncoding.Strict()

// NewToken draws a fresh token from the system's secure random source.
func NewToken() Token {
	var random [tokenBytes]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return Token{encoding.EncodeToString(random[:])}
}

// ParseToken reads the text form of a token. It accepts exactly what
// [NewToken] can produce.
func ParseToken(text string) (Token, bool) {
	if len(text) != encoding.EncodedLen(tokenBytes) {
		return Token{}, false
	}
	var raw [tokenBytes]byte
	if _, err := encoding.Decode(raw[:], []byte(text)); err != nil {
		return Token{}, false
	}
	return Token{text}, true
}

// Secret returns the text form, for the client that owns the token.
func (t Token) Secret() string { return t.text }

// SocketID derives the public ID: base64url of the first 16 bytes of the
// SHA-256 of the token's text. Any node can tell from a token alone which
// socket it speaks for, and an ID gives nobody its token.
func (t Token) SocketID() string {
	sum := sha256.Sum256([]byte(t.text))
	return encoding.EncodeToString(sum[:tokenBytes])
}

// String hides the secret from formatted output.
func (Token) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Token) GoString() string { return "[secret]" }

// LogValue hides the secret from log/slog.
func (Token) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText hides the secret from encoders, which use it for any value that
// was not meant to be sent.
func (Token) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
