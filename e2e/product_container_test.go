package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	dockerCopy = regexp.MustCompile(`(?m)^COPY --from=build (?:--chown=(\d+):(\d+) )?(\S+) (\S+)$`)
	dockerEnv  = regexp.MustCompile(`(?m)^ENV (\S+=\S+)$`)
)

// dockerBuild is how the Dockerfile makes the binary, and what goes with it.
const dockerBuild = "\nRUN make dist PLATFORMS=linux/$(go env GOARCH) COMMIT=$COMMIT && mv dist/signaling-server-linux-$(go env GOARCH) /signaling-server\n"

// image is what the Dockerfile makes: the files of its last stage, and the environment.
type image struct{ root, environment string }

// imageUser is the user that the Dockerfile names.
const imageUser = 65532

// theImage builds the binary as the Dockerfile does, and puts the files of its last stage
// into an empty folder.
func theImage(t *testing.T) image {
	t.Helper()
	dockerfile, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	text := string(dockerfile)
	require.Contains(t, text, fmt.Sprintf("\nUSER %d:%d\n", imageUser, imageUser))
	require.Contains(t, text, dockerBuild, "the Dockerfile builds the binary in another way than this test")
	dist := t.TempDir()
	makeDist(t, "..", dist)
	_, last, found := strings.Cut(text, "\nFROM scratch\n")
	require.True(t, found)
	environment := dockerEnv.FindAllStringSubmatch(last, -1)
	require.NotEmpty(t, environment)
	image := image{root: t.TempDir()}
	for _, one := range environment {
		image.environment += one[1] + "\n"
	}
	require.NoError(t, os.Chmod(image.root, 0o755))

	copies := dockerCopy.FindAllStringSubmatch(last, -1)
	require.Len(t, copies, strings.Count(last, "\nCOPY ")+1, "the test understands each COPY")
	for _, one := range copies {
		source, target := one[3], filepath.Join(image.root, one[4])
		if one[1] != "" {
			require.Regexp(t, `\nRUN mkdir .*`+source+`\b`, text)
			require.NoError(t, os.MkdirAll(target, 0o755))
			require.NoError(t, os.Chown(target, made(strconv.Atoi(one[1])), made(strconv.Atoi(one[2]))))
			continue
		}
		switch name, isOfDist := strings.CutPrefix(source, "/src/dist/"); {
		case isOfDist:
			source = filepath.Join(dist, name)
		case source == "/signaling-server":
			source = filepath.Join(dist, "signaling-server-linux-"+runtime.GOARCH)
		} // the build stage has the others of Debian, as this machine has
		content, err := os.ReadFile(source)
		require.NoError(t, err, "apt-get install ca-certificates")
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		require.NoError(t, os.WriteFile(target, content, 0o755))
	}
	return image
}

func made[V any](value V, err error) V {
	if err != nil {
		panic(err)
	}
	return value
}

// path returns the path of a file of the image on this machine.
func (i image) path(name string) string { return filepath.Join(i.root, name) }

// command returns a command of the image, as a container runs it: with the image's files
// alone, and as its user.
func (i image) command(settings []string, args ...string) *exec.Cmd {
	c := exec.Command("/signaling-server", args...)
	c.Dir = "/"
	c.Env = append(strings.Fields(i.environment), settings...)
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
	return c
}

// runs starts the server, waits until it is healthy and meanwhile is true, stops it, and
// returns its log.
func (i image) runs(t *testing.T, meanwhile func() bool, settings ...string) (log string) {
	t.Helper()
	settings = append(settings, "PORT="+freePort(t))
	var text, reason bytes.Buffer
	server := i.command(settings)
	server.Stderr = &text
	require.NoError(t, server.Start())
	defer func() { // a test that fails leaves no process behind
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	isHealthy := func() bool {
		check := i.command(settings, "healthcheck")
		reason.Reset()
		check.Stderr = &reason
		return check.Run() == nil
	}
	require.Eventually(t, func() bool { return isHealthy() && meanwhile() }, within, 50*time.Millisecond, &reason)
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.Wait(), &text)
	require.False(t, isHealthy())
	require.Contains(t, text.String(), `"environment":"production"`, "the log is JSON")
	return text.String()
}

