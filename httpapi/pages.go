package httpapi

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"signaling-server/httpapi/problem"
)

// pages are the embedded web files.
type pages struct {
	files   map[string]file
	headers map[string]headers // of the pages in each folder
}

type file struct {
	plain   func() ([]byte, error)
	gzipped func() []byte // nil if that would not be smaller
	etag    string
}

// newFile makes a file of its content. The content is compressed once, when the first
// client asks for it.
func newFile(content []byte) file {
	return file{
		plain:   func() ([]byte, error) { return content, nil },
		gzipped: sync.OnceValue(func() []byte { return compress(content) }),
		etag:    etagOf(content),
	}
}

// compress returns nil if the content would not become smaller.
func compress(content []byte) []byte {
	var gzipped bytes.Buffer
	compressor, _ := gzip.NewWriterLevel(&gzipped, gzip.BestCompression) // the error is only for an unknown level
	_, _ = compressor.Write(content)                                     // a buffer accepts everything
	_ = compressor.Close()
	if gzipped.Len() >= len(content) {
		return nil
	}
	return gzipped.Bytes()
}

// newPackedFile keeps a large file gzipped. It is unpacked once, for the first client
// without gzip, and cached: unpacking per request would let anyone burn our processor
// time.
func newPackedFile(gzipped []byte) file {
	unpack := func() ([]byte, error) {
		unpacked, err := gzip.NewReader(bytes.NewReader(gzipped))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(unpacked)
	}
	return file{plain: sync.OnceValues(unpack), gzipped: func() []byte { return gzipped }, etag: etagOf(gzipped)}
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// representation returns the file, gzipped or not. Each of the two has its own tag
// (RFC 9110, 8.8.3.3).
func (f file) representation(asGzip bool) (content []byte, etag string, err error) {
	if asGzip {
		return f.gzipped(), f.etag + "-gzip", nil
	}
	content, err = f.plain()
	return content, f.etag, err
}

// clientFolder is the folder of the browser client among the pages.
const clientFolder = "browser"

// newPages reads all files. They cannot change while the server runs.
func newPages(files, client fs.FS, strictTransport time.Duration) (pages, error) {
	p := pages{make(map[string]file), newPageHeaders(strictTransport)}
	if err := errors.Join(p.add(files, ""), p.add(client, clientFolder)); err != nil {
		return pages{}, fmt.Errorf("reading the pages: %w", err)
	}
	// The doctor reads streams with the reader of the browser client.
	if reader, ok := p.files[path.Join(clientFolder, "src/event-stream.js")]; ok {
		p.files["assets/event-stream.js"] = reader
	}
	return p, nil
}

// add reads all files of a file system, and puts them into a folder of the pages.
func (p pages) add(files fs.FS, folder string) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		name = path.Join(folder, name)
		if packed, isPacked := strings.CutSuffix(name, ".gz"); isPacked {
			p.files[packed] = newPackedFile(content)
			return nil
		}
		p.files[name] = newFile(content)
		return nil
	})
}

// itsParts lets a page use scripts, styles and images of its own origin, and send
// requests to it.
const itsParts = "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"

// policies are the content security policies of the pages, by their folder. A page may
// do only what it needs. The landing page has no folder.
var policies = map[string]string{
	"":          itsParts,
	"demo":      itsParts,
	"doctor":    itsParts,
	"dashboard": itsParts,
	"problems":  "style-src 'self'; img-src 'self'",
	// The reference writes its own styles while it runs.
	"reference": "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'",
}

// devices are the permissions policies of pages that need devices: the demo makes calls.
var devices = map[string]string{"demo": "camera=(self), microphone=(self), geolocation=()"}

func newPageHeaders(strictTransport time.Duration) map[string]headers {
	all := make(map[string]headers, len(policies))
	for folder, policy := range policies {
		all[folder] = newHeaders(noParts+"; "+policy, cmp.Or(devices[folder], noDevices), strictTransport)
	}
	return all
}

// allow replaces the headers of an answer by the headers of a page in a folder. What an
// encrypted answer has beside them is set already.
func (p pages) allow(w http.ResponseWriter, folder string) {
	p.headers[folder].set(w, false)
}

// serve answers with one of the files. Browsers cache it, and ask each time whether it
// has changed.
func (p pages) serve(w http.ResponseWriter, r *http.Request, name string) error {
	f, ok := p.files[name]
	if !ok {
		return problem.NotFound.With("There is no such page.")
	}
	if path.Ext(name) == ".html" {
		p.allow(w, strings.TrimSuffix(path.Dir(name), "."))
	}
	hasGzip := f.gzipped() != nil
	if hasGzip {
		w.Header().Add("Vary", "Accept-Encoding")
	}
	asGzip := hasGzip && acceptsGzip(r)
	content, etag, err := f.representation(asGzip)
	if err != nil {
		return err
	}
	if asGzip {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+etag+`"`)
	r.Header.Del("Range") // a part of a page is of no use
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}

// acceptsGzip reports whether a client accepts gzip: with any weight except 0 (RFC
// 9110, 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, accepted := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(accepted, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return strings.Trim(strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q="), "0.") != "" || weight == ""
			}
		}
	}
	return false
}

// getClient serves a file of the browser client. Pages of any origin may use it, and may
// see the timing of its transfer.
func (a *API) getClient(name string) handler {
	return func(w http.ResponseWriter, r *http.Request, _ params) error {
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		w.Header().Set("Timing-Allow-Origin", "*")
		return a.pages.serve(w, r, path.Join(clientFolder, name))
	}
}

// getPage serves the files of one folder, and index.html for the folder itself.
func (a *API) getPage(folder string) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		name := p.ByName("file")
		if name == "/" {
			name = "/index.html"
		}
		return a.pages.serve(w, r, folder+name) // not cleaned: a path with “..” is not the name of a file
	}
}

// redirectToFolder redirects to the same path with a slash at its end, and keeps the
// query. The address is relative (RFC 9110, 10.2.2), because a proxy may serve the
// server below a path. http.Redirect would make it absolute.
func redirectToFolder(w http.ResponseWriter, r *http.Request, _ params) error {
	target := url.URL{Path: path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusPermanentRedirect)
	return nil
}
