package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/access"
	"signaling-server/client"
	"signaling-server/httpapi/origins"
	"signaling-server/iceservers"
	"signaling-server/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer runs a real server on loopback, and returns its address.
func startServer(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	return serve(t, startHandler(t, change), nil)
}

func startHandler(t *testing.T, change func(*server.Options)) http.Handler {
	t.Helper()
	o := server.DefaultOptions()
	if change != nil {
		change(&o)
	}
	signaling, err := server.New(o)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = signaling.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return signaling.Handler()
}

// serve serves a handler, by TLS and HTTP/2 if there is a certificate.
func serve(t *testing.T, handler http.Handler, certificate *tls.Certificate) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if certificate == nil {
		s.Start()
	} else {
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// way is what a proxy does to requests and answers.
type way struct {
	answer     func(http.ResponseWriter, *http.Request) bool // reports whether the proxy answers by itself
	onRequest  func(*http.Request)
	onResponse func(*http.Response)
}

// behind puts a proxy before a server.
func behind(t *testing.T, serverURL string, w way) string {
	t.Helper()
	upstream, err := url.Parse(serverURL)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			if w.onRequest != nil {
				w.onRequest(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if w.onResponse != nil {
				w.onResponse(r)
			}
			return nil
		},
	}
	return serve(t, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if w.answer == nil || !w.answer(out, r) {
			proxy.ServeHTTP(out, r)
		}
	}), nil)
}

// optionsFor are quick: a proxy of the tests answers at once, or never.
func optionsFor(t *testing.T, address string) Options {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return Options{Server: u, Timeout: 10 * time.Second, Wait: time.Second, pingInterval: 10 * time.Millisecond}
}

// requireFinding makes sure that a finding with this ID has the level and the words.
func requireFinding(t *testing.T, findings []Finding, id string, level Level, words ...string) Finding {
	t.Helper()
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.ID == id })
	require.GreaterOrEqual(t, i, 0, "%s in %+v", id, findings)
	f := findings[i]
	require.Equal(t, level, f.Level, "%+v", f)
	for _, each := range words {
		require.Contains(t, f.Title+"\n"+f.Text+"\n"+f.Advice, each)
	}
	for _, text := range []string{f.Title, f.Text, f.Advice} {
		require.NotContains(t, text, "${")
		require.NotContains(t, text, "%!")
	}
	return f
}

func all(r Report) (findings []Finding) {
	for _, result := range r.Results {
		findings = append(findings, result.Findings...)
	}
	return findings
}

func TestNothingIsWrongWithAPlainServer(t *testing.T) {
	t.Parallel()
	turnURL := startTURN(t, turnSecret, true)
	handler := startHandler(t, func(o *server.Options) {
		o.ICEServers = iceservers.Provider{
			Static: []iceservers.Server{{URLs: []string{strings.Replace(turnURL[:strings.Index(turnURL, "?")], "turn:", "stun:", 1)}}},
			TURN:   []string{turnURL}, Secret: turnSecret, TTL: time.Hour,
		}
	})
	authority := newAuthority(t)
	certificate := authority.sign(t, nil)
	for name, certificate := range map[string]*tls.Certificate{"plain": nil, "TLS and HTTP/2": &certificate} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := optionsFor(t, serve(t, http.StripPrefix("/signal", handler), certificate)+"/signal/")
			o.Roots, o.Origin = authority.pool, "https://app.example.com"
			var began, ended []string
			o.Began = func(title string) { began = append(began, title) }
			o.Ended = func(r Result) { ended = append(ended, r.Check) }
			report := Run(t.Context(), o)
			require.Empty(t, report.Faults())
			require.ElementsMatch(t, order, began)
			require.ElementsMatch(t, order, ended)
			for i, result := range report.Results {
				require.Equal(t, order[i], result.Check)
			}
			for _, id := range []string{"names", "request-headers", "response-headers", "clock", "eventSource", "fetchStream", "poll", "post", "batch", "resume", "room", "origin"} {
				requireFinding(t, all(report), id, Good)
			}
			requireFinding(t, all(report), "silence", Info, "the test was short")
			servers := report.Results[8].Findings
			require.Len(t, servers, 2)
			require.Equal(t, []Level{Good, Good}, []Level{servers[0].Level, servers[1].Level}, "%+v", servers)
			require.Contains(t, servers[0].Text+servers[1].Text, "It relayed a packet from")
			if certificate != nil {
				requireFinding(t, all(report), "certificate", Good)
				requireFinding(t, all(report), "protocol", Good, "HTTP/2")
				requireFinding(t, all(report), "tls", Good, "TLS 1.3")
			}
			require.NotEmpty(t, report.Version)
		})
	}
}

func isStream(r *http.Response) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream")
}

// slowly is a body that is read at intervals.
type slowly struct {
	io.ReadCloser
	interval time.Duration
}

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(s.interval) // as a proxy that collects events does
	return s.ReadCloser.Read(p)
}

// impatient is a body that is cut if nothing comes for too long.
type impatient struct {
	io.ReadCloser
	timer *time.Timer
}

func (i impatient) Read(p []byte) (int, error) {
	i.timer.Reset(400 * time.Millisecond)
	defer i.timer.Stop()
	return i.ReadCloser.Read(p)
}

func cutWhenIdle(r *http.Response) {
	if body := r.Body; isStream(r) {
		r.Body = impatient{body, time.AfterFunc(time.Hour, func() { body.Close() })}
	}
}

// each proxy does one thing wrong, and the check finds it.
func TestTheDoctorFindsWhatProxiesDo(t *testing.T) {
	t.Parallel()
	upstream := startServer(t, nil)
	without := func(name string) way { return way{onRequest: func(r *http.Request) { r.Header.Del(name) }} }
	refusing := func(method, path string, status int) way {
		return way{answer: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || r.URL.Path != path {
				return false
			}
			w.WriteHeader(status)
			return true
		}}
	}
	answering := func(change func(*http.Response)) way { return way{onResponse: change} }
	climb, exchange, resume, listen := (*examiner).climb, (*examiner).exchange, (*examiner).resume, (*examiner).listen
	page, meet := (*examiner).askAsPage, (*examiner).meet
	for name, c := range map[string]struct {
		way   way
		check func(*examiner, context.Context) outcome
		id    string
		level Level
		words []string
		lines fault
	}{
		"streams are held back": {answering(func(r *http.Response) {
			if isStream(r) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
		}), climb, "eventSource", Bad, []string{"is held back", "no response buffering"}, faultBuffering},
		"streams are held back, and then cut": {answering(func(r *http.Response) {
			if isStream(r) {
				r.Body.Close()
				r.Body = http.NoBody
			}
		}), climb, "eventSource", Bad, []string{"is held back", "no event came"}, faultBuffering},
		"events are collected": {answering(func(r *http.Response) {
			if isStream(r) {
				r.Body = slowly{r.Body, 900 * time.Millisecond}
			}
		}), climb, "fetchStream", Warn, []string{"brings events late", "came at once"}, faultBuffering},
		"streams are refused": {refusing("GET", "/events", 403), climb, "eventSource", Bad, []string{"is blocked", "status 403: forbidden", "Let GET /events"}, ""},
		"polls are refused":   {refusing("GET", "/events/poll", 403), climb, "poll", Bad, []string{"is blocked"}, ""},
		"the server is busy":  {refusing("GET", "/events/poll", 429), climb, "poll", Warn, []string{"too many requests", "in a minute"}, ""},
		"POST is blocked":     {refusing("POST", "/events", 403), climb, "post", Bad, []string{"Sending is blocked", "application/json"}, ""},
		"POST is blocked, so": {refusing("POST", "/events", 403), climb, "eventSource", Warn, []string{"nothing can be sent"}, ""},
		"tokens are lost":     {without("Authorization"), climb, "post", Bad, []string{"Sending is refused", "Leave the header Authorization"}, ""},
		"a stream is cut after some bytes": {answering(func(r *http.Response) {
			if isStream(r) {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, 900), r.Body}
			}
		}), climb, "eventSource", Bad, []string{"breaks off", "Do not cut long answers of", "/events."}, faultIdle},
		"a header is lost":     {without("Last-Event-ID"), exchange, "request-headers", Warn, []string{"Last-Event-Id was taken out", "where its stream continues"}, ""},
		"the token is lost":    {without("Authorization"), exchange, "request-headers", Bad, []string{"Authorization was taken out"}, ""},
		"the id is lost":       {without("Last-Event-ID"), resume, "resume", Bad, []string{"gives a new socket", "CLUSTER_URL"}, ""},
		"batches are refused":  {refusing("POST", "/events/batch", 413), resume, "batch", Bad, []string{"Batches are blocked", "status 413"}, ""},
		"no stream to resume":  {refusing("GET", "/events", 403), resume, "resume", Info, []string{"Mend the live streams first"}, ""},
		"caches store":         {answering(func(r *http.Response) { r.Header.Set("Age", "30") }), exchange, "response-headers", Bad, []string{"from a cache"}, ""},
		"nginx takes one out":  {answering(func(r *http.Response) { r.Header.Del("X-Accel-Buffering") }), exchange, "response-headers", Info, []string{"nginx takes this header out"}, ""},
		"a proxy adds its own": {answering(func(r *http.Response) { r.Header.Set("Via", "1.1 proxy") }), exchange, "response-headers", Info, []string{"1 header added"}, ""},
		"Cache-Control":        {answering(func(r *http.Response) { r.Header.Set("Cache-Control", "public") }), exchange, "response-headers", Warn, []string{"Cache-Control was changed"}, ""},
		"a header is changed":  {answering(func(r *http.Response) { r.Header.Set("X-Content-Type-Options", "maybe") }), exchange, "response-headers", Warn, []string{"X-Content-Type-Options was changed"}, ""},
		"answers are compressed": {answering(func(r *http.Response) {
			var packed bytes.Buffer
			writer := gzip.NewWriter(&packed)
			_, _ = io.Copy(writer, r.Body)
			writer.Close()
			r.Body = io.NopCloser(&packed)
			r.Header.Set("Content-Encoding", "gzip")
			r.Header.Del("Content-Length")
			r.ContentLength = -1
		}), exchange, "response-headers", Warn, []string{"compressed", "Turn off compression"}, faultCompression},
		"a login page answers": {way{answer: func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, "<html>Please log in</html>")
			return true
		}}, exchange, "exchange", Bad, []string{"in place of the server"}, ""},
		"nothing is let through": {refusing("GET", "/doctor.json", 403), exchange, "exchange", Bad, []string{"status 403"}, ""},
		"the server's clock":     {answering(shiftTime(-150 * time.Second)), exchange, "clock", Warn, []string{"ahead of the server's", "Set this device's clock"}, ""},
		"the clock is a bit off": {answering(shiftTime(20 * time.Second)), exchange, "clock", Info, []string{"20 s behind"}, ""},
		"the proxy's clock": {answering(func(r *http.Response) {
			r.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		}), exchange, "clock", Warn, []string{"The header Date differs", "60 minutes"}, ""},
		"idle streams are cut": {answering(cutWhenIdle), listen, "silence", Bad, []string{"Idle streams are cut", "HEARTBEAT_INTERVAL well below 1 s", "to 60 s or more"}, faultIdle},
		"silence is refused":   {refusing("GET", "/silence", 429), listen, "silence", Info, []string{"only a few of these tests"}, ""},
		"no CORS": {answering(func(r *http.Response) { r.Header.Del("Access-Control-Allow-Origin") }), page, "origin", Bad,
			[]string{"No answer has a header", "Add https://app.example.com to CORS_ORIGIN"}, ""},
		"CORS twice":              {answering(func(r *http.Response) { r.Header.Add("Access-Control-Allow-Origin", "*") }), page, "origin", Bad, []string{"comes twice"}, faultCORS},
		"OPTIONS is refused":      {refusing("OPTIONS", "/events", 405), page, "origin", Bad, []string{"by OPTIONS", "status 405"}, ""},
		"headers are not allowed": {answering(func(r *http.Response) { r.Header.Set("Access-Control-Allow-Headers", "*") }), page, "origin", Bad, []string{"send authorization"}, ""},
		"half of CORS": {answering(func(r *http.Response) {
			if r.Request.Method == "POST" {
				r.Header.Del("Access-Control-Allow-Origin")
			}
		}), page, "origin", Bad, []string{"Only some answers"}, ""},
		"no room": {refusing("POST", "/events", 403), meet, "room", Bad, []string{"do not meet"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := optionsFor(t, behind(t, upstream, c.way))
			o.Origin = "https://app.example.com"
			switch name {
			case "no room", "streams are held back": // these clients wait for as long as they may
				o.Timeout = 300 * time.Millisecond
			case "events are collected":
				o.pingInterval = 250 * time.Millisecond
			}
			e := newExaminer(o)
			defer e.http.CloseIdleConnections()
			f := requireFinding(t, c.check(e, t.Context()).findings, c.id, c.level, c.words...)
			require.Equal(t, lines[c.lines], f.Lines)
		})
	}
}

