package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/sse"
)

// keys returns the names of a JSON object's members, sorted.
func keys(object map[string]any) []string {
	var all []string
	for key := range object {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

var isTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// People have built dashboards on these answers, so no member may be added or removed.
func TestMonitoringAnswersExactlyTheProtocolsJSON(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, _ := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	idle := s.connect(t)

	_, service := s.get(t, "/")
	require.Equal(t, []string{"endpoints", "environment", "features", "message", "port", "service", "version"}, keys(service))
	require.Equal(t, "test", service["environment"])
	require.Equal(t, 3002.0, service["port"])
	require.Equal(t, signalingserver.Version, service["version"])

	_, health := s.get(t, "/health")
	require.Equal(t, []string{"connections", "environment", "memory", "port", "rooms", "service", "status", "timestamp", "uptime", "version"}, keys(health))
	require.Equal(t, "signaling-server", health["service"])
	require.Equal(t, "healthy", health["status"])
	require.Equal(t, "3002", health["port"])
	require.Regexp(t, isTime, health["timestamp"])
	require.Regexp(t, `^\d+ MB$`, health["memory"].(map[string]any)["used"])
	require.Regexp(t, `^\d+ MB$`, health["memory"].(map[string]any)["total"])
	require.Equal(t, map[string]any{"active": 3.0, "total": 3.0}, health["connections"])
	require.Equal(t, map[string]any{"active": 1.0, "total": 1.0}, health["rooms"])

	_, list := s.get(t, "/rooms")
	require.Equal(t, []string{"rooms", "totalRooms"}, keys(list))
	require.Equal(t, 1.0, list["totalRooms"])
	room := list["rooms"].([]any)[0].(map[string]any)
	require.Equal(t, []string{"createdAt", "lastActivity", "roomId", "userList", "users"}, keys(room))
	require.Equal(t, 2.0, room["users"])
	require.Regexp(t, isTime, room["createdAt"])
	require.Regexp(t, isTime, room["lastActivity"])
	user := room["userList"].([]any)[0].(map[string]any)
	require.Equal(t, []string{"joinedAt", "socketId", "userId"}, keys(user))
	require.Equal(t, a.socketID, user["socketId"])
	require.Regexp(t, isTime, user["joinedAt"])
	_, one := s.get(t, "/rooms/room")
	require.Equal(t, room, one)

	_, connections := s.get(t, "/connections")
	require.Equal(t, []string{"connections", "totalConnections"}, keys(connections))
	require.Equal(t, 3.0, connections["totalConnections"])
	all := connections["connections"].([]any)
	first, last := all[0].(map[string]any), all[2].(map[string]any)
	require.Equal(t, []string{"connectedAt", "currentRoom", "ip", "socketId", "transport", "userAgent", "userId"}, keys(first))
	require.Equal(t, []string{"connectedAt", "ip", "socketId", "transport", "userAgent"}, keys(last))
	require.Equal(t, idle.socketID, last["socketId"], "the newest socket comes last")
	require.Equal(t, "stream", first["transport"])
	require.Equal(t, "127.0.0.1", first["ip"])
	require.Equal(t, "room", first["currentRoom"])

	_, stats := s.get(t, "/stats")
	require.Equal(t, []string{"activeConnections", "activeRooms", "averageUsersPerRoom", "startTime", "totalConnections", "totalRooms", "uptime", "uptimeFormatted"}, keys(stats))
	require.Equal(t, 2.0, stats["averageUsersPerRoom"])
	require.Regexp(t, `^\d+h \d+m \d+s$`, stats["uptimeFormatted"])

	status, live := s.get(t, "/livez")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"status": "ok"}, live)
	status, ready := s.get(t, "/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"status": "ready"}, ready)

	for _, path := range []string{"/", "/health", "/rooms", "/rooms/room", "/connections", "/stats"} {
		response, err := s.Client().Get(s.URL + path)
		require.NoError(t, err)
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		require.NotContains(t, string(text), a.token, path)
	}
}

func TestAnEmptyServerAnswersEmptyListsNotNull(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	_, rooms := s.get(t, "/rooms")
	require.Equal(t, []any{}, rooms["rooms"])
	_, connections := s.get(t, "/connections")
	require.Equal(t, []any{}, connections["connections"])
	_, stats := s.get(t, "/stats")
	require.Equal(t, 0.0, stats["averageUsersPerRoom"])
}

func TestARoomIsFoundByEachNameThatARoomMayHave(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAdminToken)
	for _, name := range []string{
		".", "..", "...", "-", "a/b", "/", "//", "a%2Fb", "%2e%2e", "..%2f", `a\b`, "ünï cödé", "?x=1#y", "id=a&id=b", "+", "%", ";a=b", " a ", "*", ":",
		"\u2066a\u2069", "\ufffd", "e\u0301", "é", "lock", strings.Repeat("😀", 128),
	} {
		p := s.join(t, name, "Ada")
		for _, address := range []struct{ path, query string }{{"/rooms/" + url.PathEscape(name), ""}, {"/rooms/-", "?id=" + url.QueryEscape(name)}} {
			room := s.operate(t, http.StatusOK, http.MethodGet, address.path+address.query, "")
			require.Equal(t, name, room["roomId"])
			s.operate(t, http.StatusNoContent, http.MethodPost, address.path+"/lock"+address.query, "")
			require.Equal(t, true, s.operate(t, http.StatusOK, http.MethodGet, address.path+address.query, "")["locked"])
			s.operate(t, http.StatusNoContent, http.MethodDelete, address.path+"/lock"+address.query, "")
			s.operate(t, http.StatusAccepted, http.MethodPost, address.path+"/events"+address.query, `{"type":"announcement","data":1}`)
			require.Equal(t, name, p.next("announcement").json["roomId"])
		}
		s.operate(t, http.StatusNoContent, http.MethodDelete, "/rooms/-?id="+url.QueryEscape(name), "")
		require.Equal(t, "room closed", p.next("room-left").json["reason"])
		s.operate(t, http.StatusNotFound, http.MethodDelete, "/rooms/-?id="+url.QueryEscape(name), "")
		p.quiet()
	}
}

