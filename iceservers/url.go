package iceservers

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

var (
	address  = regexp.MustCompile(`(?s)^(\[[^]]*\]|[^:]*)(?::(.*))?$`) // the name and the port
	nameForm = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	numbers  = regexp.MustCompile(`(?i)^(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?$`) // read as an IPv4 address (WHATWG URL, 3.5)
	// names maps international names as browsers do (UTS 46).
	names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))
)

// parseURL returns the URL of a STUN (RFC 7064) or TURN server (RFC 7065), and whether it
// is that of a TURN server. A browser throws on a URL that is not exactly in this form,
// and then no call would begin. So parseURL removes slashes and the transport of a STUN
// server, and writes the scheme and the transport in lower case. The error continues a
// sentence, and repeats nothing: people write passwords into URLs.
func parseURL(text string) (url string, isTURN bool, err error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(text), ":")
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "stun":
	case "stuns":
		return "", false, errors.New("begins with stuns:, and Firefox throws on that: write stun: or leave it out")
	case "turn", "turns":
		isTURN = true
	default:
		return "", false, errors.New("is not a URL of the schemes stun, turn and turns")
	}
	if strings.Contains(rest, "@") {
		return "", false, errors.New("has a user name: write it as username, and the password as credential")
	}
	rest, query, _ := strings.Cut(rest, "?")
	host, err := parseHost(strings.TrimSuffix(strings.TrimPrefix(rest, "//"), "/"))
	if err != nil {
		return "", false, err
	}
	switch query = strings.ToLower(query); query {
	case "":
	case "transport=udp", "transport=tcp":
		if isTURN {
			query = "?" + query
		} else {
			query = ""
		}
	default:
		return "", false, errors.New("has something else after the ? than transport=udp or transport=tcp")
	}
	return scheme + ":" + host + query, isTURN, nil
}

// parseHost returns a host with its port, if it has one.
func parseHost(text string) (_ string, err error) {
	parts := address.FindStringSubmatch(text)
	name, port := parts[1], parts[2]
	if strings.Contains(port, ":") {
		return "", errors.New("has an IPv6 address without brackets, or two ports: write turn:[2001:db8::1]:3478")
	}
	if inBrackets, isIPv6 := strings.CutPrefix(name, "["); isIPv6 {
		address, err := netip.ParseAddr(strings.TrimSuffix(inBrackets, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", errors.New("has no IPv6 address in its brackets")
		}
	} else if name, err = parseName(name); err != nil {
		return "", err
	}
	if port == "" {
		return name, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", errors.New("has a port that is not a number from 1 to 65535")
	}
	if slices.Contains(blockedPorts, number) {
		return "", fmt.Errorf("has port %d, which browsers block", number)
	}
	return name + ":" + strconv.FormatUint(number, 10), nil
}

// parseName returns the name of a host, or an IPv4 address.
func parseName(name string) (string, error) {
	ascii, err := names.ToASCII(name)
	if err != nil || !nameForm.MatchString(ascii) {
		return "", errors.New("has no host, or a host that cannot exist: write stun:stun.example.com:3478")
	}
	if numbers.MatchString(ascii) {
		if _, err := netip.ParseAddr(ascii); err != nil {
			return "", errors.New("has no IPv4 address, such as 192.0.2.1")
		}
	}
	if nameForm.MatchString(name) { // it stays as the operator wrote it
		return name, nil
	}
	return ascii, nil
}

// blockedPorts are the ports on which Firefox throws: the bad ports of Fetch (2.10), except
// that of DNS.
var blockedPorts = []uint64{
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137,
	139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720,
	1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}
