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
	// maxTokenSize bounds the work that a token causes before its signature is
	// checked: anybody can send a token.
	maxTokenSize = 8 << 10 // bytes

	// leeway is how far the issuer's clock may be ahead of ours: nbf and iat may be this
	// far in the future. There is no leeway for exp.
	leeway = 30 * time.Second
)

// Verifier checks access tokens. Several goroutines may use it at once, because its
// fields are set once.
type Verifier struct {
	parser *jwt.Parser
	keys   jwt.Keyfunc
	close  func()
}

// NewVerifier returns a verifier that uses these keys. The error says what is wrong with
// the keys, and repeats nothing of them.
//
// With a JWKS URL it fetches the keys first, which takes some seconds at most. It then
// fetches them again from time to time, until ctx ends or Close is called. A fetch that
// fails is not an error: it is logged and tried again. All tokens are denied until
// there are keys. A nil logger logs nothing.
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

// verifierBy returns a verifier that accepts only these methods.
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

// always returns the same key for every token.
func always(key any) jwt.Keyfunc {
	return func(*jwt.Token) (any, error) { return key, nil }
}

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

// read returns the claims of a token if its signature is valid and the token is valid
// now. Package jwt checks the times last: an error about them means that the
// signature is valid.
func (v *Verifier) read(token string) (*claims, error) {
	// Decoding base64 skips line ends: with them, one token could have many forms.
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

// Close stops the fetching of keys, and returns when it has stopped. It may be called
// more than once. The verifier still works with the keys that it has.
func (v *Verifier) Close() { v.close() }
