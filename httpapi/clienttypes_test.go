package httpapi_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// An EventSource hands named events to named listeners only: what the client
// does not name it never hears.
func TestTheClientKnowsEveryServerEvent(t *testing.T) {
	document, err := theContract()
	require.NoError(t, err)
	var types []string
	for name := range document.document.Components.Schemas["ServerEvent"].Value.Discriminator.Mapping {
		types = append(types, name)
	}
	require.NotEmpty(t, types)
	known := quoted(t, "../browser/src/rungs.js", `(?s)const TYPES = \[(.*?)\];`, `"([a-z-]+)"`)
	require.ElementsMatch(t, types, known)

	// These are the client's own business, and no listener's.
	types = slices.DeleteFunc(types, func(name string) bool { return name == "connected" || name == "heartbeat" })
	typed := quoted(t, "../browser/client.d.ts", `(?s)interface ServerEvents \{(.*?)\n\}`, `(?m)^  "([a-z-]+)":`)
	require.ElementsMatch(t, types, typed)
}

func TestTheClientsTypesNameEveryClientEvent(t *testing.T) {
	document, err := theContract()
	require.NoError(t, err)
	var types []string
	for name := range document.document.Components.Schemas["ClientEvent"].Value.Discriminator.Mapping {
		if name != "disconnect" { // a method of the socket
			types = append(types, name)
		}
	}
	typed := quoted(t, "../browser/client.d.ts", `(?s)interface ClientEvents \{(.*?)\n\}`, `(?m)^  "([a-z-]+)":`)
	require.ElementsMatch(t, types, typed)
}

// quoted finds a block in a file, and in the block all that an expression's
// group matches.
func quoted(t *testing.T, file, block, each string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	match := regexp.MustCompile(block).FindSubmatch(text)
	require.NotNil(t, match, file)
	for _, one := range regexp.MustCompile(each).FindAllSubmatch(match[1], -1) {
		found = append(found, string(one[1]))
	}
	return found
}
