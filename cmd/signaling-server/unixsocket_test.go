package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// socketIn returns the path of a Unix socket for this test. A path has room for 107 bytes.
func socketIn(t *testing.T) string {
	folder, err := os.MkdirTemp("", "socket")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	return filepath.Join(folder, "s")
}

// askBySocket sends a GET request through a Unix socket.
func askBySocket(t *testing.T, path, target string, headers map[string]string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+target, nil)
	require.NoError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestAUnixSocketIsServedAndRemovedAtTheEnd(t *testing.T) {
	path := socketIn(t)
	s := start(t, "HOST=unix:"+path)
	require.Equal(t, "unix:"+path, s.url)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o660, info.Mode())
	status, _ := askBySocket(t, path, "/livez", nil)
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, s.log.String(), "http://", "only the proxy knows the addresses of the pages")
	require.Zero(t, s.stop(t))
	require.NoFileExists(t, path)

	s = start(t, "HOST=unix:"+path, "SOCKET_MODE=0606")
	info, err = os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o606, info.Mode())
	require.Zero(t, s.stop(t))
}

// A server that is killed leaves its socket behind. The next server replaces it, but never
// the socket of a server that lives.
func TestOnlyTheSocketOfADeadServerIsReplaced(t *testing.T) {
	path := socketIn(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	require.FileExists(t, path)
	s := start(t, "HOST=unix:"+path)

	var stderr bytes.Buffer
	require.Equal(t, 1, run(process{environment: []string{"HOST=unix:" + path}, stdout: io.Discard, stderr: &stderr}))
	require.Equal(t, "signaling-server: another program listens on the Unix socket "+path+": stop that program, or set HOST to another path.\n", stderr.String())
	status, _ := askBySocket(t, path, "/livez", nil)
	require.Equal(t, http.StatusOK, status, "the first server lives on")
	require.Zero(t, s.stop(t))
}

// What connects by the socket is a proxy, and all its clients share one address until it is
// trusted.
func TestTheLogWarnsIfTheProxyOnTheUnixSocketIsNotTrusted(t *testing.T) {
	for trusted, want := range map[string]int{"TRUSTED_PROXIES=": 1, "TRUSTED_PROXIES=127.0.0.1": 1, "TRUSTED_PROXIES=10.0.0.0/8, unix": 0} {
		s := start(t, "HOST=unix:"+socketIn(t), trusted)
		require.Zero(t, s.stop(t))
		require.Equal(t, want, strings.Count(s.log.String(), "WRN all clients of the Unix socket count as one address and share its limits: add unix to TRUSTED_PROXIES, and let the proxy set X-Forwarded-For"), s.log.String())
	}
	s := start(t, "TRUSTED_PROXIES=")
	require.Zero(t, s.stop(t))
	require.NotContains(t, s.log.String(), "Unix socket")
}

// A socket that only other users may use can belong to a server that lives.
func TestASocketThatCannotBeTriedIsNotRemoved(t *testing.T) {
	path := socketIn(t)
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	require.NoError(t, err)
	defer datagrams.Close()
	var stderr bytes.Buffer
	require.Equal(t, 1, run(process{environment: []string{"HOST=unix:" + path}, stdout: io.Discard, stderr: &stderr}))
	require.Contains(t, stderr.String(), "cannot find out whether a program listens on the Unix socket "+path+": remove it, or set HOST to another path")
	require.FileExists(t, path)
}

func TestThePathOfAUnixSocketHasRoomFor107Bytes(t *testing.T) {
	require.True(t, isSocket("unix:/"+strings.Repeat("x", 106)))
	require.False(t, isSocket("unix:/"+strings.Repeat("x", 107)))
}

func TestHealthcheckFindsAUnixSocket(t *testing.T) {
	path := socketIn(t)
	for name, settings := range map[string][]string{
		"alone":               nil,
		"with PROXY protocol": {"PROXY_PROTOCOL=true", "TRUSTED_PROXIES=unix"},
		"PORT is not used":    {"PORT=1"},
	} {
		t.Run(name, func(t *testing.T) {
			settings = append(settings, "HOST=unix:"+path)
			s := start(t, settings...)
			code, said := healthOf(settings)
			require.Zero(t, code, said)
			require.Zero(t, s.stop(t))
			code, said = healthOf(settings)
			require.Equal(t, 1, code)
			require.Contains(t, said, "the server does not answer")
		})
	}
}

// Clients count by the address that the proxy on the socket names, if it is trusted.
func TestAProxyOnTheUnixSocketNamesItsClients(t *testing.T) {
	path := socketIn(t)
	for trusted, want := range map[string]string{"TRUSTED_PROXIES=unix": `"ip":"192.0.2.1"`, "TRUSTED_PROXIES=127.0.0.1": `"ip":""`} {
		s := start(t, "HOST=unix:"+path, trusted)
		for range 2 {
			status, _ := askBySocket(t, path, "/events/poll?wait=0", map[string]string{"X-Forwarded-For": "198.51.100.7, 192.0.2.1"})
			require.Equal(t, http.StatusOK, status)
		}
		_, listed := askBySocket(t, path, "/connections", nil)
		require.Equal(t, 2, strings.Count(strings.ReplaceAll(listed, " ", ""), want), listed)
		_, diagnosis := askBySocket(t, path, "/doctor.json", nil)
		require.Contains(t, diagnosis, `"remoteAddress":"unix"`)
		_, health := askBySocket(t, path, "/health", nil)
		require.Contains(t, health, `"port":"0"`)
		require.Zero(t, s.stop(t))
		if strings.HasSuffix(trusted, "=unix") {
			require.NotContains(t, s.log.String(), "WRN requests come")
		} else {
			require.Equal(t, 1, strings.Count(s.log.String(), "add it to TRUSTED_PROXIES proxy=unix"), s.log.String())
		}
	}
}
