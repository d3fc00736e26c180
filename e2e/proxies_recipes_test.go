package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The recipes of docs/deployment.md. The last edit of a product is about the address in its
// file in proxies/, which a recipe does not have.
var (
	nginxRecipe = nginx.with("recipe-nginx", edit{"http://127.0.0.1:3002", "http://unix:" + documentedSocket},
		edit{"listen 80;", "listen 127.0.0.1:<plain>;"}, edit{"listen 443 ssl http2;", "listen <address> ssl http2;"},
		edit{"/etc/ssl/signaling/fullchain.pem", "<folder>/fullchain.pem"}, edit{"/etc/ssl/signaling/privkey.pem", "<folder>/privkey.pem"})
	haproxyRecipe = haproxy.with("recipe-haproxy", edit{"127.0.0.1:3002", "unix@" + documentedSocket},
		edit{"bind :80\n", "bind 127.0.0.1:<plain>\n"}, edit{"bind :443 ssl", "bind <address> ssl"},
		edit{"/etc/ssl/signaling/signaling.pem", "<folder>/signaling.pem"})
	apacheRecipe = apache.with("recipe-apache", edit{"http://127.0.0.1:3002/", "unix:" + documentedSocket + "|http://localhost/"},
		edit{"Include mods-available/proxy_http.load\n", "Include mods-available/proxy_http.load\nListen 127.0.0.1:<plain>\n" +
			"Include mods-available/headers.load\nInclude mods-available/http2.load\nInclude mods-available/ssl.load\nInclude mods-available/socache_shmcb.load\n"},
		edit{"<VirtualHost *:80>", "<VirtualHost *:<plain>>"}, edit{"<VirtualHost *:443>", "<VirtualHost *:<port>>"},
		edit{"/etc/ssl/signaling/fullchain.pem", "<folder>/fullchain.pem"}, edit{"/etc/ssl/signaling/privkey.pem", "<folder>/privkey.pem"})
	nginxForTCP = product{
		name: "nginx", pkg: "libnginx-mod-stream", command: nginx.command, config: nginx.config, recipe: "recipe-nginx-tcp", isTLS: true,
		edits: slices.Concat(nginx.edits[:len(nginx.edits)-2], []edit{
			{"include /etc/nginx/sites-enabled/*;\n", ""},
			{"\nevents {\n", "\n<lines>\nevents {\n"},
			{"listen 443;", "listen <address>;"},
		}),
	}
	haproxyForTURN = haproxy.with("recipe-haproxy-turn", edit{}, edit{"bind :443\n", "bind <address>\n"})
	caddyRecipe    = product{
		name: caddy.name, pkg: caddy.pkg, command: caddy.command, env: caddy.env, isTLS: true,
		recipe: "recipe-caddy", socket: edit{"127.0.0.1:3002", "unix/" + documentedSocket},
		edits: []edit{
			{"<lines>", "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port <plain>\n\thttps_port <port>\n}\n<lines>"},
			{"signaling.example.com {\n", "signaling.example.com {\n\ttls <folder>/fullchain.pem <folder>/privkey.pem\n"},
		},
	}
)

// with returns the product with a recipe in place of a file in proxies/.
func (p product) with(recipe string, socket edit, edits ...edit) product {
	p.lines, p.recipe, p.socket, p.isTLS = "", recipe, socket, true
	p.edits = slices.Concat(p.edits[:len(p.edits)-1], edits)
	return p
}

// forgeries are what clients write to get another address, or to hide.
var forgeries = []http.Header{
	{},
	{"X-Forwarded-For": {"203.0.113.7"}},
	{"X-Forwarded-For": {"203.0.113.7, 127.0.0.1"}},
	{"X-Forwarded-For": {"203.0.113.7", "198.51.100.7"}},
	{"X-Forwarded-For": {"unknown"}, "X-Forwarded-Proto": {"http"}},
	{"Forwarded": {"for=203.0.113.7"}},
	{"Forwarded": {"for=203.0.113.7;proto=http;host=example.com"}, "X-Forwarded-Proto": {"http"}},
	{"X-Real-Ip": {"203.0.113.7"}},
	{"X-Forwarded-For": {"203.0.113.7"}, "Forwarded": {"for=203.0.113.7"}, "X-Real-Ip": {"203.0.113.7"}, "True-Client-Ip": {"203.0.113.7"}},
}

const adminToken = "token-of-the-operators"

// startRecipe starts the server by a command of the documents, after some words are
// replaced.
func startRecipe(t *testing.T, name string, replace ...string) (url string, log *serverLog) {
	t.Helper()
	words := append(replace, "$(openssl rand -hex 32)", adminToken, "signaling-server\n", "exec \"$0\"\n")
	url, _, log = startLogged(t, &builtServer, []string{"bash", "-c", strings.NewReplacer(words...).Replace(codeBlock(t, name))})
	return url, log
}

// Each recipe does all that the documents say of it, by a port and by a Unix socket.
func TestTheRecipesForProxiesWork(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/deployment.md")
	require.NoError(t, err)
	for _, recipe := range []product{nginxRecipe, haproxyRecipe, apacheRecipe, caddyRecipe} {
		row := fmt.Sprintf("| %s | `%s` | `%s` |\n", recipe.name, recipe.socket.old, strings.ReplaceAll(recipe.socket.new, "|", `\|`))
		require.Contains(t, string(document), row)
		t.Run(recipe.name, func(t *testing.T) {
			runsBeside(t)
			recipe.installed(t)
			url, log := startRecipe(t, "recipe-settings")
			through := recipe.prove(t, url, log)
			requireRedirect(t, through)
		})
		t.Run(recipe.name+" by a Unix socket", func(t *testing.T) {
			runsBeside(t)
			recipe.installed(t)
			url, log := startOnSocket(t, "")
			recipe.prove(t, url, log)
		})
	}
	t.Run("HAProxy by the PROXY protocol, which says that it ended TLS", func(t *testing.T) {
		runsBeside(t)
		haproxyRecipe.installed(t)
		recipe := haproxyRecipe
		recipe.socket.new += " send-proxy-v2-ssl"
		url, log := startOnSocket(t, "PROXY_PROTOCOL=true")
		recipe.prove(t, url, log)
	})
}

// startOnSocket starts the server of the recipes on a Unix socket, with more settings.
func startOnSocket(t *testing.T, settings string) (url string, log *serverLog) {
	t.Helper()
	folder, err := os.MkdirTemp("", "socket") // the path of a socket has 107 bytes at most, and that of t.TempDir may be longer
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755))
	return startRecipe(t, "recipe-settings", "HOST=127.0.0.1 TRUSTED_PROXIES=127.0.0.1",
		"HOST=unix:"+filepath.Join(folder, "s")+" SOCKET_MODE=0666 TRUSTED_PROXIES=unix "+settings)
}

// With the lines for several nodes, no client learns that two of three have just died.
func TestHAProxyTriesTheNextNode(t *testing.T) {
	runsBeside(t)
	haproxyRecipe.installed(t)
	address, _ := startRecipe(t, "recipe-settings")
	server, err := url.Parse(address)
	require.NoError(t, err)
	nodes := strings.ReplaceAll(codeBlock(t, "recipe-haproxy-nodes"), "10.0.0.13:3002", server.Host)
	var mortal []*httptest.Server
	for _, node := range []string{"10.0.0.11:3002", "10.0.0.12:3002"} {
		mortal = append(mortal, httptest.NewServer(httputil.NewSingleHostReverseProxy(server)))
		nodes = strings.ReplaceAll(nodes, node, mortal[len(mortal)-1].Listener.Addr().String())
	}
	recipe := haproxyRecipe
	recipe.edits = append(slices.Clone(recipe.edits), edit{"backend signaling\n\tserver signaling " + server.Host + "\n", nodes})
	through := recipe.start(t, address, false)
	client := &http.Client{Transport: through.transport(t), Timeout: within}
	for _, node := range mortal {
		node.CloseClientConnections()
		node.Close()
	}
	for range 12 {
		response, err := client.Get(through.url + "/livez")
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
}

// requireRedirect makes sure that a proxy leads from http to https.
func requireRedirect(t *testing.T, through way) {
	t.Helper()
	r, err := http.NewRequestWithContext(bounded(t), http.MethodGet, through.plain+"/demo/?room=x", nil)
	require.NoError(t, err)
	r.Host = "signaling.example.com"
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusPermanentRedirect, response.StatusCode)
	require.Regexp(t, `^https://signaling\.example\.com(:\d+)?/demo/\?room=x$`, response.Header.Get("Location"))
}

