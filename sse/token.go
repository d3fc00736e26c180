package sse

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
)

// Token is the secret of one socket: 128 random bits. Anyone who has it speaks for the
// socket. Its text form is 22 characters of base64url without padding (RFC 4648, 5).
//
// A Token prints as "[secret]" when it is formatted, encoded or logged. Only
// [Token.Secret] returns its text. The zero Token does not belong to any socket.
type Token struct{ text string }

const tokenBytes = 16

var base64url = base64.RawURLEncoding.Strict()

// NewToken returns a new token from the system's secure random source.
func NewToken() Token {
	var random [tokenBytes]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return Token{base64url.EncodeToString(random[:])}
}

// ParseToken reads the text form of a token. It accepts exactly what [NewToken] can
// return. It does not know whether a socket has this token.
func ParseToken(text string) (Token, bool) {
	if len(text) != base64url.EncodedLen(tokenBytes) {
		return Token{}, false
	}
	var raw [tokenBytes]byte
	if _, err := base64url.Decode(raw[:], []byte(text)); err != nil {
		return Token{}, false
	}
	return Token{text}, true
}

// Secret returns the text form, for the client that owns the token.
func (t Token) Secret() string { return t.text }

// SocketID returns the public ID: base64url of the first 16 bytes of the SHA-256 of the
// token's text. Any node knows from a token alone which socket it speaks for, and nobody
// can learn a token from an ID.
func (t Token) SocketID() string {
	id := make([]byte, socketIDLength)
	t.putSocketID(id)
	return string(id)
}

// socketIDLength is how many characters a socket ID has.
const socketIDLength = 22

// putSocketID writes the public ID.
func (t Token) putSocketID(id []byte) {
	sum := sha256.Sum256([]byte(t.text))
	base64url.Encode(id, sum[:tokenBytes])
}

// String hides the secret from formatted output.
func (Token) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (Token) GoString() string { return "[secret]" }

// LogValue hides the secret from log/slog.
func (Token) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText hides the secret from encoders. A token that is meant to be sent goes
// through [Token.Secret].
func (Token) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
