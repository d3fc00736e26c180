// Package iceservers gives clients the STUN and TURN servers through which they reach
// each other. Some servers are the same for all clients. For TURN servers that share a
// secret with us, each client gets credentials of its own, which expire.
package iceservers

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strconv"
	"time"
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
