// Package origins reads the origins that an operator allows, and writes them as browsers
// send them.
package origins

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Parse returns origins as browsers send them in the header Origin (RFC 6454, 6.1): in
// lower case, without a default port, and with international names in ASCII. A slash at
// the end is left out. An origin may begin with a wildcard, as in https://*.example.com
// or moz-extension://*, or have any port, as in http://localhost:*. “*” stands for all
// origins, and null for pages that have none. The error is about the first text that
// cannot be an origin, and says what to write. It never repeats a user name or a
// password.
func Parse(texts []string) ([]string, error) {
	var all []string
	for _, text := range texts {
		parsed, err := parse(strings.ToLower(strings.TrimSpace(text)))
		if err != nil {
			return nil, err
		}
		all = append(all, parsed)
		if anyPort, hasPort := strings.CutSuffix(parsed, ":*"); hasPort {
			all = append(all, anyPort) // browsers leave out the default port
		}
	}
	return all, nil
}

// example ends the messages about a text that is not like any origin.
const example = "write a scheme and a host, such as https://app.example.com or capacitor://localhost, or * or null"

// web are the schemes of pages that a server delivers, with their default ports.
var web = map[string]string{"http": "80", "https": "443"}

// sockets are schemes that no page has, with the schemes of the pages of the same host.
var sockets = map[string]string{"ws": "http", "wss": "https"}

func parse(text string) (string, error) {
	if text == "*" || text == "null" {
		return text, nil
	}
	if strings.Contains(text, "@") {
		return "", errors.New("an origin has no user name: leave out everything up to the @")
	}
	scheme, rest, hasScheme := strings.Cut(text, "://")
	if !hasScheme {
		scheme := "https://"
		if isLocal(text) {
			scheme = "http://"
		}
		if suggested, err := parse(scheme + text); err == nil && text != "" {
			return "", fmt.Errorf("%q has no scheme: write %s", text, suggested)
		}
		return "", fmt.Errorf("%q is not an origin: %s", text, example)
	}
	if page := sockets[scheme]; page != "" {
		return "", fmt.Errorf("%q is not the origin of a page: write %s://%s", text, page, rest)
	}
	if !schemeForm.MatchString(scheme) {
		return "", fmt.Errorf("%q is not an origin: %s", text, example)
	}
	end := strings.IndexAny(rest+"/", "/?#")
	host, err := parseHost(scheme, rest[:end])
	if err != nil {
		return "", fmt.Errorf("%q is not an origin: %w", text, err)
	}
	if after := rest[end:]; after != "" && after != "/" {
		return "", fmt.Errorf("%q has more than a scheme, a host and a port: write %s://%s", text, scheme, host)
	}
	return scheme + "://" + host, nil
}

// isLocal reports whether a host, which may have a port, is on the same machine or in the
// same building. Pages there seldom have https.
func isLocal(host string) bool {
	parts := hostForm.FindStringSubmatch(host)
	if parts == nil {
		return false
	}
	name := strings.TrimSuffix(parts[1], ".")
	if address, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast()
	}
	return !strings.Contains(name, ".") || localForm.MatchString(name)
}

var (
	schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)          // RFC 3986, 3.1
	hostForm   = regexp.MustCompile(`^(\[[^]]*\]|[^:]*)(:[^:]*)?$`) // the name and the port
	nameForm   = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$`)
	localForm  = regexp.MustCompile(`\.(localhost|local|internal|lan|test|home\.arpa)$`) // RFC 6761, 6762 and 8375
	appForm    = regexp.MustCompile(`^[a-z0-9._~%-]*$`)                                  // apps and extensions choose their names freely
)

// parseHost returns a host and a port as browsers write them.
func parseHost(scheme, text string) (string, error) {
	parts := hostForm.FindStringSubmatch(text)
	if parts == nil {
		return "", errors.New("an IPv6 address stands in brackets, as in http://[::1]:3000")
	}
	name, wildcard := parts[1], ""
	defaultPort, isWeb := web[scheme]
	if rest, found := strings.CutPrefix(name, "*."); found {
		name, wildcard = rest, "*."
	} else if name == "*" && !isWeb {
		name, wildcard = "", "*"
	}
	name, err := parseName(name, isWeb)
	if err != nil {
		return "", err
	}
	port, err := parsePort(parts[2], defaultPort)
	if err == nil && port == ":*" && (wildcard != "" || !isWeb) {
		err = errors.New("the port may be * only if the scheme is http or https, and the host has no *")
	}
	return wildcard + name + port, err
}

// profile maps international names as browsers do (UTS 46).
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

func parseName(name string, isWeb bool) (string, error) {
	if inBrackets, isIPv6 := strings.CutPrefix(name, "["); isIPv6 {
		address, err := netip.ParseAddr(strings.TrimSuffix(inBrackets, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", errors.New("it has no IPv6 address in its brackets")
		}
		if address.Is4In6() {
			bytes := address.As16()
			return fmt.Sprintf("[::ffff:%x:%x]", int(bytes[12])<<8|int(bytes[13]), int(bytes[14])<<8|int(bytes[15])), nil
		}
		return "[" + address.String() + "]", nil
	}
	switch {
	case strings.Contains(name, "*"):
		return "", errors.New("* stands only for what precedes the first dot, as in https://*.example.com; write * alone for all origins")
	case !isWeb && appForm.MatchString(name):
		return name, nil
	case !isWeb:
		return "", errors.New(example)
	}
	ascii, err := profile.ToASCII(name)
	if err != nil || !nameForm.MatchString(ascii) {
		return "", errors.New(example)
	}
	last := strings.TrimSuffix(ascii, ".")
	last = last[strings.LastIndex(last, ".")+1:]
	if last[0] >= '0' && last[0] <= '9' && strings.Trim(last, "0123456789") == "" { // browsers read it as an IPv4 address
		if _, err := netip.ParseAddr(ascii); err != nil {
			return "", errors.New("it has no IPv4 address, such as 192.0.2.1")
		}
	}
	return ascii, nil
}

// parsePort returns a port with its colon, or nothing for the default port.
func parsePort(text, defaultPort string) (string, error) {
	digits := strings.TrimPrefix(text, ":")
	if digits == "" || digits == "*" {
		return strings.TrimSuffix(text, ":"), nil
	}
	number, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || number == 0 {
		return "", errors.New("its port is not a number from 1 to 65535")
	}
	if port := strconv.FormatUint(number, 10); port != defaultPort {
		return ":" + port, nil
	}
	return "", nil
}
