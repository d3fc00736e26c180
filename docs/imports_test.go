package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The imports run as docs/architecture.md says.
func TestImportsRunOneWay(t *testing.T) {
	importers := make(map[string][]string) // of each package, the files that import it
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		for _, folder := range []string{"e2e/", "examples/"} {
			if strings.HasPrefix(name, folder) {
				return nil
			}
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, each := range file.Imports {
			imported, _ := strconv.Unquote(each.Path.Value)
			importers[imported] = append(importers[imported], name)
			if strings.HasPrefix(name, "rooms/") && imported != "signaling-server/internal/wire" {
				assert.False(t, strings.ContainsAny(imported, ".-"), "%s imports %s, which is not of the standard library", name, imported)
			}
		}
		return nil
	}))
	assert.Equal(t, []string{"sse/engine.go"}, importers["github.com/r3labs/sse/v2"])
	assert.Equal(t, []string{"httpapi/routes.go"}, importers["github.com/julienschmidt/httprouter"])
	for _, client := range []string{"github.com/nats-io/nats.go", "github.com/nats-io/nats.go/jetstream"} {
		for _, name := range importers[client] {
			assert.Equal(t, "cluster/jetstream", path.Dir(name))
		}
	}
	for imported, files := range importers {
		isSDK := slices.ContainsFunc([]string{"otel/sdk", "otel/exporters", "contrib", "proto"}, func(part string) bool {
			return strings.HasPrefix(imported, "go.opentelemetry.io/"+part)
		})
		for _, name := range files {
			assert.False(t, isSDK && path.Dir(name) != "internal/telemetry", "%s imports %s", name, imported)
		}
	}
	for _, layers := range [][]string{
		{"signaling-server/internal/telemetry", "cmd/signaling-server/"},
		{"signaling-server/server", "cmd/", "httpapi/httpapitest/"},
		{"signaling-server/httpapi", "cmd/", "server/", "httpapi/"},
		{"signaling-server/cluster", "cmd/", "server/", "cluster/jetstream/", "internal/clustertest/"},
		{"signaling-server/webhooks", "cmd/", "server/", "httpapi/"},
		{"signaling-server/machine", "cmd/", "server/", "httpapi/", "cluster/", "webhooks/"},
		{"signaling-server/sse", "cmd/", "server/", "httpapi/", "machine/", "cluster/"},
		{"signaling-server/rooms", "cmd/", "server/", "httpapi/", "machine/", "cluster/", "webhooks/"},
	} {
		require.NotEmpty(t, importers[layers[0]])
		for _, file := range importers[layers[0]] {
			isBelow := false
			for _, folder := range layers[1:] {
				isBelow = isBelow || strings.HasPrefix(file, folder)
			}
			assert.True(t, isBelow, "%s imports %s", file, layers[0])
		}
	}
}
