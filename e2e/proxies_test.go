package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// setup is one way in which people put proxies between clients and the server.
type setup struct {
	product
	mended   bool     // with the lines of proxies/ that are not stock
	settings []string // of the server, if the lines that are not stock need them
	tunnel   bool     // clients use the proxy by CONNECT, as for https
	before   *product // another proxy, between this one and the server
}

var setups = []setup{
	{product: nginx},
	{product: nginx, mended: true},
	{product: haproxy},
	{product: haproxy, mended: true},
	{product: apache},
	{product: apache, mended: true, settings: []string{"HEARTBEAT_INTERVAL=5s"}},
	{product: varnish},
	{product: varnish, mended: true},
	{product: caddy},
	{product: squid},
	{product: squid, tunnel: true},
	{product: squid, before: &nginx},
}

// All that docs/deployment.md says of proxies is seen with each of them: the server
// keeps all its promises, and each proxy has the limits that are documented.
func TestTheServerKeepsItsPromisesBehindProxies(t *testing.T) {
	t.Parallel()
	table := &proxyTable{}
	t.Run("each", func(t *testing.T) {
		for _, s := range setups {
			row := table.add(s.name, s.configured(t))
			t.Run(s.name+", "+row.configuration, func(t *testing.T) {
				t.Parallel()
				row.version = s.installed(t)
				s.prove(t, row)
			})
		}
	})
	t.Log("\n" + table.markdown())
	if !t.Failed() && !testing.Short() {
		table.requireToBeIn(t, "../docs/deployment.md")
	}
}

// prove runs all checks at the same time, since most of them wait most of the time. It
// starts three servers, each with its own proxy. One has the usual settings, for what
// is measured. One has a long resume window, so that a busy machine can resume. The
// last is for the crowd, which takes all workers of its proxy.
func (s setup) prove(t *testing.T, row *proxyRow) {
	c := s.check(t, row, s.settings...)
	patient := s.check(t, row, append([]string{"RESUME_WINDOW=10m"}, s.settings...)...)
	silent := s.check(t, row, "HEARTBEAT_INTERVAL=10m")
	for name, check := range map[string]func(*testing.T){
		"a quiet stream lives and each heartbeat passes": c.quietStream,
		"a dropped stream is resumed":                    patient.resume,
		"each event passes by itself":                    c.flow,
		"a keyed POST may be repeated":                   c.repeatedPosts,
		"each room can be closed":                        c.closedRooms,
		"a stream may be opened by POST":                 c.streamByPOST,
		"a poll is answered by what happens":             c.polling,
		"polls keep the guarantee":                       patient.resumeByPolls,
		"a client that goes is missed":                   c.departure,
		"a crowd gets a socket each":                     silent.crowd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	}
}

// check starts a server, and a proxy that leads to it.
func (s setup) check(t *testing.T, row *proxyRow, settings ...string) *proxyCheck {
	t.Helper()
	server := startServer(t, settings...)
	return &proxyCheck{row: row, way: s.start(t, server), server: server}
}

func (s setup) installed(t *testing.T) (version string) {
	t.Helper()
	if s.before != nil {
		s.before.installed(t)
	}
	return s.product.installed(t)
}

func (s setup) start(t *testing.T, serverURL string) way {
	t.Helper()
	if s.before != nil {
		serverURL = s.before.start(t, serverURL, false).url
	}
	through := s.product.start(t, serverURL, s.mended)
	through.tunnel = s.tunnel
	return through
}

// configured is what docs/deployment.md says of the configuration.
func (s setup) configured(t *testing.T) string {
	switch {
	case s.tunnel:
		return "stock, tunnels (https)"
	case s.before != nil:
		return "stock, before a stock " + s.before.name
	case !s.mended:
		return "stock"
	}
	lines := append(s.mends(t), s.settings...)
	require.NotEmpty(t, lines)
	return "`" + strings.Join(lines, "`, `") + "`"
}
