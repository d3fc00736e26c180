package access

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxTokenSize bounds the work that a token causes before its signature is
	// checked: anybody can send a token. A token of an identity provider that lists 200
	// groups has 11 KiB.
	maxTokenSize = 16 << 10 // bytes

	// leeway is how far the issuer's clock may be ahead of ours: nbf and iat may be this
	// far in the future. There is no leeway for exp.
	leeway = 30 * time.Second
)

// Options say which tokens a Verifier accepts.
type Options struct {
	Keys
	// Audiences, if there are any: a token's “aud” must contain one of them (RFC 7519,
	// 4.1.3). None of them is empty.
	Audiences []string
	// Issuers, if there are any: a token's “iss” must be one of them, byte by byte (RFC
	// 7519, 4.1.1). None of them is empty.
	Issuers []string
	// Logger receives what is wrong with the keys at JWKSURL. If it is nil, nothing is
	// logged.
	Logger *slog.Logger
}

// Verifier checks access tokens. Several goroutines may use it at once, because its
// fields are set once.
type Verifier struct {
	parser    *jwt.Parser
	keys      jwt.Keyfunc
	audiences []string
	issuers   []string
	close     func()
}

// NewVerifier returns a verifier with these options. The error says what is wrong with
// them, and repeats nothing of the keys.
//
// With a JWKS URL it fetches the keys first, which takes some seconds at most. It then
// fetches them again from time to time, until ctx ends or Close is called. A fetch that
// fails is not an error: it is logged and tried again. All tokens are denied until
// there are keys.
func NewVerifier(ctx context.Context, o Options) (*Verifier, error) {
	return newVerifier(ctx, o, usualPace)
}

func newVerifier(ctx context.Context, o Options, pace pace) (*Verifier, error) {
	if slices.Contains(o.Audiences, "") || slices.Contains(o.Issuers, "") {
		return nil, errEmptyDemand
	}
	keys, closeKeys, err := o.open(ctx, o.Logger, pace)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		parser:    jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding()),
		keys:      withoutExtensions(keys),
		audiences: slices.Clone(o.Audiences),
		issuers:   slices.Clone(o.Issuers),
		close:     closeKeys,
	}, nil
}

var errEmptyDemand = errors.New("an audience or an issuer that tokens must have is not empty")

var errExtension = errors.New("the token has extensions that the verifier must understand")

// withoutExtensions rejects tokens that carry “crit”: it lists extensions that the
// verifier must understand, and we understand none (RFC 7515, 4.1.11).
func withoutExtensions(keys jwt.Keyfunc) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if _, critical := token.Header["crit"]; critical {
			return nil, errExtension
		}
		return keys(token)
	}
}

// Verify returns what a token grants to a user who wants to join a room (RFC 7519, 7.2).
// The error is always a *Denial. If several reasons apply, it has the reason that comes
// first among the constants. With a JWKS URL, a token with an unknown key may wait some
// seconds while the keys are fetched again.
func (v *Verifier) Verify(token, roomID, userID string) (Grant, error) {
	if token == "" {
		return Grant{}, &Denial{Reason: Missing}
	}
	payload, err := v.open(token)
	switch {
	case errors.Is(err, errNotFetched):
		return Grant{}, &Denial{Reason: NoKeys}
	case err != nil:
		return Grant{}, &Denial{Reason: Invalid}
	}
	said, fault := readClaims(payload)
	if fault != "" {
		return Grant{}, &Denial{Invalid, fault}
	}
	if denial := v.deny(said, roomID, userID); denial != nil {
		return Grant{}, denial
	}
	return Grant{said.ExpiresAt.Time, int(said.MaxMembers), said.Can, said.id()}, nil
}

// open returns the payload of a token if its signature is valid. Until then nothing
// reads the claims: a token that is not signed learns nothing about them, not even by
// the time that the answer takes.
func (v *Verifier) open(token string) ([]byte, error) {
	// Decoding base64 skips line ends: with them, one token could have many forms.
	if len(token) > maxTokenSize || strings.ContainsAny(token, "\r\n") {
		return nil, jwt.ErrTokenMalformed
	}
	read := new(payload)
	_, err := v.parser.ParseWithClaims(token, read, v.keys)
	return read.text, err
}

// payload keeps the claims of a token as they are written.
type payload struct {
	jwt.Claims // nil: package jwt does not check the claims
	text       []byte
}

// UnmarshalJSON implements the reading of package jwt.
func (p *payload) UnmarshalJSON(text []byte) error {
	p.text = bytes.Clone(text)
	return nil
}

// deny returns why claims do not let this user join this room now, or nil if they do.
func (v *Verifier) deny(said claims, roomID, userID string) *Denial {
	now := numericDate{time.Now()}
	soon := now.Add(leeway)
	clock := ", and the server's clock shows " + now.String()
	switch {
	case !now.Before(said.ExpiresAt.Time):
		return &Denial{Expired, "“exp” is " + said.ExpiresAt.String() + clock}
	case said.NotBefore.After(soon):
		return &Denial{NotYetValid, "“nbf” is " + said.NotBefore.String() + clock}
	case said.IssuedAt.After(soon):
		return &Denial{NotYetValid, "“iat” is " + said.IssuedAt.String() + clock}
	case len(v.issuers) > 0 && !slices.Contains(v.issuers, textOf(said.Issuer)):
		return &Denial{OtherIssuer, "“iss” must be an issuer that this server accepts"}
	case len(v.audiences) > 0 && !slices.ContainsFunc(v.audiences, said.isFor):
		return &Denial{OtherAudience, "“aud” must contain an audience of this server"}
	case !said.Room.matches(roomID):
		return &Denial{OtherRoom, "“room” is not for the roomId of this event"}
	case string(said.Subject) != userID:
		return &Denial{OtherUser, "“sub” is not the userId of this event"}
	}
	return nil
}

// Close stops the fetching of keys, and returns when it has stopped. It may be called
// more than once. The verifier still works with the keys that it has.
func (v *Verifier) Close() { v.close() }
