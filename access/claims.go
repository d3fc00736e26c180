package access

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// claims are the claims of a token (RFC 7519, section 4). Package json does not take the
// last of two members with one name, and does not read “SUB” as “sub”.
type claims struct {
	Subject    exactText      `json:"sub"`
	Room       roomPattern    `json:"room"`
	ExpiresAt  numericDate    `json:"exp"`
	NotBefore  numericDate    `json:"nbf"`
	IssuedAt   numericDate    `json:"iat"`
	MaxMembers memberLimit    `json:"max"`
	Can        Capabilities   `json:"can"`
	ID         jsontext.Value `json:"jti"` // of any type: old tokens may have anything
	Audience   jsontext.Value `json:"aud"` // of any type, unless the verifier demands an audience
	Issuer     jsontext.Value `json:"iss"` // likewise
}

const notAnObject = "the payload is not a JSON object in UTF-8"

// demands say what a claim must be. They are the end of a sentence.
var demands = map[string]string{
	"sub":  "must be text that is not empty",
	"room": "must be text that is not empty",
	"exp":  "must be a number: seconds since 1970",
	"nbf":  "must be a number: seconds since 1970",
	"iat":  "must be a number: seconds since 1970",
	"max":  "must be a whole number from 1",
	"can":  "must be a list of one or more of “signal”, “chat” and “observe”",
}

// exactText is text without half of a surrogate pair. Package json would read all halves
// as U+FFFD, and so two texts that differ as one.
type exactText string

var errHalfPair = errors.New("a text has half of a surrogate pair")

func (t *exactText) UnmarshalJSON(text []byte) error {
	err := json.Unmarshal(text, (*string)(t))
	if err != nil && text[0] == '"' {
		return errHalfPair
	}
	return err
}

// readClaims reads the payload of a token. If a claim is missing, has the wrong type or
// an impossible value, or is there twice, fault says so, and repeats no value.
func readClaims(payload []byte) (c claims, fault string) {
	c.Can = Signal | Chat
	if !utf8.Valid(payload) {
		return claims{}, notAnObject
	}
	// A claim that nobody reads may have half of a surrogate pair.
	if err := json.Unmarshal(payload, &c, jsontext.AllowInvalidUTF8(true)); err != nil {
		return claims{}, faultOf(err)
	}
	missing := ""
	switch {
	case c.Subject == "":
		missing = "sub"
	case c.Room == "":
		missing = "room"
	case c.ExpiresAt.IsZero():
		missing = "exp"
	default:
		return c, ""
	}
	return claims{}, "“" + missing + "” is missing, and " + demands[missing]
}

// faultOf returns what is wrong with a payload that cannot be read.
func faultOf(err error) string {
	var wrong *json.SemanticError
	var malformed *jsontext.SyntacticError
	switch {
	case errors.As(err, &wrong) && demands[memberOf(wrong.JSONPointer)] != "":
		claim := memberOf(wrong.JSONPointer)
		fault := "“" + claim + "” " + demands[claim]
		switch {
		case errors.Is(err, errMilliseconds):
			fault += ", and seems to be in milliseconds"
		case errors.Is(err, errHalfPair):
			fault += ", and has half of a surrogate pair"
		}
		return fault
	case errors.As(err, &malformed) && errors.Is(err, jsontext.ErrDuplicateName):
		if claim := memberOf(malformed.JSONPointer); demands[claim] != "" {
			return "“" + claim + "” is there twice"
		}
		return "a member is there twice"
	}
	return notAnObject
}

// numericDate is a time in seconds since 1970, with or without fractions
// (RFC 7519, section 2). The zero value means that the token does not have the claim.
type numericDate struct{ time.Time }

// endOfDates is the first second of the year 10000: from then on a year has five
// digits, which RFC 3339 cannot write.
const endOfDates = 253402300800

var errMilliseconds = errors.New("a time seems to be in milliseconds")

func (d *numericDate) UnmarshalJSON(text []byte) error {
	var seconds *float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	switch {
	case seconds == nil || *seconds < 0 || *seconds >= 1000*endOfDates:
		return errors.New("a time is a number of seconds between the years 1970 and 9999")
	case *seconds >= endOfDates:
		return errMilliseconds
	}
	d.Time = time.UnixMilli(int64(*seconds * 1000))
	return nil
}

// String returns the time as a claim at fault shows it.
func (d numericDate) String() string { return d.UTC().Format(time.RFC3339) }

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

// maxID is how many bytes an ID of a token may have.
const maxID = 256

// id returns “jti” if it is text that is not too long, else "".
func (c claims) id() string {
	var text string
	if json.Unmarshal(c.ID, &text) != nil || len(text) > maxID {
		return ""
	}
	return text
}

// roomPattern is a room's ID, or the beginning of room IDs followed by a “*”.
type roomPattern string

func (p *roomPattern) UnmarshalJSON(text []byte) error { return (*exactText)(p).UnmarshalJSON(text) }

// matches reports whether the pattern is for this room.
func (p roomPattern) matches(roomID string) bool {
	if prefix, open := strings.CutSuffix(string(p), "*"); open {
		return strings.HasPrefix(roomID, prefix)
	}
	return roomID == string(p)
}

// isFor reports whether “aud” is an audience, or a list that contains it (RFC 7519,
// 4.1.3).
func (c claims) isFor(audience string) bool {
	var list []string
	return textOf(c.Audience) == audience ||
		json.Unmarshal(c.Audience, &list) == nil && slices.Contains(list, audience)
}

// textOf returns the text in a claim, or "" if the claim is missing or not text.
func textOf(claim jsontext.Value) (text string) {
	if json.Unmarshal(claim, &text) != nil {
		return ""
	}
	return text
}
