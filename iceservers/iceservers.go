// Package iceservers gives clients the STUN and TURN servers through which they reach
// each other. Some servers are the same for all clients. For TURN servers that share a
// secret with us, each client gets credentials of its own, which expire.
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

// Provider gives clients their servers. The zero Provider has none. Several goroutines
// may call its methods at once.
type Provider struct {
	// Static are the servers that every client gets, unchanged. See [Parse].
	Static []Server
	// TURN are the URLs of TURN servers that know Secret. See [ParseURLs].
	TURN []string
	// Secret signs the credentials for TURN.
	Secret string
	// TTL is how long a credential is valid after For returned it.
	TTL time.Duration
}

// For returns the servers for a socket. The credentials follow the convention of the
// TURN REST API (draft-uberti-behave-turn-rest-00, 2.2). The username is the time when
// they expire, in seconds since 1970, and the socket's ID. The credential is the
// HMAC-SHA1 of the username with Secret, in base64.
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

// IsEmpty reports whether there are no servers for any client.
func (p Provider) IsEmpty() bool { return len(p.Static) == 0 && len(p.TURN) == 0 }

var errForm = errors.New(`it is a JSON array such as [{"urls": "stun:stun.example.com"}, {"urls": ["turn:turn.example.com"], "username": "u", "credential": "c"}]`)

// Parse reads a JSON array of RTCIceServers, as RTCPeerConnection accepts it. The error
// may repeat a wrong URL, but never a username or a credential.
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
	for _, s := range read {
		hasTURN, err := check(s.URLs)
		switch {
		case err != nil:
			return nil, err
		case hasTURN && (s.Username == "" || s.Credential == ""):
			return nil, errors.New("a TURN server needs a username and a credential; or set TURN_URLS and TURN_SECRET instead")
		}
		servers = append(servers, Server{s.URLs, s.Username, s.Credential})
	}
	return servers, nil
}

// urls is a list of URLs, or a single URL.
type urls []string

// UnmarshalJSON implements [json.Unmarshaler].
func (u *urls) UnmarshalJSON(text []byte) error {
	var single string
	if json.Unmarshal(text, &single) == nil {
		*u = urls{single}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(u))
}

// ParseURLs returns the URLs of TURN servers (RFC 7065) without spaces around them. The
// error is about the first text that is not the URL of a TURN server. ParseURLs changes
// texts.
func ParseURLs(texts []string) ([]string, error) {
	for i, text := range texts {
		texts[i] = strings.TrimSpace(text)
		hasTURN, err := check(texts[i : i+1])
		if err != nil {
			return nil, err
		}
		if !hasTURN {
			return nil, fmt.Errorf("%q is not the URL of a TURN server, such as turn:turn.example.com?transport=tcp", texts[i])
		}
	}
	return texts, nil
}

// form matches the URL of a STUN (RFC 7064) or TURN server (RFC 7065).
var form = regexp.MustCompile(`^(?:stuns?|(turns?)):(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?$`)

// check reports whether any of the URLs names a TURN server. It returns an error for a
// wrong URL: a browser throws on a wrong URL, and then no call would begin.
func check(urls []string) (hasTURN bool, err error) {
	if len(urls) == 0 {
		return false, errForm
	}
	for _, text := range urls {
		parts := form.FindStringSubmatch(text)
		if parts == nil {
			return false, fmt.Errorf("%q is not the URL of a STUN or TURN server, such as stun:stun.example.com:3478", text)
		}
		hasTURN = hasTURN || parts[1] != ""
	}
	return hasTURN, nil
}