// refuses starts the server, which must say why it does not start.
func (i image) refuses(t *testing.T, sentence string, settings ...string) {
	t.Helper()
	server := i.command(append(settings, "PORT="+freePort(t)))
	var said bytes.Buffer
	server.Stderr = &said
	require.NoError(t, server.Start())
	isLate := time.AfterFunc(within, func() { _ = server.Process.Kill() })
	defer isLate.Stop()
	require.Error(t, server.Wait())
	require.Contains(t, said.String(), sentence)
	require.Equal(t, 1, strings.Count(said.String(), "\n"), &said)
}

func always() bool { return true }

// The image contains the binary, the licences, the certificates of authorities and two
// folders, and an unprivileged user runs it. There is no /etc/hosts, no /tmp, no list of users and no
// resolver. What needs more than that is refused at the start.
func TestTheImageNeedsNothingBesideItself(t *testing.T) {
	takesTurnsBuilding(t)
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can change the root directory")
	}
	image := theImage(t)
	const roots = "etc/ssl/certs/ca-certificates.crt"
	issuer := newIssuer(t)

	t.Run("it starts, and calls itself healthy", func(t *testing.T) {
		for _, host := range []string{"", "127.0.0.1", "0.0.0.0"} {
			image.runs(t, always, "HOST="+host)
		}
	})
	t.Run("it fetches keys by https", func(t *testing.T) {
		known, err := os.ReadFile(image.path(roots))
		require.NoError(t, err)
		defer func() { require.NoError(t, os.WriteFile(image.path(roots), known, 0o644)) }()
		// An authority of ours beside those of Debian: the test has no internet.
		require.NoError(t, os.WriteFile(image.path(roots), append(known, issuer.authority...), 0o644))
		before := issuer.asked.Load()
		log := image.runs(t, func() bool { return issuer.asked.Load() > before }, "ACCESS_JWKS_URL="+issuer.URL)
		require.NotContains(t, log, "cannot be fetched")
	})
	t.Run("of a private authority", func(t *testing.T) {
		require.NoError(t, os.WriteFile(image.path("private.pem"), issuer.authority, 0o644))
		before := issuer.asked.Load()
		log := image.runs(t, func() bool { return issuer.asked.Load() > before }, "ACCESS_JWKS_URL="+issuer.URL, "SSL_CERT_FILE=/private.pem")
		require.NotContains(t, log, "cannot be fetched")
	})
	t.Run("through a proxy, without a resolver", func(t *testing.T) {
		proxy := newTunnel(t, issuer.Listener.Addr().String())
		before := issuer.asked.Load()
		log := image.runs(t, func() bool { return issuer.asked.Load() > before },
			"ACCESS_JWKS_URL=https://example.com/keys", "SSL_CERT_FILE=/private.pem", "HTTPS_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "HOST=0.0.0.0")
		require.NotContains(t, log, "cannot be fetched")
	})
	t.Run("an issuer that cannot be found is asked again later", func(t *testing.T) {
		log := image.runs(t, always, "ACCESS_JWKS_URL=https://issuer.invalid/keys")
		require.Contains(t, log, "the keys of access tokens cannot be fetched: trying again later")
	})
	t.Run("https without authorities", func(t *testing.T) {
		require.NoError(t, os.Rename(image.path(roots), image.path("hidden")))
		defer func() { require.NoError(t, os.Rename(image.path("hidden"), image.path(roots))) }()
		image.refuses(t, "ACCESS_JWKS_URL needs certificates of authorities, but this machine has none: install the package ca-certificates, or set SSL_CERT_FILE", "ACCESS_JWKS_URL="+issuer.URL)
		image.refuses(t, "ACME_DOMAINS needs certificates of authorities", "ACME_DOMAINS=signaling.example.com")
		image.runs(t, always, "ACCESS_JWKS_URL=http://127.0.0.1:1/") // without TLS no authority is needed
	})
	t.Run("authorities that cannot be read", func(t *testing.T) {
		image.refuses(t, "SSL_CERT_FILE cannot be used: open /nowhere.pem: no such file", "ACCESS_JWKS_URL="+issuer.URL, "SSL_CERT_FILE=/nowhere.pem")
		image.refuses(t, "SSL_CERT_FILE cannot be used: it has no certificate in PEM", "ACCESS_JWKS_URL="+issuer.URL, "SSL_CERT_FILE=/signaling-server")
	})
	t.Run("the licences of what is linked go with the binary", func(t *testing.T) {
		texts, err := os.ReadFile(image.path("LICENSES.md"))
		require.NoError(t, err)
		require.Contains(t, string(texts), "\n## github.com/r3labs/sse/v2@")
		require.Contains(t, string(texts), "Mozilla Public License")
	})
	t.Run("what outlives the process is kept in the image's folder", func(t *testing.T) {
		image.runs(t, always, "STATE_FILE=/state/sockets",
			"WEBHOOK_DIR=/state/webhooks", "WEBHOOK_URL=http://127.0.0.1:1/", "WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
		require.FileExists(t, image.path("state/sockets"))
		require.DirExists(t, image.path("state/webhooks"))
	})
	const domain = "signaling.example.com"
	t.Run("certificates of Let's Encrypt are kept in the image's folder", func(t *testing.T) {
		require.NoError(t, os.WriteFile(image.path("acme/"+domain), certificateOf(t, domain), 0o600))
		defer func() { require.NoError(t, os.Remove(image.path("acme/"+domain))) }()
		image.refuses(t, "ACME_CACHE cannot be used: open /acme/signaling.example.com: permission denied: set it to a folder that user 65532 may write, such as a volume", "ACME_DOMAINS="+domain)
		require.NoError(t, os.Chown(image.path("acme/"+domain), imageUser, imageUser))
		image.runs(t, always, "ACME_DOMAINS="+domain)
		left, err := os.ReadDir(image.path("acme"))
		require.NoError(t, err)
		require.Len(t, left, 1, "the check of the folder leaves nothing there")
	})
	t.Run("a folder for certificates that cannot be written", func(t *testing.T) {
		require.NoError(t, os.Mkdir(image.path("ours"), 0o755))
		image.refuses(t, "permission denied: set it to a folder that user 65532 may write", "ACME_DOMAINS="+domain, "ACME_CACHE=/ours")
		image.refuses(t, "ACME_CACHE cannot be used: mkdir /new: permission denied", "ACME_DOMAINS="+domain, "ACME_CACHE=/new")
		image.refuses(t, "ACME_CACHE cannot be used: mkdir /private.pem: not a directory", "ACME_DOMAINS="+domain, "ACME_CACHE=/private.pem")
	})
	t.Run("files that only root may read", func(t *testing.T) {
		require.NoError(t, os.WriteFile(image.path("root.pem"), certificateOf(t, domain), 0o600))
		image.refuses(t, "TLS_CERT and TLS_KEY cannot be used: open /root.pem: permission denied: give user 65532 access to it", "TLS_CERT=/root.pem", "TLS_KEY=/root.pem")
		image.refuses(t, "ACCESS_PUBLIC_KEY cannot be used: open /root.pem: permission denied: give user 65532 access to it", "ACCESS_PUBLIC_KEY=/root.pem")
		image.refuses(t, "SSL_CERT_FILE cannot be used: open /root.pem: permission denied: give user 65532 access to it", "ACCESS_JWKS_URL="+issuer.URL, "SSL_CERT_FILE=/root.pem")
	})
}

// issuer serves keys by https, and counts the requests.
type issuer struct {
	*httptest.Server
	asked     atomic.Int32
	authority []byte // its certificate, in PEM
}

func newIssuer(t *testing.T) *issuer {
	i := new(issuer)
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		_, _ = io.WriteString(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	t.Cleanup(i.Close)
	i.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	return i
}

// newTunnel starts a proxy that leads each CONNECT to one address, and refuses all else.
func newTunnel(t *testing.T, address string) *httptest.Server {
	var open sync.WaitGroup
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		there, err := net.Dial("tcp", address)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		open.Add(1)
		defer open.Done()
		back := make(chan struct{})
		go func() { // ends with either connection
			defer close(back)
			_, _ = io.Copy(here, there)
			here.Close()
		}()
		_, _ = io.Copy(there, buffered)
		there.Close()
		<-back
	}))
	t.Cleanup(open.Wait)
	t.Cleanup(proxy.Close)
	return proxy
}

// certificateOf returns a key and its certificate for a domain in PEM, in the form in
// which the folder for Let's Encrypt has them.
func certificateOf(t *testing.T, domain string) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{domain},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(60 * 24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})...)
}