// Without the lines of the recipes, some proxies pass on what clients write. The server
// believes a trusted proxy, but its log says what is wrong.
func TestTheLogWarnsOfAProxyThatPassesOnWhatClientsWrite(t *testing.T) {
	t.Parallel()
	for _, stock := range []product{nginx, haproxy} {
		t.Run(stock.name, func(t *testing.T) {
			runsBeside(t)
			stock.installed(t)
			url, _, log := startLogged(t, &builtServer, nil, "TRUSTED_PROXIES=127.0.0.1")
			through := stock.start(t, url, false)
			client := &http.Client{Transport: through.transport(t), Timeout: within}
			for _, forged := range forgeries[:2] {
				r, err := http.NewRequest(http.MethodGet, through.url+"/events/poll?wait=0", nil)
				require.NoError(t, err)
				r.Header = forged.Clone()
				response, err := client.Do(r)
				require.NoError(t, err)
				response.Body.Close()
			}
			require.Eventually(t, func() bool {
				return strings.Contains(log.text(), "X-Forwarded-For comes with some requests of a trusted proxy only")
			}, within, 10*time.Millisecond)
		})
	}
}

// A proxy that forwards TCP names the client in a PROXY header. The server itself speaks
// TLS and HTTP/2.
func TestTheRecipeForAProxyThatForwardsTCPWorks(t *testing.T) {
	runsBeside(t)
	nginxForTCP.installed(t)
	url, log := startForTCP(t, "")
	nginxForTCP.prove(t, url, log)
}

// startForTCP starts a server behind a proxy that forwards TCP. It has more settings than
// the documents say.
func startForTCP(t *testing.T, settings string) (url string, log *serverLog) {
	t.Helper()
	folder := t.TempDir()
	writeCertificate(t, folder)
	return startRecipe(t, "recipe-tcp-settings", "PORT=3443", "PORT=0 "+settings, "/etc/ssl/signaling", folder)
}

// prove starts the proxy before a server, tries what matters, and returns the way.
func (p product) prove(t *testing.T, url string, log *serverLog) way {
	t.Helper()
	through := p.start(t, url, false)
	transport := through.transport(t)
	client := &http.Client{Transport: transport, Timeout: within}

	ask := func(path string, header http.Header) *http.Response {
		r, err := http.NewRequestWithContext(bounded(t), http.MethodGet, through.url+path, nil)
		require.NoError(t, err)
		r.Header = header.Clone()
		response, err := client.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	for _, forged := range forgeries {
		response := ask("/events/poll?wait=0", forged)
		require.Equal(t, http.StatusOK, response.StatusCode, forged)
		require.Equal(t, 2, response.ProtoMajor, "HTTP/2")
		require.Equal(t, []string{"max-age=31536000"}, response.Header["Strict-Transport-Security"], "%v", forged)
	}
	operator := http.Header{"Authorization": {"Bearer " + adminToken}}
	listed, err := io.ReadAll(ask("/connections", operator).Body)
	require.NoError(t, err)
	require.Equal(t, len(forgeries), strings.Count(string(listed), `"ip":"`+clientsAddress+`"`), "%s", listed)
	require.NotRegexp(t, `"proxy":"(127.0.0.1|unix)"`, log.text(), "a warning about the proxy")

	require.Equal(t, "application/problem+json", ask("/rooms/a%2Fb%3F%23%5B%25%20c", operator).Header.Get("Content-Type"), "an operator can address each room")
	member := connectBy(t, transport, through.url)
	member.join("room", "Ada")
	require.NoError(t, member.send(bounded(t), fields{"type": "ping"}))
	member.await("pong", nil)
	return through
}
