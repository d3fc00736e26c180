package httpapi_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signaling-server/browser"
	"signaling-server/sse"
	"signaling-server/static"
)

// The scenarios that only read.

func monitoring(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	lists := []string{"/rooms", "/connections"}
	for _, path := range append(lists, "/stats", "/webhooks", "/cluster", "/health", "/metrics", "/livez", "/readyz") {
		s.ask(t, http.StatusOK, http.MethodGet, path, nil)
	}
	rooms := []string{"standup", "a/b", "ünï cödé", "100%"}
	for _, room := range rooms {
		s.join(t, room, "Ada")
		s.ask(t, http.StatusOK, http.MethodGet, "/rooms/"+url.PathEscape(room), nil)
	}
	s.ask(t, http.StatusNotFound, http.MethodGet, "/rooms/none", nil)
	s.connect(t).hangUp()
	s.ask(t, http.StatusOK, http.MethodGet, "/stats", nil)

	next := regexp.MustCompile(`^<(/[^>]+)>; rel="next"$`)
	for _, list := range lists {
		s.ask(t, http.StatusOK, http.MethodGet, list, nil)
		s.ask(t, http.StatusUnprocessableEntity, http.MethodGet, list+"?limit=0", nil)
		s.ask(t, http.StatusUnprocessableEntity, http.MethodGet, list+"?cursor=!", nil)
		s.ask(t, http.StatusUnprocessableEntity, http.MethodGet, list+"?q="+strings.Repeat("x", 257), nil)
		s.ask(t, http.StatusOK, http.MethodGet, list+"?q=stand&limit=1", nil)
		pages := 0
		for path := list + "?limit=3"; path != ""; pages++ {
			link := s.ask(t, http.StatusOK, http.MethodGet, path, nil).Get("Link")
			path = ""
			if link != "" {
				require.Regexp(t, next, link)
				path = next.FindStringSubmatch(link)[1]
			}
		}
		require.Equal(t, 2, pages, list)
	}
}

func pages(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	html := map[string]string{"Accept": "text/html,application/xhtml+xml;q=0.9"}
	paths := map[string]map[string]string{"/": html, "/demo": nil, "/demo/": nil, "/doctor": nil, "/doctor/": nil, "/dashboard": nil, "/dashboard/": nil, "/docs": nil, "/docs/": nil} // with the headers to send
	eachFile(t, browser.Files, func(name string) {
		if path.Dir(name) == "src" { // a source file that the pages share
			paths["/assets/"+path.Base(name)] = nil
			return
		}
		paths["/"+path.Base(name)] = nil
	})
	eachFile(t, static.Files, func(name string) {
		name = strings.TrimSuffix(name, ".gz") // a gzipped file is served under the name of its content
		switch folder, file, _ := strings.Cut(name, "/"); folder {
		case "index.html":
		case "reference":
			paths["/docs/"+file] = nil
		default:
			paths["/"+name] = nil
		}
	})
	for path, headers := range paths {
		etag := s.ask(t, http.StatusOK, http.MethodGet, path, headers).Get("ETag")
		require.NotEmpty(t, etag, path)
		again := map[string]string{"If-None-Match": etag, "Accept": headers["Accept"]}
		s.ask(t, http.StatusNotModified, http.MethodGet, path, again)
	}
	s.ask(t, http.StatusOK, http.MethodGet, "/", nil)
	s.ask(t, http.StatusOK, http.MethodGet, "/openapi.yaml", nil)
	s.ask(t, http.StatusOK, http.MethodGet, "/openapi.json", nil)
	for _, path := range []string{"/demo/none.js", "/doctor/none.js", "/dashboard/none.js", "/docs/none.js", "/assets/none.css", "/problems/none", "/nothing", "/events/", "/demo/none/none.js"} {
		s.ask(t, http.StatusNotFound, http.MethodGet, path, nil)
	}
}

func eachFile(t *testing.T, files fs.FS, do func(name string)) {
	require.NoError(t, fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			do(name)
		}
		return err
	}))
}

// methods tries each method at every path. The variables in a path are the document's
// examples, so it also checks that the examples are true.
func methods(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	session := map[string]string{"Authorization": "Bearer " + s.join(t, "standup", "alice").token}
	for template, item := range w.document.Paths.Map() {
		path := template
		for _, operation := range item.Operations() {
			path = withExamples(path, operation.Parameters)
		}
		s.ask(t, http.StatusMethodNotAllowed, http.MethodPatch, path, nil)
		s.ask(t, http.StatusOK, http.MethodOptions, path, nil)
		if item.Get == nil || isReading(item.Get) {
			s.ask(t, http.StatusMethodNotAllowed, http.MethodHead, path, nil)
			continue
		}
		get := s.ask(t, http.StatusOK, http.MethodGet, path, session)
		head := s.ask(t, http.StatusOK, http.MethodHead, path, session)
		require.Equal(t, get.Get("Content-Type"), head.Get("Content-Type"), path)
	}
}

func withExamples(path string, parameters openapi3.Parameters) string {
	for _, p := range parameters {
		example := fmt.Sprint(p.Value.Example)
		path = strings.ReplaceAll(path, "{"+p.Value.Name+"}", url.PathEscape(example))
		if p.Value.In == openapi3.ParameterInQuery && p.Value.Required && path != "/silence" {
			path += "?" + p.Value.Name + "=" + url.QueryEscape(example)
		}
	}
	return path
}
