package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"signaling-server/httpapi/problem"
)

// queryOf returns the parameters of a request's query. The error names each of the known
// parameters that cannot be read. Other parameters may be anything: proxies and programs
// that want no cached answer add some of their own.
func queryOf(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		return values, nil
	}
	var wrong []problem.FieldError
	for _, name := range known {
		if isUnreadable(r.URL.RawQuery, name) {
			wrong = append(wrong, problem.Field(name, "encoding", "cannot be read: percent-encode it, with %25 for % and %3B for ;"))
		}
	}
	if len(wrong) > 0 {
		return nil, problem.Invalid(wrong...)
	}
	return values, nil
}

// isUnreadable reports whether a query has a parameter of this name that is not
// percent-encoded as it must be.
func isUnreadable(query, name string) bool {
	for parameter := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(parameter, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if _, err := url.ParseQuery(parameter); err != nil {
			return true
		}
	}
	return false
}
