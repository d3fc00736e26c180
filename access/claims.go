package access

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// claims are the claims of a token (RFC 7519, section 4). Reading them fails if a claim
// has the wrong type or an impossible value, or if it is there twice.
type claims struct {
	Subject    string       `json:"sub"`
	Room       roomPattern  `json:"room"`
	ExpiresAt  numericDate  `json:"exp"`
	NotBefore  numericDate  `json:"nbf"`
	IssuedAt   numericDate  `json:"iat"`
	MaxMembers memberLimit  `json:"max"`
	Can        Capabilities `json:"can"`
}

// UnmarshalJSON reads the claims for package jwt. The JSON reader of package jwt
// accepts too much: it takes the last of two members with the same name, and it reads
// “SUB” as “sub”.
func (c *claims) UnmarshalJSON(text []byte) error {
	type plain claims
	read := plain{Can: Signal | Chat}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	if read.Subject == "" || read.Room == "" {
		return errors.New("a token needs sub and room")
	}
	*c = claims(read)
	return nil
}

// numericDate is a time in seconds since 1970, with or without fractions
// (RFC 7519, section 2). The zero value means that the token does not have the claim.
type numericDate struct{ time.Time }

// endOfDates is the first second of the year 10000: from then on a year has five
// digits, which RFC 3339 cannot write.
const endOfDates = 253402300800

func (d *numericDate) UnmarshalJSON(text []byte) error {
	var seconds *float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	if seconds == nil || *seconds < 0 || *seconds >= endOfDates {
		return errors.New("a time is a number of seconds between the years 1970 and 9999")
	}
	d.Time = time.UnixMilli(int64(*seconds * 1000))
	return nil
}

// claim returns the date for package jwt, or nil if the token does not have it.
func (d numericDate) claim() (*jwt.NumericDate, error) {
	if d.IsZero() {
		return nil, nil
	}
	return &jwt.NumericDate{Time: d.Time}, nil
}

// memberLimit is how many members a room may have, or 0 if the token does not say it.
type memberLimit int

func (l *memberLimit) UnmarshalJSON(text []byte) error {
	var limit int
	if err := json.Unmarshal(text, &limit); err != nil {
		return err
	}
	if limit < 1 {
		return errors.New("a limit of members is positive")
	}
	*l = memberLimit(limit)
	return nil
}

// roomPattern is a room's ID, or the beginning of room IDs followed by a “*”.
type roomPattern string

// matches reports whether the pattern is for this room.
func (p roomPattern) matches(roomID string) bool {
	if prefix, open := strings.CutSuffix(string(p), "*"); open {
		return strings.HasPrefix(roomID, prefix)
	}
	return roomID == string(p)
}

// These methods implement jwt.Claims.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt.claim() }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore.claim() }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt.claim() }
func (c *claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *claims) GetIssuer() (string, error)                   { return "", nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }
