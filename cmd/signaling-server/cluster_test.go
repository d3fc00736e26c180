package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const engineURL = "CLUSTER_URL=nats://hush@nats-1:4222"

func TestAWrongSettingOfTheClusterStopsTheStart(t *testing.T) {
	for settings, want := range map[string]string{
		"CLUSTER_URL=http://hush@nats-1:4222":                     "CLUSTER_URL must be a comma-separated list such as nats://nats-1:4222,nats://nats-2:4222",
		"CLUSTER_URL=hush:4222":                                   "CLUSTER_URL must be",
		"CLUSTER_URL=nats://":                                     "CLUSTER_URL must be",
		"CLUSTER_URL=nats://a:hush":                               "CLUSTER_URL must be",
		"CLUSTER_URL=nats://a,,nats://hush":                       "CLUSTER_URL must be",
		"CLUSTER_URL=nats://a,ws://hush":                          "CLUSTER_URL must be",
		"CLUSTER_CREDENTIALS=a.creds":                             `CLUSTER_CREDENTIALS is "a.creds", but must be the path of a file, together with CLUSTER_URL`,
		"CLUSTER_TLS_CA=ca.pem":                                   `CLUSTER_TLS_CA is "ca.pem", but must be the path of a file in PEM, together with CLUSTER_URL`,
		"CLUSTER_TLS_CERT=a.pem CLUSTER_TLS_KEY=b":                `CLUSTER_TLS_CERT is "a.pem", but must be the path of a file in PEM, together with CLUSTER_URL and CLUSTER_TLS_KEY`,
		engineURL + " CLUSTER_TLS_CERT=a.pem":                     "CLUSTER_TLS_KEY is not set, but must be the path of a file in PEM, together with CLUSTER_TLS_CERT",
		engineURL + " CLUSTER_TLS_KEY=a.pem":                      "CLUSTER_TLS_CERT is not set, but must be",
		engineURL + " CLUSTER_NAME=a-b":                           `CLUSTER_NAME is "a-b", but must be up to 32 letters and digits`,
		engineURL + " CLUSTER_NAME=" + long(33):                   "but must be up to 32 letters and digits",
		engineURL + " CLUSTER_REPLICAS=2":                         `CLUSTER_REPLICAS is "2", but must be 1, 3 or 5`,
		engineURL + " CLUSTER_REPLICAS=many":                      `CLUSTER_REPLICAS is "many", but must be 1, 3 or 5`,
		engineURL + " NODE_NAME=a/b":                              `NODE_NAME is "a/b", but must be up to 64 visible ASCII characters without a slash`,
		engineURL + " NODE_NAME=ä":                                `NODE_NAME is "ä", but must be`,
		engineURL + " NODE_NAME=" + long(65):                      "but must be up to 64 visible",
		engineURL + " CLUSTER_CREDENTIALS=none":                   "CLUSTER_CREDENTIALS cannot be used: open none: no such file or directory",
		engineURL + " CLUSTER_CREDENTIALS=text":                   "CLUSTER_CREDENTIALS cannot be used: ",
		engineURL + " CLUSTER_TLS_CA=none":                        "CLUSTER_TLS_CA cannot be used: open none: no such file or directory",
		engineURL + " CLUSTER_TLS_CA=text":                        "CLUSTER_TLS_CA cannot be used: it has no certificate in PEM",
		engineURL + " CLUSTER_TLS_CERT=text CLUSTER_TLS_KEY=text": "CLUSTER_TLS_CERT and CLUSTER_TLS_KEY cannot be used: ",
	} {
		t.Run(settings, func(t *testing.T) {
			folder := t.TempDir()
			t.Chdir(folder)
			require.NoError(t, os.WriteFile(filepath.Join(folder, "text"), []byte("hush"), 0o600))
			c, err := loadConfig(strings.Fields(settings))
			if err == nil {
				_, _, err = c.newCluster(slog.New(slog.DiscardHandler))
			}
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hush")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func long(length int) string { return strings.Repeat("a", length) }

func TestTheClusterIsReachedAtAllServersOfTheSetting(t *testing.T) {
	c, err := loadConfig([]string{"CLUSTER_URL=nats://user:word@a:4222, tls://b,nats://[::1]:4222,", "NODE_NAME=n1"})
	require.NoError(t, err)
	require.Equal(t, []string{"nats://user:word@a:4222", "tls://b", "nats://[::1]:4222"}, c.Cluster.URLs)
	options, engine, err := c.newCluster(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer engine.Close()
	require.Equal(t, "n1", options.Name)
}

// The servers of the engine take connections, and never answer.
func TestAServerAnswersWhileItWaitsForTheEngine(t *testing.T) {
	engine, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer engine.Close()
	url := "CLUSTER_URL=nats://user:hush@" + engine.Addr().String()
	c, err := loadConfig([]string{url})
	require.NoError(t, err)
	_, unused, err := c.newCluster(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer unused.Close()
	require.NoError(t, engine.(*net.TCPListener).SetDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = engine.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the server must listen before it dials the engine")

	s := start(t, url, "NODE_NAME=n1")
	response, err := http.Get(s.url + "/readyz")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Contains(t, string(body), "This node does not serve: it waits for the engine.")
	own := []string{"HOST=127.0.0.1", "PORT=" + s.url[strings.LastIndex(s.url, ":")+1:]}
	code, said := healthOf(own)
	require.Zero(t, code, "it is alive: %s", said)
	code, said = healthOf(own, "ready")
	require.Equal(t, 1, code, "an update must not replace the next node yet")
	require.Contains(t, said, "the server answers 503")
	require.Zero(t, s.stop(t))
	require.NotContains(t, s.log.String(), "hush")
}

func TestANodeWithoutANameHasThatOfTheMachine(t *testing.T) {
	c, err := loadConfig([]string{engineURL})
	require.NoError(t, err)
	options, engine, err := c.newCluster(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer engine.Close()
	machine, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, machine, options.Name)
}
