package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
)

// files names the files of a certificate and its key.
type files struct{ certificate, key string }

func newFiles(t *testing.T) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

func (f files) settings() []string { return []string{"TLS_CERT=" + f.certificate, "TLS_KEY=" + f.key} }

// write writes a new certificate for localhost with this serial number.
func (f files) write(t *testing.T, number int64) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{f.certificate: {Type: "CERTIFICATE", Bytes: certificate}, f.key: {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
		changed := time.Unix(number, 0) // a file system may not distinguish two writes in a short time
		require.NoError(t, os.Chtimes(name, changed, changed))
	}
}

func TestACertificateIsReadAgainWhenItsFilesHaveChanged(t *testing.T) {
	f := newFiles(t)
	synctest.Test(t, func(t *testing.T) {
		f.write(t, 1)
		var log bytes.Buffer
		ours, expires, err := newTLS(config{TLSCertificate: f.certificate, TLSKey: f.key}, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		inUse := func() int64 {
			certificate, err := ours.GetCertificate(nil)
			require.NoError(t, err)
			require.Equal(t, certificate.Leaf.NotAfter, expires())
			return certificate.Leaf.SerialNumber.Int64()
		}
		require.EqualValues(t, 1, inUse())

		f.write(t, 2)
		require.EqualValues(t, 1, inUse(), "the files are not checked at every handshake")
		time.Sleep(lookAgain)
		require.EqualValues(t, 2, inUse())

		require.NoError(t, os.WriteFile(f.key, []byte("half a ke"), 0o600))
		for range 3 {
			time.Sleep(lookAgain)
			require.EqualValues(t, 2, inUse(), "an old certificate is better than none")
		}
		require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "logged once: %s", log.String())
		f.write(t, 3)
		time.Sleep(lookAgain)
		require.EqualValues(t, 3, inUse())
	})
}

func TestACertificateThatCannotBeUsedIsReportedInOneSentence(t *testing.T) {
	var stderr bytes.Buffer
	code := run(process{environment: []string{"PORT=0", "TLS_CERT=/nowhere/cert.pem", "TLS_KEY=/nowhere/key.pem"}, stdout: io.Discard, stderr: &stderr})
	require.Equal(t, 1, code)
	require.Equal(t, "signaling-server: TLS_CERT and TLS_KEY cannot be used: stat /nowhere/cert.pem: no such file or directory.\n", stderr.String())
}

func TestOnlyTheDomainsOfTheListGetACertificateFromLetsEncrypt(t *testing.T) {
	c, err := loadConfig([]string{"ACME_DOMAINS=signaling.example.com, example.org", "ACME_CACHE=" + t.TempDir()})
	require.NoError(t, err)
	ours, _, err := newTLS(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Subset(t, ours.NextProtos, []string{"h2", "http/1.1", "acme-tls/1"})
	_, err = ours.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example.com"})
	require.ErrorContains(t, err, "not configured in HostWhitelist")
	require.True(t, c.usesTLS())
}

func TestAFolderForCertificatesThatCannotBeUsedIsReportedInOneSentence(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	unreadable := filepath.Join(folder, "unreadable")
	require.NoError(t, os.MkdirAll(filepath.Join(unreadable, "a.example.com"), 0o700)) // a folder in the place of a certificate
	advice := fmt.Sprintf(": set it to a folder that user %d may write, such as a volume.\n", os.Getuid())
	for cache, reason := range map[string]string{
		file:                              "mkdir " + file + ": not a directory",
		filepath.Join(file, "below"):      "mkdir " + file + ": not a directory",
		"/proc/acme":                      "mkdir /proc/acme: ", // a file system that takes no folders
		unreadable:                        "read " + filepath.Join(unreadable, "a.example.com") + ": is a directory",
		filepath.Join(folder, "\x00here"): "invalid argument",
	} {
		var stderr bytes.Buffer
		code := run(process{environment: []string{"PORT=0", "ACME_DOMAINS=a.example.com", "ACME_CACHE=" + cache}, stdout: io.Discard, stderr: &stderr})
		require.Equal(t, 1, code, cache)
		require.Contains(t, stderr.String(), "ACME_CACHE cannot be used: ")
		require.Contains(t, stderr.String(), reason)
		require.True(t, strings.HasSuffix(stderr.String(), advice), stderr.String())
	}
}

// browser returns a client that speaks HTTP/2, over one connection to each server, and
// the number of these connections.
func browser(t *testing.T, cleartext bool) (client *http.Client, connections *atomic.Int64) {
	connections = new(atomic.Int64)
	protocols := new(http.Protocols)
	protocols.SetHTTP2(!cleartext)
	protocols.SetUnencryptedHTTP2(cleartext)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test signs its certificate itself
		Protocols:       protocols,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			connections.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, connections
}

// stream is one of many streams over one connection.
type stream struct {
	events          *ssetest.Reader
	token, socketID string
	close           func() error
}

func openOver(t *testing.T, client *http.Client, url string) *stream {
	t.Helper()
	response, err := client.Get(url + "/events")
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", response.Proto)
	t.Cleanup(func() { response.Body.Close() })
	s := &stream{events: ssetest.NewReader(response.Body), close: response.Body.Close}
	hello := s.until(t, `"type":"connected"`)
	_, rest, _ := strings.Cut(hello, `"token":"`)
	s.token = rest[:22]
	_, rest, _ = strings.Cut(hello, `"socketId":"`)
	s.socketID = rest[:22]
	return s
}

// until reads up to the event whose data contains a text, and returns that data.
func (s *stream) until(t *testing.T, text string) string {
	t.Helper()
	for {
		e, err := s.events.Next()
		require.NoError(t, err, "waiting for %s", text)
		if strings.Contains(e.Data, text) {
			return e.Data
		}
	}
}

func postOver(t *testing.T, client *http.Client, url, token, body string) {
	t.Helper()
	require.Equal(t, http.StatusAccepted, tryOver(t, client, url, token, body))
}

// tryOver posts an event, and returns the status of the answer.
func tryOver(t *testing.T, client *http.Client, url, token, body string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body) // or the next post needs a new connection
	require.NoError(t, err)
	return response.StatusCode
}

