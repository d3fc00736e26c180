package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// reactExample is a copy of the example, in which its packages are installed.
var reactExample = linkedFolder{from: "../examples/react"}

// oldReact is the same for the tests' page, which has the oldest React that is supported.
var oldReact = linkedFolder{from: "react"}

// linkedFolder is a folder of the repository that links to the browser client. It is copied, so
// that nothing is written into the repository.
type linkedFolder struct {
	from string

	once   sync.Once
	root   string
	output string
	err    error
}

// dir returns the copy.
func (f *linkedFolder) dir(t *testing.T) string {
	t.Helper()
	requireNode(t)
	f.once.Do(f.install)
	require.NoError(t, f.err, f.output)
	return filepath.Join(f.root, "copies", "one")
}

func (f *linkedFolder) install() {
	if f.root, f.err = os.MkdirTemp("", "signaling-react-"); f.err != nil {
		return
	}
	// The lock file names the client as ../../browser.
	folder := filepath.Join(f.root, "copies", "one")
	for target, source := range map[string]string{folder: f.from, filepath.Join(f.root, "browser"): "../browser"} {
		if f.err = copyWithoutPackages(target, source); f.err != nil {
			return
		}
	}
	install := npmFolder{path: folder}
	install.run("npm", "ci", "--no-audit", "--no-fund")
	f.output, f.err = install.output, install.err
}

func (f *linkedFolder) remove() {
	if f.root != "" {
		os.RemoveAll(f.root)
	}
}

