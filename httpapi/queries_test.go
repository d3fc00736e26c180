package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// A parameter that cannot be read is not the same as none: an operator who searches for
// “100%” would get the whole list.
func TestAParameterThatCannotBeReadIsRefused(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	a := s.join(t, "room", "Ada")
	for _, one := range []struct{ method, path, want string }{
		{http.MethodGet, "/rooms?q=100%", "q encoding"},
		{http.MethodGet, "/rooms?q=a;b", "q encoding"},
		{http.MethodGet, "/rooms?%71=%zz", "q encoding"},
		{http.MethodGet, "/rooms?q=a&limit=%&q=%", "q encoding limit encoding"},
		{http.MethodGet, "/connections?cursor=%4", "cursor encoding"},
		{http.MethodDelete, "/connections/" + a.socketID + "?reason=100%", "reason encoding"},
		{http.MethodGet, "/events/poll?wait=%&after=%", "wait encoding after encoding"},
		{http.MethodGet, "/events/poll?wait=0;x", "wait encoding"},
		{http.MethodGet, "/silence?seconds=1%", "seconds encoding"},
	} {
		errors := s.operate(t, http.StatusUnprocessableEntity, one.method, one.path, "")["errors"].([]any)
		seen := ""
		for _, e := range errors {
			field := e.(map[string]any)
			seen += " " + field["field"].(string) + " " + field["rule"].(string)
			require.Equal(t, "cannot be read: percent-encode it, with %25 for % and %3B for ;", field["message"])
		}
		require.Equal(t, " "+one.want, seen, one.path)
	}
	a.quiet()
}

// Proxies, and programs that want no cached answer, add parameters of their own.
func TestAnUnknownParameterMayBeAnything(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	for _, others := range []string{"_=1;x", "%", "100%=%zz", ";limit=0", "wait;x=%", "x=%&x=%"} {
		s.operate(t, http.StatusOK, http.MethodGet, "/rooms?limit=1&"+others, "")
		s.operate(t, http.StatusOK, http.MethodGet, "/connections?"+others, "")
		s.poll(t, "", others+"&wait=0")
		s.stream(t, http.MethodGet, "/events?"+others, nil).next("connected")
	}
}

// An EventSource gives up for good after an error.
func TestAPositionThatCannotBeReadGivesANewSocket(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.connect(t)
	for _, headers := range []map[string]string{nil, {"Authorization": "Bearer " + a.token}} {
		hello := s.stream(t, http.MethodGet, "/events?lastEventId="+a.token+".0%", headers).next("connected")
		require.Equal(t, false, hello.json["resumed"])
	}
	resumed := s.stream(t, http.MethodGet, "/events?_=%;x&lastEventId="+a.token+".0", nil).next("connected")
	require.Equal(t, true, resumed.json["resumed"])
}

// net/http refuses such a path itself, so there is no problem document.
func TestAPathThatIsNotPercentEncodedIsNotHTTP(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, unheard)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	r.URL.Opaque = "/rooms/100%"
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
}