var noLimits = []string{"OPENS_PER_ADDRESS=0", "POSTS_PER_ADDRESS=0", "POSTS_PER_SOCKET=0", "EVENTS_PER_ADDRESS=0", "EVENTS_PER_SOCKET=0"}

// Over HTTP/1.1 a browser opens at most six connections to a server, for all its tabs
// together. HTTP/2 needs one.
func TestManyStreamsShareOneHTTP2Connection(t *testing.T) {
	f := newFiles(t)
	f.write(t, 1)
	for name, way := range map[string]struct {
		settings  []string
		cleartext bool
		many      int // streams; a proxy carries the streams of many clients
	}{"TLS": {f.settings(), false, 200}, "h2c": {[]string{"H2C=true"}, true, 500}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, append(way.settings, noLimits...)...)
			client, connections := browser(t, way.cleartext)
			streams := make([]*stream, way.many)
			for i := range streams {
				streams[i] = openOver(t, client, s.url)
				postOver(t, client, s.url, streams[i].token, fmt.Sprintf(`{"type":"join-room","roomId":"r%d","userId":"u"}`, i/2))
			}
			for i, one := range streams {
				postOver(t, client, s.url, one.token, fmt.Sprintf(`{"type":"signal","target":%q,"data":"n%d."}`, streams[i^1].socketID, i))
			}
			for i, one := range streams {
				one.until(t, fmt.Sprintf(`"n%d."`, i^1))
			}
			require.EqualValues(t, 1, connections.Load())

			require.Zero(t, s.stop(t))
			for _, one := range streams {
				one.until(t, `"type":"server-shutdown"`)
				_, err := one.events.Next()
				require.Equal(t, io.EOF, err, "a clean end")
			}
		})
	}
}

// Streams share a connection, but each has flow control of its own (RFC 9113, 5.2). A
// stream that is not read is held back, and ends as a slow consumer. The other streams go
// on.
func TestAnUnreadHTTP2StreamStallsNoNeighbour(t *testing.T) {
	f := newFiles(t)
	f.write(t, 1)
	s := start(t, append(append(f.settings(), noLimits...), "OUTBOX_EVENTS=256", "OUTBOX_BYTES=1048576", "RESUME_WINDOW=2s")...)
	client, connections := browser(t, false)
	unread, sender, neighbour := openOver(t, client, s.url), openOver(t, client, s.url), openOver(t, client, s.url)
	for i, one := range []*stream{unread, sender, neighbour} {
		postOver(t, client, s.url, one.token, fmt.Sprintf(`{"type":"join-room","roomId":"r","userId":"u%d"}`, i))
	}
	large := strings.Repeat("x", 60_000)
	var reading sync.WaitGroup
	ended := make(chan struct{})
	reading.Go(func() {
		sender.until(t, `"reason":"slow consumer"`)
		close(ended)
	})
	var slowest time.Duration
	posted := 0
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for isOver := false; !isOver; {
		require.Less(t, posted, 1000, "the unread stream never ends")
		began := time.Now()
		// While the unread stream may still resume, the sender may fill only its share of the outbox.
		if tryOver(t, client, s.url, sender.token, fmt.Sprintf(`{"type":"signal","data":"%d.%s"}`, posted, large)) == http.StatusAccepted {
			neighbour.until(t, `"data":"`+strconv.Itoa(posted)+".")
			slowest = max(slowest, time.Since(began))
			posted++
		}
		select {
		case <-ended:
			isOver = true
		case <-pace.C:
		}
	}
	reading.Wait()
	t.Logf("%d events; the neighbour waited for none of them longer than %v", posted, slowest)
	require.EqualValues(t, 1, connections.Load())
	require.NoError(t, unread.close())
	require.Zero(t, s.stop(t))
}

func TestTheHealthcheckSpeaksTLSToo(t *testing.T) {
	f := newFiles(t)
	f.write(t, 1)
	s := start(t, f.settings()...)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "https://"))
	require.NoError(t, err)
	code, said := healthOf(append(f.settings(), "HOST=127.0.0.1", "PORT="+port))
	require.Zero(t, code, said)
	require.Zero(t, s.stop(t))
}

// The health check of a proxy that forwards TCP opens a connection, and closes or resets
// it at once.
func TestAConnectionThatEndsBeforeTLSIsNotAWarning(t *testing.T) {
	f := newFiles(t)
	f.write(t, 1)
	s := start(t, append(f.settings(), "LOG_LEVEL=debug")...)
	handshake := func(act func(net.Conn) error) (line string) {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
		require.NoError(t, err)
		require.NoError(t, act(connection))
		require.NoError(t, connection.Close())
		for !strings.Contains(line, "TLS handshake error") {
			select {
			case line = <-s.log.line:
			case <-time.After(patience):
				require.Fail(t, "the log has no line about the handshake")
			}
		}
		return line
	}
	require.Contains(t, handshake(func(net.Conn) error { return nil }), "DBG")
	require.Contains(t, handshake(func(c net.Conn) error { return c.(*net.TCPConn).SetLinger(0) }), "DBG")
	require.Contains(t, handshake(func(c net.Conn) error {
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, _ = io.ReadAll(c)
		return err
	}), "WRN", "a client that speaks http to this port is worth knowing")
	require.Zero(t, s.stop(t))
}