// shiftTime changes what the server says of its clock.
func shiftTime(by time.Duration) func(*http.Response) {
	return func(r *http.Response) {
		var members map[string]any
		_ = json.NewDecoder(r.Body).Decode(&members)
		members["time"] = time.Now().Add(by).UTC().Format(time.RFC3339Nano)
		text, _ := json.Marshal(members)
		r.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Length", "")
		r.Header.Del("Content-Length")
	}
}

// A cache repeats an old answer, and an old stream, whose token the server does not know.
func TestACacheThatRepeatsIsFound(t *testing.T) {
	t.Parallel()
	upstream := startServer(t, nil)
	var old atomic.Pointer[string]
	address := behind(t, upstream, way{answer: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/doctor.json" || old.Load() == nil {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, *old.Load())
		return true
	}, onResponse: func(r *http.Response) {
		if r.Request.URL.Path == "/doctor.json" {
			text, _ := io.ReadAll(r.Body)
			stored := string(text)
			old.Store(&stored)
			r.Body = io.NopCloser(strings.NewReader(stored))
		}
	}})
	e := newExaminer(optionsFor(t, address))
	defer e.http.CloseIdleConnections()
	requireFinding(t, e.exchange(t.Context()).findings, "response-headers", Bad, "from a cache", "Do not store answers")

	address = behind(t, upstream, way{answer: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/events" || r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"type\":\"connected\",\"token\":\"AAAAAAAAAAAAAAAAAAAAAA\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}})
	e = newExaminer(optionsFor(t, address))
	defer e.http.CloseIdleConnections()
	requireFinding(t, e.climb(t.Context()).findings, "eventSource", Bad, "old events from a cache")
}

// A check that fails stops no other, and all end in time, also if nothing is ever answered.
func TestAllChecksEndThoughNothingIsAnswered(t *testing.T) {
	t.Parallel()
	address := behind(t, "http://192.0.2.1", way{answer: func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // or net/http does not notice that the client goes
		<-r.Context().Done()
		return true
	}})
	o := optionsFor(t, address)
	o.Timeout, o.Origin = 200*time.Millisecond, "https://app.example.com"
	began := time.Now()
	report := Run(t.Context(), o)
	require.Less(t, time.Since(began), 20*time.Second, "a bound, not a claim about speed")
	require.Len(t, report.Results, len(order))
	for _, result := range report.Results {
		require.NotEmpty(t, result.Findings, result.Check)
	}
	require.GreaterOrEqual(t, len(report.Faults()), 6)
	requireFinding(t, all(report), "candidates", Info, "were not tried", "did not come")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NotEmpty(t, Run(ctx, o).Faults(), "a run that is stopped at once ends too")
}