// Only "-" in the path leads to the query, so that a mistake closes no other room.
func TestARoomInTheQueryDoesNotReplaceARoomInThePath(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, name := range []string{"a", "b", "-"} {
		s.join(t, name, "Ada")
	}
	for address, want := range map[string]string{"/rooms/a?id=b": "a", "/rooms/-": "-", "/rooms/-?ID=a": "-", "/rooms/-?id=b&id=a": "b", "/rooms/%2D?id=a": "a"} {
		_, room := s.get(t, address)
		require.Equal(t, want, room["roomId"], address)
	}
	for _, address := range []string{"/rooms/-?id=100%", "/rooms/-?id=a;b"} {
		status, refusal := s.get(t, address)
		require.Equal(t, http.StatusNotFound, status, address)
		require.Contains(t, refusal["detail"], "percent-encode", address)
	}
	for _, address := range []string{"/rooms/-?id=", "/rooms/-?id=c", "/rooms/-?id=%ff", "/rooms/--?id=a", "/rooms/?id=a"} {
		status, _ := s.get(t, address)
		require.Equal(t, http.StatusNotFound, status, address)
	}
}

func TestListsComeInPages(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	var want []any
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		p := s.join(t, "room "+name, "u")
		want = append(want, p.socketID)
	}
	next := regexp.MustCompile(`^<(/[^>]+)>; rel="next"$`)
	for list, key := range map[string]string{"rooms": "roomId", "connections": "socketId"} {
		var got []any
		path := "/" + list + "?limit=2"
		for pages := 1; path != ""; pages++ {
			response, err := s.Client().Get(s.URL + path)
			require.NoError(t, err)
			response.Body.Close()
			_, page := s.get(t, path)
			for _, item := range page[list].([]any) {
				got = append(got, item.(map[string]any)[key])
			}
			path = ""
			if link := next.FindStringSubmatch(response.Header.Get("Link")); link != nil {
				path = link[1]
			}
			require.LessOrEqual(t, pages, 3)
		}
		if list == "connections" {
			require.Equal(t, want, got)
		} else {
			require.Equal(t, []any{"room a", "room b", "room c", "room d", "room e"}, got)
		}
	}
	for _, query := range []string{"limit=0", "limit=-1", "limit=1001", "limit=x", "limit=2&cursor=%21"} {
		for _, path := range []string{"/rooms?", "/connections?"} {
			status, problem := s.get(t, path+query)
			require.Equal(t, http.StatusUnprocessableEntity, status, query)
			require.NotEmpty(t, fieldErrors(problem))
		}
	}
}

func TestListsCanBeSearched(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	ada := s.join(t, "Stand-up Éire", "Ada Lovelace")
	s.join(t, "Stand-up Éire", "Bob")
	s.join(t, "tea 100%_*", "Ünal")
	idle := s.connect(t)
	found := func(list, key, query string) (all []any) {
		status, answer := s.get(t, "/"+list+"?"+url.Values{"q": {query}}.Encode())
		require.Equal(t, http.StatusOK, status)
		for _, item := range answer[list].([]any) {
			all = append(all, item.(map[string]any)[key])
		}
		require.EqualValues(t, len(all), answer["total"+strings.ToUpper(list[:1])+list[1:]], "the total counts what was found")
		return all
	}
	for query, rooms := range map[string][]any{
		"stand-up":                         {"Stand-up Éire"},
		"éIRE":                             {"Stand-up Éire"},
		"LOVELACE":                         {"Stand-up Éire"}, // found by its member
		strings.ToUpper(ada.socketID[2:9]): {"Stand-up Éire"},
		"ünal":                             {"tea 100%_*"},
		"%_*":                              {"tea 100%_*"}, // the text is not a pattern
		"a":                                {"Stand-up Éire", "tea 100%_*"},
		"":                                 {"Stand-up Éire", "tea 100%_*"},
		"nowhere to be found":              nil,
		idle.socketID:                      nil,
	} {
		require.Equal(t, rooms, found("rooms", "roomId", query), "%q", query)
	}
	require.Equal(t, []any{ada.socketID}, found("connections", "socketId", "lovelace"))
	require.Equal(t, []any{idle.socketID}, found("connections", "socketId", idle.socketID[3:]))
	require.Len(t, found("connections", "socketId", "STAND"), 2, "found by the room")
	require.Len(t, found("connections", "socketId", "127.0.0"), 4, "found by the address")
	require.Empty(t, found("connections", "socketId", "go-http-client"), "not found by the User-Agent")

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/connections?q=stand-up+%C3%A9&limit=1", nil)
	require.NoError(t, err)
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	link := response.Header.Get("Link")
	next := regexp.MustCompile(`^<(/[^>]+)>`).FindStringSubmatch(link)
	require.Len(t, next, 2, "%q", link)
	_, page := s.get(t, next[1])
	require.Len(t, page["connections"], 1, "the next page belongs to the same search")
	require.EqualValues(t, 2, page["totalConnections"])

	for _, path := range []string{"/rooms", "/connections"} {
		status, problem := s.get(t, path+"?q="+strings.Repeat("x", 257))
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Equal(t, []string{"q max"}, fieldErrors(problem))
	}
}

func TestUnknownPathsAndWrongMethodsAreProblems(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, path := range []string{"/nothing", "/events/", "/health/", "/HEALTH", "/rooms/none", "/demo/none.js", "/assets/", "/assets/../static.go", "/problems/none", "/static.go", "/%2e%2e/go.mod"} {
		status, problem := s.get(t, path)
		require.Equal(t, http.StatusNotFound, status, path)
		require.Equal(t, "/problems/not-found", problem["type"])
	}
	for path, allow := range map[string]string{"/health": "GET, HEAD, OPTIONS", "/events": "GET, OPTIONS, POST", "/events/stream": "OPTIONS, POST"} {
		for _, method := range []string{"PUT", "DELETE", "PATCH"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			require.NoError(t, err)
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, method+path)
			require.Equal(t, allow, response.Header.Get("Allow"))
			require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+path, nil)
		require.NoError(t, err)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, allow, response.Header.Get("Allow"))
	}
}

// The problem shows the header that is missing, so a person at a terminal can copy it.
func TestProblemsAreWrittenForPeople(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	response, err := s.Client().Post(s.URL+"/events", "application/json", strings.NewReader(`{"type":"ping"}`))
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "“Authorization: Bearer <token>”")
	require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
}

