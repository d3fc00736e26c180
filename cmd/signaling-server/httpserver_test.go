package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// dial connects to the server, and ends with the test.
func (s *started) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	return connection, bufio.NewReader(connection)
}

// answerOf reads an answer, and returns its status.
func answerOf(t *testing.T, from *bufio.Reader) int {
	t.Helper()
	response, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response.StatusCode
}

// Some networks put the cookies of a login into each request.
func TestALargeHeaderIsAcceptedIfTheSettingAllowsIt(t *testing.T) {
	for setting, largest := range map[string]int{"MAX_HEADER=": 16 << 10, "MAX_HEADER=65536": 64 << 10, "MAX_HEADER=4096": 4 << 10} {
		s := start(t, setting)
		for size, want := range map[int]int{largest - 100: http.StatusOK, largest: http.StatusRequestHeaderFieldsTooLarge, largest + 16_000: http.StatusRequestHeaderFieldsTooLarge} {
			connection, answers := s.dial(t)
			fmt.Fprintf(connection, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: %s\r\n\r\n", strings.Repeat("x", size))
			require.Equal(t, want, answerOf(t, answers), "%s, %d bytes", setting, size)
		}
		require.Zero(t, s.stop(t))
	}
}

// A problem says what is wrong, and is counted.
func TestAHeaderThatIsTooLargeGetsAProblem(t *testing.T) {
	s := start(t)
	for _, large := range []string{"Cookie: " + strings.Repeat("x", 16<<10), strings.Repeat("X:\r\n", 255) + "Y:"} {
		connection, answers := s.dial(t)
		fmt.Fprintf(connection, "GET /ice-servers HTTP/1.1\r\nHost: localhost\r\n%s\r\nConnection: close\r\n\r\n", large)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
		require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		require.Contains(t, string(text), "/problems/header-too-large")
	}
	response, err := http.Get(s.url + "/metrics")
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	require.Contains(t, string(text), `signaling_limit_reached_total{limit="header size"} 2`)
	require.Zero(t, s.stop(t))
}

// A proxy sends the requests of many clients over one connection of HTTP/2. Before, a
// header above MAX_HEADER ended it with all their streams.
func TestOverASharedConnectionOnlyTheRequestWithALargeHeaderIsRefused(t *testing.T) {
	s := start(t, "H2C=true", "MAX_HEADER=4096", "HEARTBEAT_INTERVAL=1s")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &http.Client{Transport: transport, Timeout: patience}
	stream, err := proxy.Get(s.url + "/events")
	require.NoError(t, err)
	defer stream.Body.Close()
	events := bufio.NewReader(stream.Body)
	_, err = events.ReadString('\n')
	require.NoError(t, err)

	for _, large := range []http.Header{
		{"Cookie": {strings.Repeat("x", 60_000)}},
		{"Cookie": {strings.Repeat("x", 5000)}},
		{"X": slices.Repeat([]string{strings.Repeat("x", 8000)}, 8)},
		{"X": make([]string, 1000)},
	} {
		request, err := http.NewRequest(http.MethodGet, s.url+"/livez", nil)
		require.NoError(t, err)
		request.Header = large
		response, err := proxy.Do(request)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
		require.Contains(t, string(text), "/problems/header-too-large")
	}
	for line := ""; !strings.Contains(line, "heartbeat"); {
		line, err = events.ReadString('\n')
		require.NoError(t, err, "the stream of another client lives on")
	}
	stream.Body.Close()
	require.Zero(t, s.stop(t))
}

// A proxy that keeps connections open must not use one that the server closes.
func TestAnIdleConnectionIsClosedWhenTheSettingSays(t *testing.T) {
	s := start(t, "IDLE_TIMEOUT=1s")
	connection, answers := s.dial(t)
	fmt.Fprint(connection, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.Equal(t, http.StatusOK, answerOf(t, answers))
	began := time.Now()
	_, err := answers.ReadByte()
	require.Equal(t, io.EOF, err)
	require.Less(t, time.Since(began), 30*time.Second, "it is two minutes by default")
	require.Zero(t, s.stop(t))

	c, err := loadConfig([]string{"IDLE_TIMEOUT=620s"}) // what Google's load balancers need
	require.NoError(t, err)
	require.Equal(t, 620*time.Second, newHTTPServer(c, nil, nil, conns.New(guardOptions(c)), newLogger(io.Discard, c)).IdleTimeout)
	require.Equal(t, 620*time.Second, guardOptions(c).IdleTimeout)
}

// A client may leave a large header unfinished, so its connection costs more.
func TestALargerHeaderIsChargedToTheMemoryForClients(t *testing.T) {
	of := func(settings ...string) config {
		c, err := loadConfig(settings)
		require.NoError(t, err)
		return c
	}
	require.Equal(t, conns.Cost, guardOptions(of()).Cost)
	require.Equal(t, conns.Cost, guardOptions(of("MAX_HEADER=4096")).Cost)
	require.Equal(t, conns.Cost+48<<10, guardOptions(of("MAX_HEADER=65536")).Cost)
	require.Equal(t, int64(20_000*48<<10), of("MAX_HEADER=65536").worstCase()-of().worstCase())
}

// The PROXY header of HAProxy and of Amazon's and Google's load balancers, through the
// whole server.
func TestClientsCountByTheAddressInThePROXYHeader(t *testing.T) {
	settings := []string{"PROXY_PROTOCOL=true", "TRUSTED_PROXIES=127.0.0.1"}
	s := start(t, append(settings, "OPENS_PER_ADDRESS=1")...)
	open := func(client string) int {
		connection, answers := s.dial(t)
		fmt.Fprintf(connection, "PROXY TCP4 %s 198.51.100.7 40000 443\r\nGET /events/poll?wait=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.%s\r\n\r\n", client, client[len(client)-1:])
		return answerOf(t, answers)
	}
	for range 5 {
		require.Equal(t, http.StatusOK, open("192.0.2.1"))
	}
	for asked := 5; open("192.0.2.1") != http.StatusTooManyRequests; asked++ { // on a busy machine, the bucket refills meanwhile
		require.Less(t, asked, 250, "whatever X-Forwarded-For says")
	}
	require.Equal(t, http.StatusOK, open("192.0.2.2"))

	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	code, said := healthOf(append(settings, "HOST=127.0.0.1", "PORT="+port))
	require.Zero(t, code, said)

	for range 3 {
		connection, answers := s.dial(t)
		fmt.Fprint(connection, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, err := answers.ReadByte()
		require.Error(t, err, "a proxy without the header")
	}
	require.Zero(t, s.stop(t))
	require.Equal(t, 1, strings.Count(s.log.String(), "had no PROXY header"), s.log.String())
	require.Regexp(t, `had no PROXY header.* proxy=127\.0\.0\.1\n`, s.log.String())
}

func TestTheLogWarnsIfAllAddressesAreTrusted(t *testing.T) {
	for _, all := range []string{"0.0.0.0/0", "10.0.0.0/8, ::/0"} {
		s := start(t, "TRUSTED_PROXIES="+all)
		require.Zero(t, s.stop(t))
		require.Contains(t, s.log.String(), "TRUSTED_PROXIES trusts all addresses")
	}
}