// copyWithoutPackages copies a folder, but not what npm has installed or Vite has built there.
func copyWithoutPackages(target, source string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(source)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		from, to := filepath.Join(source, entry.Name()), filepath.Join(target, entry.Name())
		switch {
		case entry.Name() == "node_modules":
		case entry.IsDir():
			err = os.CopyFS(to, os.DirFS(from))
		default:
			var content []byte
			if content, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, content, 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// buildExample builds the example for a server. A mode of React for development mounts each component
// twice in StrictMode.
func buildExample(t *testing.T, dir, server, mode string) (built string) {
	t.Helper()
	built = filepath.Join(t.TempDir(), "dist")
	command := tool(t, dir, "npx", "--no-install", "vite", "build", "--mode", mode, "--outDir", built, "--logLevel", "warn")
	command.Env = append(os.Environ(), "VITE_SIGNALING_SERVER="+server, "NODE_ENV="+mode)
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return built
}

// serveFolder serves files at another origin than the server's.
func serveFolder(t *testing.T, folder string) string {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// countJoins counts the joins that a page sends from now on.
const countJoins = `(window.joins = 0, (ask => {
	window.fetch = (address, init) => {
		joins += (init?.body ?? "").split('"join-room"').length - 1;
		return ask(address, init);
	};
})(window.fetch), null)`

func TestTheReactExampleHoldsACall(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"development", "production"} {
		t.Run(mode, func(t *testing.T) {
			dir := reactExample.dir(t)
			takesTurns(t)
			url := serveFolder(t, buildExample(t, dir, startServer(t), mode))
			press := func(p *tab, button string) {
				evaluate[any](p, `[...document.querySelectorAll("button")].find((button) => button.textContent === "`+button+`").click(), null`)
			}
			join := func(p *tab) {
				p.until("asked for a name", `document.querySelector("input")`)
				p.write("input", p.name)
				press(p, "Join the lobby")
			}
			with := func(p *tab, others string) {
				p.until("in the lobby with "+others, `document.querySelector("[role=status]")?.textContent === "In the lobby with `+others+`"`)
			}
			const tile = `document.querySelectorAll(".tile")[1]`
			sees := func(p *tab) {
				p.until("seeing the other", tile+`?.className === "tile" && `+tile+`.querySelector("video").videoWidth > 2`)
			}
			seesNothing := func(p *tab) { p.until("seeing nothing of the other", tile+`?.className === "tile empty"`) }

			// The server refuses signals that meet a member that has just left.
			ada, bob := openFailingTab(t, "Ada", url), openFailingTab(t, "Bob", url)
			for _, p := range []*tab{ada, bob} {
				evaluate[any](p, countJoins)
				join(p)
			}
			for _, p := range []*tab{ada, bob} {
				with(p, "1 other")
				seesNothing(p)
				require.Equal(t, map[string]int{"development": 2, "production": 1}[mode], evaluate[int](p, `joins`))
			}
			press(ada, "Camera on")
			sees(bob)
			press(bob, "Camera on")
			sees(ada)
			press(ada, "Camera off")
			seesNothing(bob)
			for range 5 {
				press(ada, "Camera on")
				ada.until("switched on", `document.querySelector("[aria-pressed=true]")`)
				press(ada, "Camera off")
				ada.until("switched off", `document.querySelector("[aria-pressed=false]")`)
			}
			press(ada, "Camera on")
			sees(bob)

			press(bob, "Leave")
			with(ada, "0 others")
			join(bob)
			with(bob, "1 other")
			with(ada, "1 other")
			sees(bob)
			press(bob, "Camera on")
			sees(ada)

			// Bob leaves before the server answers, and comes back.
			press(bob, "Leave")
			for range 3 {
				join(bob)
				bob.until("joining", `document.querySelector("[role=status]")`)
				press(bob, "Leave")
			}
			join(bob)
			with(bob, "1 other")
			with(ada, "1 other")
			sees(bob)
		})
	}
}

// The hooks follow whatever happens to their components, in the oldest and in the newest
// React.
func TestTheHooksForReact(t *testing.T) {
	t.Parallel()
	for version, folder := range map[string]*linkedFolder{"18": &oldReact, "19": &reactExample} {
		t.Run(version, func(t *testing.T) {
			dir := folder.dir(t)
			takesTurns(t)
			page, err := os.ReadFile("react/hooks.jsx")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "hooks.jsx"), page, 0o644))
			bundle := filepath.Join(t.TempDir(), "hooks.js")
			output, err := tool(t, dir, "go", "run", esbuild, "hooks.jsx", "--bundle",
				"--jsx=automatic", "--format=esm", "--preserve-symlinks", `--define:process.env.NODE_ENV="development"`, "--outfile="+bundle).CombinedOutput()
			require.NoError(t, err, string(output))
			script, err := os.ReadFile(bundle)
			require.NoError(t, err)
			url := servePage(t, startServer(t, noLimits...), `<!doctype html><meta charset="utf-8"><title>Hooks</title><link rel="icon" href="data:,"><body><script type="module">`+
				strings.ReplaceAll(string(script), "</script", `<\/script`)+`</script>`)
			p := openFailingTab(t, "page", url+"/page.html") // signals meet members that have just left
			p.until("ready", `window.show && sockets.one.connected && sockets.two.connected`)
			require.True(t, strings.HasPrefix(evaluate[string](p, `version`), version+"."))
			show := func(members string) { evaluate[any](p, `(show(`+members+`), null)`) }
			members := func(name string) string {
				return `views.` + name + `.members.map(({ userId }) => userId).sort().join(" ")`
			}

			const ada, bob = `{ name: "ada", socket: sockets.one, room: "a" }`, `{ name: "bob", socket: sockets.two, room: "a" }`
			show(ada + "," + bob)
			p.until("in one room", members("ada")+` === "ada bob" && views.ada.status === "joined"`)
			p.until("connected", `views.ada.peers[0]?.state === "connected" && views.bob.peers[0]?.state === "connected"`)

			// The camera goes on and off, also before it is open.
			const withCamera = `{ name: "ada", socket: sockets.one, room: "a", camera: true }`
			for range 3 {
				show(withCamera + "," + bob)
				show(ada + "," + bob)
			}
			show(withCamera + "," + bob)
			p.until("seen", `views.bob.peers[0].video && views.bob.peers[0].audio`)
			evaluate[any](p, `(window.camera = views.ada.camera, null)`)
			show(ada + "," + bob)
			p.until("no longer seen", `!views.bob.peers[0].video && !views.bob.peers[0].audio && views.bob.peers[0].stream === null`)
			p.until("closed", `camera.getTracks().every(({ readyState }) => readyState === "ended")`)

			// Another room, twice before the server answers.
			show(`{ name: "ada", socket: sockets.one, room: "b" },` + bob)
			show(`{ name: "ada", socket: sockets.one, room: "c" },` + bob)
			p.until("alone", members("ada")+` === "ada" && views.ada.room.roomId === "c" && `+members("bob")+` === "bob"`)
			show(ada + "," + bob)
			p.until("back", members("bob")+` === "ada bob" && `+members("ada")+` === "ada bob"`)

			// No room, and no socket.
			show(`{ name: "ada", socket: sockets.one, room: null },` + bob)
			p.until("in no room", `views.ada.status === "idle" && `+members("bob")+` === "bob"`)
			show(`{ name: "ada", socket: null, room: "a" },` + bob)
			show(ada + "," + bob)
			p.until("back again", members("bob")+` === "ada bob"`)

			// A second hook with the same socket takes the place of the first.
			show(ada + "," + bob + `, { name: "cleo", socket: sockets.one, room: "a" }`)
			p.until("replaced", `views.ada.status === "ended" && views.ada.error.name === "AbortError" && views.cleo.status === "joined"`)
			p.until("seen by Bob", members("bob")+` === "bob cleo"`)

			// Unmounted while joining.
			show(bob)
			p.until("without the others", members("bob")+` === "bob"`)
			for range 3 {
				show(ada + "," + bob)
				show(bob)
			}

			// A socket that the page disconnects, and connects again.
			show(ada + "," + bob)
			p.until("in one room again", members("bob")+` === "ada bob" && views.ada.status === "joined"`)
			evaluate[any](p, `sockets.one.disconnect(), null`)
			p.until("ended", `views.ada.status === "ended" && views.ada.error.name === "AbortError"`)
			evaluate[any](p, `sockets.one.connect(), null`)
			p.until("joined by itself", `views.ada.status === "joined" && views.ada.error === null`)
			p.until("seen again", members("bob")+` === "ada bob"`)
			evaluate[any](p, `sockets.one.disconnect(), null`)
			show(bob)
			evaluate[any](p, `sockets.one.connect(), null`)

			// Zero is the name of a room.
			show(`{ name: "ada", socket: sockets.one, room: 0 },` + bob)
			p.until("in room 0", `views.ada.room?.roomId === "0"`)
			show(bob)
			evaluate[any](p, `sockets.one.emitWithAck("ping").then(() => null)`)
			p.until("still without the others", members("bob")+` === "bob" && (await (await fetch("/connections")).json()).connections.filter(({ currentRoom }) => currentRoom).length === 1`)
		})
	}
}

func TestTheHooksRenderOnAServer(t *testing.T) {
	takesTurnsBuilding(t)
	dir := oldReact.dir(t)
	output, err := tool(t, dir, "node", "--preserve-symlinks", "server.mjs").CombinedOutput()
	require.NoError(t, err, string(output))
}
