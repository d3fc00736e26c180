// Package operators knows the operators of a server by their tokens, and what each may do.
package operators

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Scope is a part of what operators may do. The contract names the scope of each operation.
type Scope string

// The scopes.
const (
	Read     Scope = "read"     // see rooms, sockets, sums, webhooks, nodes and metrics
	Send     Scope = "send"     // send something to a room or to a socket
	Rooms    Scope = "rooms"    // close, lock and unlock rooms
	Sockets  Scope = "sockets"  // end sockets
	Revoke   Scope = "revoke"   // keep users and access tokens out
	Webhooks Scope = "webhooks" // have webhooks sent again
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{Read, Send, Rooms, Sockets, Revoke, Webhooks} }

// Admin is the name of the operator whose token is ADMIN_TOKEN. It may do everything.
const Admin = "admin"

// nameForm is the form of an operator's name.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// Operator is a person or a program that holds a token.
type Operator struct {
	Name   string
	scopes []Scope // nil: all
	digest [sha256.Size]byte
}

// May reports whether the operator may do what needs a scope.
func (o Operator) May(s Scope) bool { return o.scopes == nil || slices.Contains(o.scopes, s) }

// List is the operators of a server. It holds hashes of their tokens, not the tokens. The zero List
// has nobody. Any goroutine may call the methods.
type List struct{ all []Operator }

// NewList returns the operator [Admin], if its token is not empty, and others.
func NewList(adminToken string, others []Operator) List {
	if adminToken == "" {
		return List{others}
	}
	return List{append([]Operator{{Name: Admin, digest: sha256.Sum256([]byte(adminToken))}}, others...)}
}

// IsEmpty reports whether there is no operator.
func (l List) IsEmpty() bool { return len(l.all) == 0 }

// Find returns the operator who holds a token. It compares hashes with all of them, each in constant
// time: otherwise an attacker could find out a token piece by piece.
func (l List) Find(token string) (found Operator, isKnown bool) {
	digest := sha256.Sum256([]byte(token))
	for _, o := range l.all {
		if subtle.ConstantTimeCompare(digest[:], o.digest[:]) == 1 {
			found, isKnown = o, true
		}
	}
	return found, isKnown
}

// Issue makes a token for an operator, and the line with which [Parse] knows it again. The
// token has 128 random bits, so a hash without salt protects it. The error says what is wrong with
// the name or the scopes.
func Issue(name string, scopes []string) (token, line string, err error) {
	if _, err := parseScopes(scopes); err != nil {
		return "", "", err
	}
	token = rand.Text()
	digest := sha256.Sum256([]byte(token))
	line = fmt.Sprintf("%s %s sha256:%s", name, strings.Join(scopes, ","), hex.EncodeToString(digest[:]))
	_, err = parseLine(line)
	return token, line, err
}

// Parse reads operators: one on each line, or separated by semicolons. A line has a name, scopes
// separated by commas, and “sha256:” with the hash of the token in hexadecimal digits. A line that
// begins with # is a comment. The error repeats no hash.
func Parse(text string) (all []Operator, err error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ';' })
	for i, line := range lines {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		o, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("operator %d: %w", i+1, err)
		}
		for _, other := range all {
			if other.Name == o.Name {
				return nil, fmt.Errorf("two operators have the name %q", o.Name)
			}
			if other.digest == o.digest { // the log could not tell them apart
				return nil, fmt.Errorf("%q and %q have the same token", other.Name, o.Name)
			}
		}
		all = append(all, o)
	}
	return all, nil
}

var errForm = errors.New("a line has a name, scopes separated by commas, and “sha256:” with a hash in 64 hexadecimal digits")

func parseLine(line string) (o Operator, err error) {
	parts := strings.Fields(line)
	if len(parts) != 3 {
		return o, errForm
	}
	o.Name = parts[0]
	switch {
	case !nameForm.MatchString(o.Name):
		return o, errors.New("a name has up to 64 letters, digits, dots, hyphens, underscores and @, and begins with a letter or a digit")
	case o.Name == Admin:
		return o, fmt.Errorf("the name %q belongs to ADMIN_TOKEN", Admin)
	}
	if o.scopes, err = parseScopes(strings.Split(parts[1], ",")); err != nil {
		return o, err
	}
	digits, isSHA256 := strings.CutPrefix(parts[2], "sha256:")
	digest, err := hex.DecodeString(digits)
	if !isSHA256 || err != nil || len(digest) != sha256.Size {
		return o, errForm
	}
	copy(o.digest[:], digest)
	return o, nil
}

// parseScopes reads the names of scopes. The error repeats none: it may be a token.
func parseScopes(names []string) (scopes []Scope, err error) {
	for _, name := range names {
		if !slices.Contains(Scopes(), Scope(name)) {
			return nil, fmt.Errorf("something is not a scope: the scopes are %v", Scopes())
		}
		scopes = append(scopes, Scope(name))
	}
	return scopes, nil
}
