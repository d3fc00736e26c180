package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installed returns the version of the package. It skips the test if the package is not
// installed, or fails it if REQUIRE_PROXIES is set.
func (p product) installed(t *testing.T) (version string) {
	t.Helper()
	output, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", p.pkg).Output()
	if err == nil {
		_, err = os.Stat(p.command[0])
	}
	if err != nil && os.Getenv("REQUIRE_PROXIES") != "1" {
		t.Skipf("NOT TESTED: %s is not installed: install the package %s", p.name, p.pkg)
	}
	require.NoError(t, err, p.name)
	version, _, _ = strings.Cut(string(output), "-")
	return version
}

// start runs an instance that leads to the server until the test ends, and returns the
// way through it. If mended is true, its configuration contains the lines that are not
// stock.
func (p product) start(t *testing.T, serverURL string, mended bool) way {
	t.Helper()
	folder := openFolder(t)
	port, plain := freePort(t), freePort(t)
	address := "127.0.0.1:" + port
	writeCertificate(t, folder)
	known := strings.NewReplacer("<folder>", folder, "<address>", address, "<port>", port, "<plain>", plain)
	config := known.Replace(p.configuration(t, serverURL, mended))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o644))
	output, err := os.Create(filepath.Join(folder, "output"))
	require.NoError(t, err)
	defer output.Close()

	command := exec.Command(p.command[0])
	for _, argument := range p.command[1:] {
		command.Args = append(command.Args, known.Replace(argument))
	}
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, variable := range p.env {
		command.Env = append(command.Env, known.Replace(variable))
	}
	command.Dir = folder
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 { // some of these programs refuse to run as root
		command.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() { // ends with the program; stop waits for it
		defer close(ended)
		command.Wait()
	}()
	t.Cleanup(func() { p.stop(t, folder, command.Process.Pid, ended) })

	found := way{url: "http://" + address + p.path}
	switch {
	case p.forward:
		found = way{url: serverURL, proxy: address}
	case p.isTLS:
		found = way{url: "https://signaling.example.com:" + port, address: address, plain: "http://127.0.0.1:" + plain}
	}
	p.awaitReady(t, found, ended)
	return found
}

const nobody = 65534

// openFolder returns a folder for this test, which the user nobody may use.
func openFolder(t *testing.T) string {
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
	require.NoError(t, os.Chmod(folder, 0o777))
	return folder
}

// configuration returns the shipped configuration with the lines that lead to the
// server. It has placeholders for what differs between instances.
func (p product) configuration(t *testing.T, serverURL string, mended bool) string {
	t.Helper()
	config := "<lines>"
	if p.config != "" {
		stock, err := os.ReadFile(p.config)
		require.NoError(t, err)
		config = string(stock)
	}
	lines, serverPort := p.readLines(t), ""
	if path, isSocket := strings.CutPrefix(serverURL, "unix:"); isSocket {
		require.Contains(t, lines, p.socket.old)
		lines = strings.ReplaceAll(lines, p.socket.old, strings.ReplaceAll(p.socket.new, documentedSocket, path))
	} else {
		server, err := url.Parse(serverURL)
		require.NoError(t, err)
		lines, serverPort = documentedAddress.ReplaceAllLiteralString(lines, server.Host), server.Port()
	}
	if mended {
		lines = strings.ReplaceAll(lines, "#mend ", "")
	}
	known := strings.NewReplacer("<server-port>", serverPort, "<lines>", lines)
	for _, e := range p.edits {
		require.Equal(t, 1, strings.Count(config, e.old), "%s is not as this test knows it: it should have once:\n%s", p.config, e.old)
		config = strings.Replace(config, e.old, known.Replace(e.new), 1)
	}
	return config
}

// What the added lines name as the server's address, or as its Unix socket.
var documentedAddress = regexp.MustCompile(`127\.0\.0\.1:(3002|3443)`)

const documentedSocket = "/run/signaling/signaling.sock"

func (p product) readLines(t *testing.T) string {
	t.Helper()
	switch {
	case p.recipe != "":
		return codeBlock(t, p.recipe)
	case p.lines == "":
		return ""
	}
	lines, err := os.ReadFile(filepath.Join("proxies", p.lines))
	require.NoError(t, err)
	return string(lines)
}

var mendingLine = regexp.MustCompile(`(?m)^\s*#mend (.*)$`)

// mends returns the lines that are not stock.
func (p product) mends(t *testing.T) (lines []string) {
	for _, match := range mendingLine.FindAllStringSubmatch(p.readLines(t), -1) {
		lines = append(lines, match[1])
	}
	return lines
}

// awaitReady waits until the program leads to the server.
func (p product) awaitReady(t *testing.T, through way, ended <-chan struct{}) {
	t.Helper()
	client := http.Client{Transport: through.transport(t), Timeout: within}
	leads := func() bool {
		response, err := client.Get(through.url + "/livez")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	for deadline := time.Now().Add(within); !leads(); { // many programs start at the same time
		select {
		case <-ended:
			require.FailNow(t, p.name+" ended at once")
		case <-time.After(50 * time.Millisecond):
			require.True(t, time.Now().Before(deadline), "%s does not lead to the server", p.name)
		}
	}
}

// stop ends the program and all that it has started. They are one process group.
func (p product) stop(t *testing.T, folder string, pid int, ended <-chan struct{}) {
	syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(2 * time.Second): // some programs wait for their connections to end, but the test does not
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Errorf("ending %s: %v", p.name, err)
	}
	<-ended
	if t.Failed() {
		p.showLogs(t, folder)
	}
}

func (p product) showLogs(t *testing.T, folder string) {
	filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.Name() == "output" || strings.HasSuffix(entry.Name(), "log")) {
			text, _ := os.ReadFile(path)
			t.Logf("%s of %s:\n%s", entry.Name(), p.name, text)
		}
		return nil
	})
}

// clientsAddress is that of clients which a trusted proxy on 127.0.0.1 must name.
const clientsAddress = "127.0.0.9"

// way is how a client reaches the server through a proxy.
type way struct {
	url    string
	proxy  string // the address of a proxy that is set in the client; empty: url is the proxy's own address
	tunnel bool   // the client uses the proxy by CONNECT, as browsers do for https

	address string // the address of the host in url, to which the client connects from clientsAddress; empty: url says it
	plain   string // where the proxy speaks http
}

// transport returns a transport for this test, which shares no connections with others.
func (w way) transport(t *testing.T) *http.Transport {
	transport := &http.Transport{}
	switch {
	case w.tunnel:
		transport.DialContext = dialTunnel(w.proxy)
	case w.proxy != "":
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: w.proxy})
	case w.address != "":
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return w.dial(ctx, network) }
		transport.TLSClientConfig = &tls.Config{RootCAs: certificate().roots}
		transport.ForceAttemptHTTP2 = true
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// dial connects to the proxy from clientsAddress.
func (w way) dial(ctx context.Context, network string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientsAddress)}}
	return dialer.DialContext(ctx, network, w.address)
}