func TestPagesOfOtherOriginsAreTried(t *testing.T) {
	t.Parallel()
	address := startServer(t, func(o *server.Options) {
		var err error
		o.CORSOrigins, err = origins.Parse([]string{"https://app.example.com"})
		require.NoError(t, err)
	})
	for origin, level := range map[string]Level{"https://app.example.com": Good, "https://other.example.com": Bad} {
		o := optionsFor(t, address)
		o.Origin = origin
		e := newExaminer(o)
		requireFinding(t, e.askAsPage(t.Context()).findings, "origin", level, origin)
		e.http.CloseIdleConnections()
	}
}

func TestARoomIsTriedWithAnAccessTokenThatNobodySees(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of 32 bytes, as is needed")
	verifier, err := access.NewVerifier(t.Context(), access.Options{Keys: access.Keys{Secret: secret}})
	require.NoError(t, err)
	t.Cleanup(verifier.Close)
	address := startServer(t, func(o *server.Options) { o.Access = verifier })
	token := func(secret []byte, claims jwt.MapClaims) string {
		claims["sub"], claims["exp"] = "Ada", time.Now().Add(time.Hour).Unix()
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
		require.NoError(t, err)
		return text
	}
	for name, c := range map[string]struct {
		token string
		level Level
		words string
	}{
		"none":         {"", Info, "give an access token in ACCESS_TOKEN"},
		"one room":     {token(secret, jwt.MapClaims{"room": "lobby"}), Good, "meet in a room"},
		"all rooms":    {token(secret, jwt.MapClaims{"room": "*"}), Good, "meet in a room"},
		"no signals":   {token(secret, jwt.MapClaims{"room": "*", "can": []string{"observe"}}), Good, "but not signal"},
		"of others":    {token([]byte("another secret of 32 or more bytes"), jwt.MapClaims{"room": "*"}), Bad, "The access token is refused"},
		"not a token":  {"nonsense", Bad, "The access token is refused"},
		"half a token": {"eyJhbGciOiJIUzI1NiJ9.e30.", Bad, "The access token is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(t, address)
			o.AccessToken = c.token
			e := newExaminer(o)
			defer e.http.CloseIdleConnections()
			e.try(t.Context(), checkRoom, e.meet)
			requireFinding(t, all(e.report), "room", c.level, c.words)
			if c.token != "" {
				require.NotContains(t, written(t, e.report), c.token)
			}
			if e.verified = false; c.token != "" {
				requireFinding(t, e.meet(t.Context()).findings, "room", Info, "is not sent")
			}
		})
	}
}