func TestEveryProblemIsExplained(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, name := range []string{
		"malformed-json", "unknown-session", "access-denied", "target-not-found", "not-found", "method-not-allowed", "not-in-room", "room-full",
		"payload-too-large", "unsupported-media-type", "validation-failed", "rate-limited", "target-overflow", "header-too-large", "shutting-down", "at-capacity", "not-ready", "outcome-unknown",
	} {
		response, err := s.Client().Get(s.URL + "/problems/" + name)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
		require.Contains(t, string(text), name)
	}
}

func TestABrowserGetsPagesThatLoadOnlyFromTheirOwnOrigin(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for path, accept := range map[string]string{"/": "text/html,application/xhtml+xml", "/demo/": "*/*", "/doctor/": "*/*", "/dashboard/": "*/*", "/docs/": "*/*"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Accept", accept)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
		policy := response.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "script-src 'self';")
		if path != "/docs/" { // a library draws this page, with inline styles
			require.NotContains(t, policy, "unsafe-inline")
		}
		require.NotRegexp(t, `(src|href)="(https?:)?//`, string(text), "the page loads nothing from another origin")

		r.Header.Set("If-None-Match", response.Header.Get("ETag"))
		response, err = s.Client().Do(r)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusNotModified, response.StatusCode)
	}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := s.Client().Get(s.URL + "/demo?room=x")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, "demo/?room=x", response.Header.Get("Location"))
}

func TestHeadAnswersLikeGetWithoutABody(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	for _, path := range []string{"/", "/health", "/rooms", "/livez", "/metrics", "/openapi.yaml", "/demo/", "/doctor/", "/dashboard/", "/docs/", "/doctor.json"} {
		response, err := s.Client().Head(s.URL + path)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode, path)
	}
}

func TestPagesAreCompressedForClientsThatAcceptGzip(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	get := func(path, encodings string, headers ...string) (*http.Response, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", encodings) // keeps the transport from unpacking the body
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response, body
	}
	plain, text := get("/client.js", "identity")
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	require.Equal(t, "cross-origin", plain.Header.Get("Cross-Origin-Resource-Policy"))

	for _, encodings := range []string{"gzip", "br, GZIP;q=0.5", "gzip; q=1.0"} {
		packed, body := get("/client.js", encodings)
		require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"), encodings)
		require.Contains(t, packed.Header.Values("Vary"), "Accept-Encoding")
		require.Contains(t, packed.Header.Get("Content-Type"), "javascript")
		require.NotEqual(t, plain.Header.Get("ETag"), packed.Header.Get("ETag"))
		require.Equal(t, int64(len(body)), packed.ContentLength)
		reader, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, text, unpacked)
		again, _ := get("/client.js", encodings, "If-None-Match", packed.Header.Get("ETag"))
		require.Equal(t, http.StatusNotModified, again.StatusCode)
	}
	for _, encodings := range []string{"", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip-of-mine"} {
		answer, body := get("/client.js", encodings)
		require.Empty(t, answer.Header.Get("Content-Encoding"), encodings)
		require.Equal(t, text, body)
	}
}

// The server keeps a large file gzipped. A client that does not accept gzip must get the
// same content.
func TestAGzippedFileIsServedWithAndWithoutGzip(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	fetch := func(accepts string) (*http.Response, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/docs/scalar-1.72.1.standalone.js", nil)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", accepts)
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response, body
	}
	packed, zipped := fetch("gzip")
	require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	require.Equal(t, "text/javascript; charset=utf-8", packed.Header.Get("Content-Type"))
	unpacker, err := gzip.NewReader(bytes.NewReader(zipped))
	require.NoError(t, err)
	unpacked, err := io.ReadAll(unpacker)
	require.NoError(t, err)
	for range 2 {
		plain, text := fetch("identity")
		require.Empty(t, plain.Header.Get("Content-Encoding"))
		require.NotEqual(t, packed.Header.Get("ETag"), plain.Header.Get("ETag"))
		require.True(t, bytes.Equal(unpacked, text))
	}
}
