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
	headers map[string]headers // of pages, by their folder
}

type file struct {
	plain   func() ([]byte, error)
	gzipped []byte // nil where that would not be smaller
	etag    string
}

func newFile(content []byte) file {
	f := file{plain: func() ([]byte, error) { return content, nil }, etag: etagOf(content)}
	var gzipped bytes.Buffer
	compressor, _ := gzip.NewWriterLevel(&gzipped, gzip.BestCompression) // a level that exists
	_, _ = compressor.Write(content)                                     // memory takes everything
	_ = compressor.Close()
	if gzipped.Len() < len(content) {
		f.gzipped = gzipped.Bytes()
	}
	return f
}

// newPackedFile is a file that is kept gzipped, because it is large. It is unpacked
// once, when the first of the rare clients that do not take gzip asks for it: as
// often as they ask would be work that anybody could have done without end.
func newPackedFile(gzipped []byte) file {
	unpack := func() ([]byte, error) {
		unpacked, err := gzip.NewReader(bytes.NewReader(gzipped))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(unpacked)
	}
	return file{plain: sync.OnceValues(unpack), gzipped: gzipped, etag: etagOf(gzipped)}
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// representation is the file as one of the two that there are of it, each with a
// tag of its own (RFC 9110, 8.8.3.3).
func (f file) representation(asGzip bool) (content []byte, etag string, err error) {
	if asGzip {
		return f.gzipped, f.etag + "-gzip", nil
	}
	content, err = f.plain()
	return content, f.etag, err
}

// clientFolder is where the files of the browser client are among the pages.
const clientFolder = "browser"

// newPages reads all files once: they cannot change while the server runs.
func newPages(files, client fs.FS, isProduction bool) (pages, error) {
	p := pages{make(map[string]file), newPageHeaders(isProduction)}
	if err := errors.Join(p.add(files, ""), p.add(client, clientFolder)); err != nil {
		return pages{}, fmt.Errorf("reading the pages: %w", err)
	}
	// The doctor reads streams by the client's own reader.
	if reader, ok := p.files[path.Join(clientFolder, "src/event-stream.js")]; ok {
		p.files["assets/event-stream.js"] = reader
	}
	return p, nil
}

// add reads the files of a file system, and puts them into a folder.
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

// itsParts lets a page run its own scripts and styles, show its own pictures,
// and ask its own server.
const itsParts = "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"

// policies are what the parts of each page may do: what it does not need, it may
// not. The landing page has no folder.
var policies = map[string]string{
	"":          itsParts,
	"demo":      itsParts,
	"doctor":    itsParts,
	"dashboard": itsParts,
	"problems":  "style-src 'self'; img-src 'self'",
	// The reference draws itself, with styles that it writes.
	"reference": "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'",
}

// devices is the permissions policy of the one page that calls.
var devices = map[string]string{"demo": "camera=(self), microphone=(self), geolocation=()"}

func newPageHeaders(isProduction bool) map[string]headers {
	all := make(map[string]headers, len(policies))
	for folder, policy := range policies {
		all[folder] = newHeaders(noParts+"; "+policy, cmp.Or(devices[folder], noDevices), isProduction)
	}
	return all
}

// allow lets the page that an answer is do what it needs to.
func (p pages) allow(w http.ResponseWriter, r *http.Request, folder string) {
	p.headers[folder].set(w, r)
}

// serve answers with one of the files. Browsers keep it, and ask whether it has
// changed.
func (p pages) serve(w http.ResponseWriter, r *http.Request, name string) error {
	f, ok := p.files[name]
	if !ok {
		return problem.NotFound.With("There is no such page.")
	}
	if path.Ext(name) == ".html" {
		p.allow(w, r, strings.TrimSuffix(path.Dir(name), "."))
	}
	if f.gzipped != nil {
		w.Header().Add("Vary", "Accept-Encoding")
	}
	asGzip := f.gzipped != nil && acceptsGzip(r)
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
	r.Header.Del("Range") // nobody needs a part of a page
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}

// acceptsGzip tells whether a client takes gzip. A weight that is not 0 is a yes
// (RFC 9110, 12.5.3).
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

// getClient serves a file of the client, which pages of any origin may use, and
// may learn from how it came.
func (a *API) getClient(name string) handler {
	return func(w http.ResponseWriter, r *http.Request, _ params) error {
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		w.Header().Set("Timing-Allow-Origin", "*")
		return a.pages.serve(w, r, path.Join(clientFolder, name))
	}
}

// getPage serves the files of one folder, and its index.html for the folder.
func (a *API) getPage(folder string) handler {
	return func(w http.ResponseWriter, r *http.Request, p params) error {
		name := p.ByName("file")
		if name == "/" {
			name = "/index.html"
		}
		return a.pages.serve(w, r, folder+name) // as it stands there: a path that is to be resolved first is of no file
	}
}

func redirectTo(target string) handler {
	return func(w http.ResponseWriter, r *http.Request, _ params) error {
		if r.URL.RawQuery != "" {
			http.Redirect(w, r, target+"?"+r.URL.RawQuery, http.StatusPermanentRedirect)
			return nil
		}
		http.Redirect(w, r, target, http.StatusPermanentRedirect)
		return nil
	}
}