// written is a report as text, with colors, and as JSON.
func written(t *testing.T, r Report) string {
	t.Helper()
	var text bytes.Buffer
	r.Write(&text, true)
	require.NoError(t, json.NewEncoder(&text).Encode(r))
	return text.String()
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(text)
	require.NoError(t, err)
	a := authority{certificate, key, x509.NewCertPool()}
	a.pool.AddCert(certificate)
	return a
}

// sign signs a certificate for 127.0.0.1, after a change.
func (a authority) sign(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	text, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{text}, PrivateKey: a.key}
}

// A wrong certificate has a name, and the other checks run all the same.
func TestWrongCertificatesAreNamed(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	handler := startHandler(t, nil)
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		roots  *x509.CertPool
		level  Level
		words  []string
	}{
		"expired":           {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, ours.pool, Bad, []string{"has expired", "Renew"}},
		"not yet":           {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, ours.pool, Bad, []string{"not valid yet", "clock"}},
		"another name":      {func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example.com"} }, ours.pool, Bad, []string{"for another name", "other.example.com", "names 127.0.0.1"}},
		"no name":           {func(c *x509.Certificate) { c.IPAddresses = nil }, ours.pool, Bad, []string{"It names nobody"}},
		"unknown authority": {nil, x509.NewCertPool(), Bad, []string{"incomplete", "an authority signed", "whole chain"}},
		"soon": {func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-80*24*time.Hour), time.Now().Add(10*24*time.Hour)
		}, ours.pool, Warn, []string{"ends soon", "Renew"}},
		"of six days": {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(6 * 24 * time.Hour) }, ours.pool, Good, []string{"is right"}},
		"right":       {nil, ours.pool, Good, []string{"is right"}},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := ours.sign(t, c.change)
			o := optionsFor(t, serve(t, handler, &certificate))
			o.Roots = c.roots
			e := newExaminer(o)
			defer e.http.CloseIdleConnections()
			f := requireFinding(t, e.encrypt(t.Context()).findings, "certificate", c.level, c.words...)
			require.Equal(t, c.level != Bad, e.verified)
			require.Equal(t, c.level == Bad, strings.Contains(f.Text, "The other checks go on"))
			require.Equal(t, name == "unknown authority", len(f.Lines) > 0)
		})
	}
	certificate := ours.sign(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	report := Run(t.Context(), optionsFor(t, serve(t, handler, &certificate)))
	require.Len(t, report.Faults(), 1, "%+v", report.Faults())
	requireFinding(t, all(report), "eventSource", Good)
}

