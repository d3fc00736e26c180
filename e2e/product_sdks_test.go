package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// example is a copy of one of the examples, beside a copy of the contract, as in the
// repository. Code is generated only in the copy.
type example struct {
	t   *testing.T
	dir string
}

func copyExample(t *testing.T, name string) example {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "examples", name)
	tracked, err := exec.Command("git", "-C", "../examples/"+name, "ls-files").Output()
	require.NoError(t, err, "which files are of the example is for git to say")
	for file := range strings.Lines(string(tracked)) {
		file = strings.TrimSpace(file)
		content, err := os.ReadFile(filepath.Join("../examples", name, file))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), content, 0o644))
	}
	contract, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "openapi.yaml"), contract, 0o644))
	return example{t, dir}
}

// run runs a command in the example. The command must succeed.
func (e example) run(name string, args ...string) string {
	e.t.Helper()
	output, err := tool(e.t, e.dir, name, args...).CombinedOutput()
	require.NoError(e.t, err, "%s %v:\n%s", name, args, output)
	return string(output)
}

// The programs with generated clients, each named after its generator, and what the server
// refuses to each.
var (
	goPrograms = map[string]string{
		"oapicodegen": "roomId is required",
		"ogen":        "message must have 4096 characters at most",
	}
	pollingPrograms = []string{"openapi-fetch", "orval", "swagger-typescript-api", "openapi-zod-client", "kubb"}
	streamProgram   = "hey-api"
)

// As the README of each example says, the clients are generated and compiled, and set
// up a call.
func TestGeneratedGoClientsSetUpACall(t *testing.T) {
	takesTurnsBuilding(t)
	e := copyExample(t, "sdk-go")
	e.run("go", "generate", "./...")
	e.run("go", "vet", "./...")
	url := startServer(t)
	for program, refused := range goPrograms {
		require.Equal(t,
			fmt.Sprintf("In the room as well: callee\nOffered: v=0 (offer)\nAnswered: v=0 (answer)\nRefused: %s\n", refused),
			e.run("go", "run", "./"+program, url), program)
	}
}

func TestGeneratedTypeScriptClientsSetUpACall(t *testing.T) {
	takesTurnsBuilding(t)
	requireNode(t)
	e := copyExample(t, "sdk-typescript")
	e.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	e.run("npm", "run", "generate")
	e.run("npm", "run", "build") // it checks all types
	url := startServer(t)
	for _, program := range append(pollingPrograms, streamProgram) {
		require.Equal(t,
			"In the room: caller, callee\nOffered: v=0 (offer)\nAnswered: v=0 (answer)\nRefused: roomId is required\n",
			e.run("node", "build/"+program+"/call.js", url), program)
	}
	e.requireTypes()
}

// requireTypes fails if a client gives its answers or its refusals no types. The compiler
// lets anything pass as the type that a program promises, if it has none of its own. So it
// must refuse each program that promises another type.
func (e example) requireTypes() {
	e.t.Helper()
	promises := filepath.Join(e.dir, "polling.ts")
	text, err := os.ReadFile(promises)
	require.NoError(e.t, err)
	wrong := string(text)
	for right, other := range map[string]string{"Promise<EventBatch>": "Promise<bigint>", "Promise<Schemas['Problem'] | undefined>": "Promise<bigint | undefined>"} {
		require.Contains(e.t, wrong, right)
		wrong = strings.Replace(wrong, right, other, 1)
	}
	require.NoError(e.t, os.WriteFile(promises, []byte(wrong), 0o644))
	errors, err := tool(e.t, e.dir, "npm", "run", "--silent", "check").Output()
	require.Error(e.t, err)
	for _, program := range pollingPrograms {
		require.Equal(e.t, 2, strings.Count("\n"+string(errors), "\n"+program+"/call.ts("), "%s has no types for its events or its refusals:\n%s", program, errors)
	}
}

// What a document says of a generator must be true, so the tests run each generator that
// a document names.
func TestDocumentsNameTheGeneratorsThatTheTestsRun(t *testing.T) {
	var programs []string
	for program := range goPrograms {
		programs = append(programs, "sdk-go/"+program+"/main.go")
	}
	for _, program := range append(pollingPrograms, streamProgram) {
		programs = append(programs, "sdk-typescript/"+program+"/call.ts")
	}
	clients, err := os.ReadFile("../docs/clients.md")
	require.NoError(t, err)
	var named []string
	for _, link := range regexp.MustCompile(`\(\.\./examples/(sdk-[^)]*/[^)]*\.(?:go|ts))\)`).FindAllStringSubmatch(string(clients), -1) {
		named = append(named, link[1])
	}
	require.ElementsMatch(t, programs, named)

	others := regexp.MustCompile(`(?i)oazapfts|openapi-generator|swagger-codegen|openapi-typescript-codegen|typed-openapi|openapi-python-client|datamodel-code|ng-openapi-gen|progenitor|kiota|nswag`)
	tracked, err := exec.Command("git", "-C", "..", "ls-files", "*.md", "openapi.yaml").Output()
	require.NoError(t, err)
	for file := range strings.Lines(string(tracked)) {
		text, err := os.ReadFile(filepath.Join("..", strings.TrimSpace(file)))
		require.NoError(t, err)
		require.Empty(t, others.FindString(string(text)), "%s names it, and no test runs it", file)
	}
}

// Both linters apply their recommended rules, and find nothing.
func TestLintersFindNothingInTheContract(t *testing.T) {
	takesTurnsBuilding(t)
	dir := webTools.dir(t)
	url := startServer(t)
	for _, document := range []string{"/openapi.yaml", "/openapi-3.2.yaml"} {
		path := filepath.Join(t.TempDir(), filepath.Base(document))
		response, err := http.Get(url + document)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o644))
		output, err := tool(t, dir, "npx", "--no-install", "redocly", "lint", "--format=json", path).Output()
		require.NoError(t, err, string(output))
		require.Contains(t, string(output), `"warnings": 0`, document)
		if document == "/openapi-3.2.yaml" {
			continue // Spectral does not know this version yet
		}
		output, err = tool(t, dir, "npx", "--no-install", "spectral", "lint", "--fail-severity=hint", "--ruleset=spectral.yaml", path).CombinedOutput()
		require.NoError(t, err, string(output))
	}
}
