package access

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxTokenSize bounds the work that anybody's token makes before it is known
	// to be signed.
	maxTokenSize = 8 << 10 // bytes

	// leeway is by how much the issuer's clock may be ahead of ours: nbf and iat
	// may be so far in the future. A token ends when its exp says.
	leeway = 30 * time.Second
)

// Verifier checks access tokens. Any number of goroutines may use it at once.
type Verifier struct {
	parser *jwt.Parser
	keys   jwt.Keyfunc
	close  func()
}

// NewVerifier makes a verifier by the given keys. The error says what is wrong
// with them, and repeats nothing of them.
//
// With a JWKS URL it fetches the keys, which takes some seconds at most, and
// then again from time to time until the context ends or Close is called. That
// they cannot be fetched is no error: it is logged and tried again, and until
// there are keys all tokens are denied. Without a logger it is not told.
func NewVerifier(ctx context.Context, keys Keys, logger *slog.Logger) (*Verifier, error) {
	return newVerifier(ctx, keys, logger, usualPace)
}

func newVerifier(ctx context.Context, keys Keys, logger *slog.Logger, pace pace) (*Verifier, error) {
	if keys.kinds() != 1 {
		return nil, errNotOneKind
	}
	switch {
	case keys.PublicKey != nil:
		method, err := methodOf(keys.PublicKey)
		if err != nil {
			return nil, err
		}
		return verifierBy(always(keys.PublicKey), func() {}, method), nil
	case keys.JWKSURL != "":
		set, err := openKeySet(ctx, keys.JWKSURL, logger, pace)
		if err != nil {
			return nil, err
		}
		return verifierBy(set.keyOf, set.close, jwt.SigningMethodRS256, jwt.SigningMethodES256, jwt.SigningMethodEdDSA), nil
	}
	if err := checkSecret(keys.Secret); err != nil {
		return nil, err
	}
	return verifierBy(always(bytes.Clone(keys.Secret)), func() {}, jwt.SigningMethodHS256), nil
}

// verifierBy makes a verifier that takes the given methods only.
func verifierBy(keys jwt.Keyfunc, closeKeys func(), methods ...jwt.SigningMethod) *Verifier {
	var names []string
	for _, method := range methods {
		names = append(names, method.Alg())
	}
	return &Verifier{
		parser: jwt.NewParser(
			jwt.WithValidMethods(names),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(time.Now),
		),
		keys:  withoutExtensions(keys),
		close: closeKeys,
	}
}

// always is the key of every token.
func always(key any) jwt.Keyfunc {
	return func(*jwt.Token) (any, error) { return key, nil }
}

var errExtension = errors.New("the token has extensions that must be understood")

// withoutExtensions refuses tokens which say that somebody who does not know
// some extension must not take them (RFC 7515, 4.1.11).
func withoutExtensions(keys jwt.Keyfunc) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if _, critical := token.Header["crit"]; critical {
			return nil, errExtension
		}
		return keys(token)
	}
}

// Verify tells what a token grants to a user who wants to join a room (RFC 7519,
// 7.2). The error is always a *Denial; of a token that is wrong in several ways
// it tells the first of the Reasons. With a JWKS URL, a token of a key that is
// not known may wait some seconds until the keys have been fetched again.
func (v *Verifier) Verify(token, roomID, userID string) (Grant, error) {
	if token == "" {
		return Grant{}, &Denial{Missing}
	}
	said, err := v.read(token)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Grant{}, &Denial{Expired}
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return Grant{}, &Denial{NotYetValid}
	case err != nil:
		return Grant{}, &Denial{Invalid}
	case !said.Room.matches(roomID):
		return Grant{}, &Denial{OtherRoom}
	case said.Subject != userID:
		return Grant{}, &Denial{OtherUser}
	}
	return Grant{said.ExpiresAt.Time, int(said.MaxMembers), said.Can}, nil
}

// read returns what a token says, if its signature holds and it is its time.
// Package jwt looks at the times last, so errors about them are about tokens
// that are signed.
func (v *Verifier) read(token string) (*claims, error) {
	// Decoding base64 skips line ends, so that one token could be written in many
	// ways.
	if len(token) > maxTokenSize || strings.ContainsAny(token, "\r\n") {
		return nil, jwt.ErrTokenMalformed
	}
	said := new(claims)
	if _, err := v.parser.ParseWithClaims(token, said, v.keys); err != nil {
		return nil, err
	}
	if !time.Now().Before(said.ExpiresAt.Time) {
		return nil, jwt.ErrTokenExpired
	}
	return said, nil
}

// Close ends the fetching of keys, and returns when it has ended. It may be
// called more than once. Keys that were fetched are still known afterwards.
func (v *Verifier) Close() { v.close() }