func TestOldAndMissingEncryptionIsFound(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{ours.sign(t, nil)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.StartTLS()
	t.Cleanup(s.Close)
	o := optionsFor(t, s.URL)
	o.Roots = ours.pool
	requireFinding(t, newExaminer(o).encrypt(t.Context()).findings, "tls", Bad, "too old", "TLS 1.1")

	o.Server.Host = strings.TrimPrefix(startServer(t, nil), "http://")
	report := Run(t.Context(), o)
	requireFinding(t, all(report), "tls", Bad, "no encryption", "End TLS at this port")
	require.Len(t, report.Results, 2, "no other check can run")

	requireFinding(t, newExaminer(optionsFor(t, "http://signaling.example.com")).encrypt(t.Context()).findings, "tls", Warn, "No camera")
}

func TestNamesThatLeadNowhereAreFound(t *testing.T) {
	t.Parallel()
	for address, words := range map[string]string{
		"http://nobody.invalid":                 "The name leads nowhere",
		"http://user:password@127.0.0.1:1/path": "Nothing answers",
	} {
		report := Run(t.Context(), optionsFor(t, address))
		requireFinding(t, all(report), "names", Bad, words)
		require.Len(t, report.Results, 1, "no other check can run")
		require.NotContains(t, written(t, report), "password")
	}
}

const turnSecret = "known to the TURN server and the signaling server"

// startTURN runs a TURN server, and returns its URL. It may allow its clients to relay.
func startTURN(t *testing.T, secret string, allows bool) string {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	factory := logging.NewDefaultLoggerFactory()
	factory.Writer = io.Discard
	loopback := net.IPv4(127, 0, 0, 1)
	s, err := turn.NewServer(turn.ServerConfig{
		Realm:         "signaling.example.com",
		AuthHandler:   turn.LongTermTURNRESTAuthHandler(secret, factory.NewLogger("turn")),
		LoggerFactory: factory,
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            socket,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: loopback, Address: loopback.String()},
			PermissionHandler:     func(net.Addr, net.IP) bool { return allows },
		}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return "turn:" + socket.LocalAddr().String() + "?transport=udp"
}

func TestTURNServersAreTriedWithTheCredentialsThatAreHandedOut(t *testing.T) {
	t.Parallel()
	const nowhere = "127.0.0.1:1"
	expired := newAuthority(t).sign(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	overTLS := strings.TrimPrefix(serve(t, http.NotFoundHandler(), &expired), "https://") // it gets no further than the certificate
	for name, c := range map[string]struct {
		url   string
		level Level
		words []string
	}{
		"wrong secret":      {startTURN(t, "another secret", true), Bad, []string{"refuses the credentials", "static-auth-secret"}},
		"relays nothing":    {startTURN(t, turnSecret, false), Bad, []string{"relays nothing", "49152 to 65535"}},
		"no UDP":            {"turn:" + nowhere, Bad, []string{"cannot be reached", "No answer came in time.", "TURN over TLS on port 443"}},
		"no TCP":            {"turn:" + nowhere + "?transport=tcp", Bad, []string{"cannot be reached", "by TCP"}},
		"no TLS":            {"turns:" + nowhere + "?transport=tcp", Bad, []string{"cannot be reached", "by TLS"}},
		"expired":           {"turns:" + overTLS + "?transport=tcp", Bad, []string{"The certificate has expired (turns:127.0.0.1", "Renew"}},
		"no such name":      {"turn:nobody.invalid", Bad, []string{"cannot be reached", "DNS knows no address", "Correct the records of nobody.invalid"}},
		"no STUN":           {"stun:" + nowhere, Warn, []string{"STUN server cannot be reached", "port 3478"}},
		"DTLS":              {"turns:" + nowhere + "?transport=udp", Info, []string{"does not speak DTLS"}},
		"something strange": {"http://turn.example.com", Warn, []string{"cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := optionsFor(t, "http://127.0.0.1")
			if words := strings.Join(c.words, ""); strings.Contains(words, "cannot be reached") {
				o.Timeout = 200 * time.Millisecond
			}
			provider := iceservers.Provider{TURN: []string{c.url}, Secret: turnSecret, TTL: time.Hour}
			handed := provider.For("Ada")
			server := client.ICEServer{URLs: handed[0].URLs, Username: handed[0].Username, Credential: handed[0].Credential}
			e := newExaminer(o)
			e.try(t.Context(), checkTURN, func(ctx context.Context) outcome { return e.relay(ctx, []client.ICEServer{server}) })
			requireFinding(t, all(e.report), "candidates", c.level, c.words...)
			require.NotContains(t, written(t, e.report), server.Credential)
		})
	}
}
