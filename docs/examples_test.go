package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/access"
)

// codeBlock returns the only block of code that a document marks with a name.
func codeBlock(t *testing.T, path, name string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)<!-- test:"+name+" -->\\s*```\\w+\n(.*?)```").FindAllSubmatch(text, -1)
	require.Len(t, blocks, 1, "blocks after <!-- test:%s --> in %s", name, path)
	return string(blocks[0][1])
}

// A program that does as the README says can import the client and the server, though
// the module cannot be fetched; and the documents' examples in Go compile in it.
func TestAGoProgramImportsThisModuleAsTheDocumentsSay(t *testing.T) {
	folder := t.TempDir()
	repository, err := filepath.Abs(root)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(repository, filepath.Join(folder, "signaling-server")))
	module := filepath.Join(folder, "bot")
	require.NoError(t, os.Mkdir(module, 0o755))
	program := `package main

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"signaling-server/client"
	"signaling-server/httpapi/conns"
	"signaling-server/server"
)

func main() {
	if len(os.Args) == 1 {
		log.Fatal(run(context.Background()))
	}
	token, err := accessToken("Ada", "team-1-standup")
	log.SetFlags(0)
	log.Println(token, err)
}

func answerTo(offer client.SessionDescription) client.SessionDescription { return offer }

func showLesson(http.ResponseWriter, *http.Request) {}

func embed() error {
` + codeBlock(t, "deployment.md", "embed") + `
	return serve(signaling, routes)
}

func serve(signaling *server.Server, routes http.Handler) error {
	listener, err := net.Listen("tcp", ":3002")
	if err != nil {
		return err
	}
` + codeBlock(t, "deployment.md", "guard") + `
}

` + codeBlock(t, "clients.md", "go") + "\n" + codeBlock(t, "access-tokens.md", "token-go")
	require.NoError(t, os.WriteFile(filepath.Join(module, "main.go"), []byte(program), 0o644))
	run := func(command string) string {
		shell := exec.CommandContext(t.Context(), "bash", "-e", "-c", command)
		shell.Dir = module
		// The flags are those of a release, so Go compiles only once for both.
		shell.Env = append(os.Environ(), "GOFLAGS=-mod=mod -trimpath", "CGO_ENABLED=0", "ACCESS_SECRET="+secret)
		output, err := shell.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, output)
		return string(output)
	}
	run("go mod init bot")
	run(codeBlock(t, filepath.Join(root, "README.md"), "replace"))
	run("go vet .")
	token, isGood := strings.CutSuffix(run("go run . token"), " <nil>\n")
	require.True(t, isGood, token)
	requireValid(t, token)
}

// The access tokens that the documents' examples issue are valid for their user and
// room.
func TestTheExamplesIssueValidAccessTokens(t *testing.T) {
	const call = "('Ada', 'team-1-standup')"
	for name, language := range map[string]struct{ program, flag, print string }{
		"token-node":   {"node", "--input-type=module --eval", "process.stdout.write(accessToken" + call + ")"},
		"token-python": {"python3", "-c", "print(access_token" + call + ", end='')"},
	} {
		t.Run(language.program, func(t *testing.T) {
			if _, err := exec.LookPath(language.program); err != nil {
				require.Empty(t, os.Getenv("REQUIRE_NODE"), "%s is not installed", language.program)
				t.Skipf("NOT TESTED: %s is not installed", language.program)
			}
			command := exec.CommandContext(t.Context(), language.program, append(strings.Fields(language.flag), codeBlock(t, "access-tokens.md", name)+"\n"+language.print)...)
			command.Env = append(os.Environ(), "ACCESS_SECRET="+secret)
			token, err := command.Output()
			require.NoError(t, err)
			requireValid(t, string(token))
		})
	}
}

// A proxy has answered in place of the server, and the browser gives up. The page goes on after
// the last event.
func TestAnEventSourceThatGaveUpIsOpenedAgain(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		require.Empty(t, os.Getenv("REQUIRE_NODE"), "node is not installed")
		t.Skip("NOT TESTED: node is not installed")
	}
	program := codeBlock(t, "clients.md", "eventsource") + `
		const opened = [];
		globalThis.setTimeout = (again, ms, ...given) => again(...given);
		globalThis.EventSource = class {
			CLOSED = 2;
			constructor(url) { opened.push(url); this.source = globalThis.source = this; this.types = {}; }
			addEventListener(type, listener) { this.types[type] = listener; }
		};
		listen(({ type }) => opened.push(type));
		source.types.connected({ data: '{"type":"connected"}', lastEventId: "a.0" });
		source.types.signal({ data: '{"type":"signal"}', lastEventId: "a.1" });
		for (const state of [0, 2]) { source.readyState = state; source.onerror(); }
		source.readyState = 2; source.onerror();
		process.stdout.write(opened.join(" "));`
	output, err := exec.CommandContext(t.Context(), "node", "--input-type=module", "--eval", program).Output()
	require.NoError(t, err)
	require.Equal(t, "/events?lastEventId= connected signal /events?lastEventId=a.1 /events?lastEventId=a.1", string(output))
}

// secret is the ACCESS_SECRET of these tests.
const secret = "a secret of more than thirty-two characters"

// requireValid checks a token for one user and one room.
func requireValid(t *testing.T, token string) {
	t.Helper()
	verifier, err := access.NewVerifier(context.Background(), access.Options{Keys: access.Keys{Secret: []byte(secret)}})
	require.NoError(t, err)
	defer verifier.Close()
	_, err = verifier.Verify(token, "team-1-standup", "Ada")
	require.NoError(t, err)
	_, err = verifier.Verify(token, "team-1-standup", "Bob")
	require.Error(t, err, "it is for another user")
}

// A block of code in the documents is run by a test, or its language says that it
// cannot be.
func TestEachProgramInTheDocumentsIsTested(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?m)^(.*)\n```(go|js|python)\n(.*)$")
	count := 0
	for _, path := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, match := range block.FindAllStringSubmatch(string(text), -1) {
			count++
			require.Regexp(t, "^<!-- test:[a-z-]+ -->$", match[1], "%s: before %s", path, match[3])
		}
	}
	require.Greater(t, count, 6)
}
