package iceservers

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errForm = errors.New(`it is a JSON array such as [{"urls": "stun:stun.example.com"}, {"urls": ["turn:turn.example.com"], "username": "u", "credential": "c"}]`)

// maxUsername is how many bytes the username of a TURN server may have. Browsers throw on a
// longer one (RFC 8489, 14.3).
const maxUsername = 509

// Parse reads a JSON array of RTCIceServers (WebRTC, 4.2.4), or the JSON that contains one
// in the answers of Twilio, Cloudflare, Xirsys and others. Members that RTCPeerConnection
// does not need are left out, and URLs are written so that every browser takes them. The
// error names the server, counted from 1, and the member. It repeats nothing of the text.
func Parse(text string) ([]Server, error) {
	entries, err := entriesOf(jsontext.Value(text))
	if err != nil {
		return nil, errForm
	}
	var servers []Server
	for i, entry := range entries {
		server, err := parseServer(entry)
		if err != nil {
			return nil, fmt.Errorf("server %d: %w", i+1, err)
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// entriesOf returns the servers in a list, in what a service has answered, or the only
// one.
func entriesOf(text jsontext.Value) (entries []jsontext.Value, err error) {
	if text.Kind() == '[' {
		return entries, json.Unmarshal(text, &entries)
	}
	var answer struct {
		ICEServers jsontext.Value `json:"iceServers"`  // Cloudflare, Google
		Twilio     jsontext.Value `json:"ice_servers"` // and Twilio
		Xirsys     jsontext.Value `json:"v"`           // contains iceServers
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	for _, inner := range []jsontext.Value{answer.ICEServers, answer.Twilio, answer.Xirsys} {
		if inner != nil {
			return entriesOf(inner)
		}
	}
	return []jsontext.Value{text}, nil
}

func parseServer(text jsontext.Value) (Server, error) {
	var members struct {
		URLs           jsontext.Value `json:"urls"`
		URL            jsontext.Value `json:"url"` // the earlier name, which some services still write
		Username       jsontext.Value `json:"username"`
		Credential     jsontext.Value `json:"credential"`
		CredentialType jsontext.Value `json:"credentialType"`
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return Server{}, errors.New("it is not an object")
	}
	var s Server
	var kind string
	for _, member := range []struct {
		name string
		text jsontext.Value
		into *string
	}{{"username", members.Username, &s.Username}, {"credential", members.Credential, &s.Credential}, {"credentialType", members.CredentialType, &kind}} {
		if member.text != nil && json.Unmarshal(member.text, member.into) != nil {
			return s, fmt.Errorf("%s is not a text", member.name)
		}
	}
	name, urls := "urls", members.URLs
	if isMissing(urls) && !isMissing(members.URL) {
		name, urls = "url", members.URL
	}
	var err error
	if s.URLs, err = readURLs(urls); err != nil {
		return s, fmt.Errorf("%s %w", name, err)
	}
	hasTURN := false
	for i := range s.URLs {
		var isTURN bool
		if s.URLs[i], isTURN, err = parseURL(s.URLs[i]); err != nil {
			return s, fmt.Errorf("%s[%d] %w", name, i, err)
		}
		hasTURN = hasTURN || isTURN
	}
	switch {
	case kind != "" && kind != "password":
		return s, errors.New(`credentialType is not "password", and browsers know no other`)
	case hasTURN && s.Username == "":
		return s, errors.New("username is missing, and a TURN server needs it; or set TURN_URLS and TURN_SECRET instead")
	case hasTURN && s.Credential == "":
		return s, errors.New("credential is missing, and a TURN server needs it; or set TURN_URLS and TURN_SECRET instead")
	case hasTURN && len(s.Username) > maxUsername:
		return s, fmt.Errorf("username has more than %d bytes", maxUsername)
	}
	return s, nil
}

func isMissing(text jsontext.Value) bool { return text == nil || text.Kind() == 'n' }

// readURLs reads a list of URLs, or a single URL.
func readURLs(text jsontext.Value) (urls []string, err error) {
	if isMissing(text) {
		return nil, errors.New("is missing: it is the URL of the server, or a list of URLs")
	}
	var single string
	if json.Unmarshal(text, &single) == nil {
		return []string{single}, nil
	}
	if json.Unmarshal(text, &urls) != nil || len(urls) == 0 {
		return nil, errors.New("is neither a URL nor a list of URLs")
	}
	return urls, nil
}

// ParseURLs returns the URLs of TURN servers (RFC 7065), written so that every browser
// takes them. The error is about the first text that is not the URL of a TURN server,
// and counts from 1. It repeats nothing of the text.
func ParseURLs(texts []string) (urls []string, err error) {
	for i, text := range texts {
		url, isTURN, err := parseURL(text)
		if err == nil && !isTURN {
			err = errors.New("is not the URL of a TURN server, such as turn:turn.example.com?transport=tcp")
		}
		if err != nil {
			return nil, fmt.Errorf("URL %d %w", i+1, err)
		}
		urls = append(urls, url)
	}
	return urls, nil
}
