// Package iceservers tells clients through which STUN and TURN servers they reach
// each other: the same for all, and, of TURN servers that share a secret with us,
// with credentials that are the client's own and run out.
package iceservers

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Server is an RTCIceServer (WebRTC, 4.2.4).
type Server struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Provider tells clients their servers. The zero one tells of none. Any goroutine
// may call its methods.
type Provider struct {
	// Static are told to everybody as they are. See [Parse].
	Static []Server
	// TURN are the URLs of TURN servers that know Secret. See [ParseURLs].
	TURN   []string
	Secret string
	// TTL is for how long a credential is good, from when it was told.
	TTL time.Duration
}

// For tells a socket its servers. The credentials follow the convention of the
// TURN REST API (draft-uberti-behave-turn-rest-00, 2.2): the user's name is when
// they run out, in seconds since 1970, and who it is; the password is its
// HMAC-SHA1 by the secret, in base64.
func (p Provider) For(socketID string) []Server {
	servers := slices.Clone(p.Static)
	if len(p.TURN) == 0 {
		return servers
	}
	username := strconv.FormatInt(time.Now().Add(p.TTL).Unix(), 10) + ":" + socketID
	signature := hmac.New(sha1.New, []byte(p.Secret))
	signature.Write([]byte(username))
	return append(servers, Server{p.TURN, username, base64.StdEncoding.EncodeToString(signature.Sum(nil))})
}

// IsEmpty tells whether there are no servers for anybody.
func (p Provider) IsEmpty() bool { return len(p.Static) == 0 && len(p.TURN) == 0 }

var errForm = errors.New(`it is a JSON array such as [{"urls": "stun:stun.example.com"}, {"urls": ["turn:turn.example.com"], "username": "u", "credential": "c"}]`)

// Parse reads servers as RTCPeerConnection takes them: a JSON array of
// RTCIceServers. The error repeats nothing of what may be a secret.
func Parse(text string) ([]Server, error) {
	var read []struct {
		URLs       urls   `json:"urls"`
		Username   string `json:"username"`
		Credential string `json:"credential"`
	}
	if err := json.Unmarshal([]byte(text), &read, json.RejectUnknownMembers(true)); err != nil {
		return nil, errForm
	}
	var servers []Server
	for _, one := range read {
		relays, err := check(one.URLs)
		switch {
		case err != nil:
			return nil, err
		case relays && (one.Username == "" || one.Credential == ""):
			return nil, errors.New("a TURN server needs a username and a credential (or TURN_URLS and TURN_SECRET)")
		}
		servers = append(servers, Server{one.URLs, one.Username, one.Credential})
	}
	return servers, nil
}

// urls may be one alone.
type urls []string

// UnmarshalJSON implements [json.Unmarshaler].
func (u *urls) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*u = urls{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(u))
}

// ParseURLs checks the URLs of TURN servers (RFC 7065).
func ParseURLs(texts []string) ([]string, error) {
	for i, text := range texts {
		texts[i] = strings.TrimSpace(text)
		relays, err := check(texts[i : i+1])
		if err != nil {
			return nil, err
		}
		if !relays {
			return nil, fmt.Errorf("%q is not of a TURN server, such as turn:turn.example.com?transport=tcp", texts[i])
		}
	}
	return texts, nil
}

// form is what a URL of a STUN (RFC 7064) or a TURN server (RFC 7065) looks like.
var form = regexp.MustCompile(`^(?:stuns?|(turns?)):(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?$`)

// check tells whether one of the URLs is of a TURN server. A browser throws on a
// wrong one, and then no call would begin.
func check(urls []string) (relays bool, err error) {
	if len(urls) == 0 {
		return false, errForm
	}
	for _, text := range urls {
		parts := form.FindStringSubmatch(text)
		if parts == nil {
			return false, fmt.Errorf("%q is not the URL of a STUN or TURN server, such as stun:stun.example.com:3478", text)
		}
		relays = relays || parts[1] != ""
	}
	return relays, nil
}
