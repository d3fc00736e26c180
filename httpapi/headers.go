package httpapi

import (
	"net/http"

	"github.com/unrolled/secure"
)

// headers are what browsers are told that they may do with an answer.
type headers struct{ *secure.Secure }

// noParts is the content security policy of what is no page: nothing of it runs,
// and nobody frames it.
const noParts = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// noDevices is the permissions policy of what needs no camera and no microphone.
const noDevices = "camera=(), microphone=(), geolocation=()"

// stsSeconds is for how long browsers insist on https where they were served by
// it: a year (RFC 6797, 6.1.1).
const stsSeconds = 365 * 24 * 60 * 60

func newHeaders(policy, permissions string, isProduction bool) headers {
	options := secure.Options{
		ContentSecurityPolicy:     policy,
		PermissionsPolicy:         permissions,
		ContentTypeNosniff:        true,
		FrameDeny:                 true,
		ReferrerPolicy:            "no-referrer",
		CrossOriginOpenerPolicy:   "same-origin",
		CrossOriginResourcePolicy: "same-origin",
	}
	if isProduction { // a developer's localhost is many servers, not all with https
		options.STSSeconds = stsSeconds
	}
	return headers{secure.New(options)}
}

// set sets the headers of one answer, in place of any that were set before.
func (h headers) set(w http.ResponseWriter, r *http.Request) error { return h.Process(w, r) }
