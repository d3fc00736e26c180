package httpapi

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
)

func readDocument(t *testing.T) *openapi3.T {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	require.NoError(t, err)
	return document
}

func TestTheDocumentHasTheOperationsOfTheServerAndNoOthers(t *testing.T) {
	var operations []string
	for path, item := range readDocument(t).Paths.Map() {
		for method := range item.Operations() {
			operations = append(operations, method+" "+path)
		}
	}
	require.ElementsMatch(t, inOpenAPI(new(API).operations()), operations)
}

// Each operation is a method of every generated client. So whatever is not in this list
// must be an operation that a client calls.
func TestTheFilesAreThese(t *testing.T) {
	require.Equal(t, []string{
		"GET /metrics",
		"GET /openapi.yaml", "GET /openapi.json", "GET /openapi-3.2.yaml",
		"GET /docs", "GET /docs/{file}",
		"GET /problems/{name}",
		"GET /demo", "GET /demo/{file}",
		"GET /doctor", "GET /doctor/{file}",
		"GET /dashboard", "GET /dashboard/{file}",
		"GET /assets/{file}",
		"GET /client.js", "GET /client.d.ts", "GET /io.js",
		"GET /peers.js", "GET /peers.d.ts",
		"GET /react.js", "GET /react.d.ts",
	}, inOpenAPI(new(API).files()))
}

// inOpenAPI writes routes as OpenAPI writes operations.
func inOpenAPI(routes []route) (operations []string) {
	variable := regexp.MustCompile(`[:*](\w+)`) // as httprouter writes it
	for _, r := range routes {
		operations = append(operations, r.method+" "+variable.ReplaceAllString(r.path, "{$1}"))
	}
	return operations
}

// A generator makes a method, its arguments and its result of each operation. It can name
// and type them only if the document does.
func TestEachOperationMakesAGoodMethod(t *testing.T) {
	document := readDocument(t)
	var classes, told []string
	for _, tag := range document.Tags {
		told = append(told, tag.Name)
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			name := method + " " + path
			require.Regexp(t, "^[a-z]+[A-Z][A-Za-z]+$", operation.OperationID, "%s: a verb and what it is for", name)
			require.Len(t, operation.Tags, 1, "%s: a tag is the class of the method", name)
			classes = append(classes, operation.Tags[0])
			for status, response := range operation.Responses.Map() {
				about := name + " " + status
				content := response.Value.Content
				if status == "204" {
					require.Empty(t, content, about)
					continue
				}
				require.Len(t, content, 1, "%s: one answer, one type", about)
				if status >= "400" {
					require.Equal(t, "#/components/schemas/Problem", content["application/problem+json"].Schema.Ref, "%s: a refusal", about)
					continue
				}
				mediaType := slices.Collect(maps.Keys(content))[0]
				require.Contains(t, []string{"application/json", "text/event-stream"}, mediaType, "%s: many clients can read nothing else", about)
			}
		}
	}
	slices.Sort(classes)
	require.ElementsMatch(t, told, slices.Compact(classes))
}

// Some generators, such as openapi-zod-client, do not know const.
func TestWhateverIsConstantIsAlsoAnEnumOfOne(t *testing.T) {
	var document any
	require.NoError(t, yaml.Unmarshal(signalingserver.OpenAPI, &document))
	constants := 0
	var look func(value any)
	look = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				look(item)
			}
		case map[string]any:
			if constant, is := value["const"]; is {
				require.Equal(t, []any{constant}, value["enum"], "%v", value)
				constants++
			}
			for _, member := range value {
				look(member)
			}
		}
	}
	look(document)
	require.NotZero(t, constants)
}

func TestTheDocumentHasTheServersVersion(t *testing.T) {
	require.Equal(t, signalingserver.Version, readDocument(t).Info.Version)
}

// The document has an example of each problem, under the problem's status and with its
// title.
func TestTheDocumentShowsEveryProblemAndNoOthers(t *testing.T) {
	document := readDocument(t)
	shown := make(map[string]bool)
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				content := response.Value.Content["application/problem+json"]
				if content == nil {
					continue
				}
				require.NotEmpty(t, content.Examples)
				for _, example := range content.Examples {
					shownProblem := example.Value.Value.(map[string]any)
					name := strings.TrimPrefix(shownProblem["type"].(string), "/problems/")
					of, isKnown := problem.Named(name)
					require.True(t, isKnown, "%s %s shows %s, which is not a problem of the server", method, path, name)
					require.Equal(t, of.Title, shownProblem["title"])
					require.EqualValues(t, of.Status, shownProblem["status"])
					require.Equal(t, strconv.Itoa(of.Status), status, "%s %s", method, path)
					shown[name] = true
				}
			}
		}
	}
	var all []string
	for _, p := range problem.Types {
		all = append(all, p.Name)
	}
	require.ElementsMatch(t, all, slices.Collect(maps.Keys(shown)))

	var told []string
	words := document.Components.Schemas["Problem"].Value.Properties["type"].Value.Description
	for _, match := range regexp.MustCompile("`/problems/([a-z-]+)`").FindAllStringSubmatch(words, -1) {
		told = append(told, match[1])
	}
	require.ElementsMatch(t, all, told)
}

// The document has the client events that the server accepts. Each has the members that the
// server knows, and allows other members only if the server does.
func TestTheDocumentHasTheServersClientEventsAndNoOthers(t *testing.T) {
	document := readDocument(t)
	union := unionOf(t, document, "ClientEvent")
	require.ElementsMatch(t, slices.Collect(maps.Keys(decode.ClientEvents)), slices.Collect(maps.Keys(union)))
	for kind, schema := range union {
		members := slices.Collect(maps.Keys(fieldsOf(reflect.TypeOf(decode.ClientEvents[kind].New()).Elem())))
		require.ElementsMatch(t, append(members, "type"), slices.Collect(maps.Keys(schema.Properties)), kind)
		has := schema.AdditionalProperties.Has
		require.Equal(t, decode.ClientEvents[kind].IsOpen, has == nil || *has, "%s: additionalProperties", kind)
	}
}

// The protocol fixes this list: a client may break on a type that it does not know.
func TestTheDocumentHasTheProtocolsServerEventsAndNoOthers(t *testing.T) {
	require.ElementsMatch(t, []string{
		"connected", "room-joined", "room-left", "disconnected", "announcement",
		"user-connected", "user-disconnected", "user-away", "user-back",
		"offer", "answer", "ice-candidate", "signal", "new-message", "user-typing",
		"pong", "heartbeat", "server-shutdown",
	}, slices.Collect(maps.Keys(unionOf(t, readDocument(t), "ServerEvent"))))
}

// A developer sees what each event looks like.
func TestTheDocumentHasAnExampleOfEachServerEvent(t *testing.T) {
	document := readDocument(t)
	shown := make(map[string]bool)
	for _, example := range document.Components.Responses["EventStream"].Value.Content["text/event-stream"].Examples {
		shown[example.Value.Value.(map[string]any)["type"].(string)] = true
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(unionOf(t, document, "ServerEvent"))), slices.Collect(maps.Keys(shown)))
}

// unionOf returns a union's schemas by their types. It checks that oneOf, the mapping and
// the type in each schema agree.
func unionOf(t *testing.T, document *openapi3.T, name string) map[string]*openapi3.Schema {
	union := document.Components.Schemas[name].Value
	members := make(map[string]*openapi3.Schema)
	var listed, mapped []string
	for _, one := range union.OneOf {
		listed = append(listed, one.Ref)
	}
	for kind, one := range union.Discriminator.Mapping {
		mapped = append(mapped, one.Ref)
		schema := document.Components.Schemas[one.Ref[strings.LastIndex(one.Ref, "/")+1:]].Value
		require.Equal(t, kind, schema.Properties["type"].Value.Const, one.Ref)
		require.Contains(t, schema.Required, "type", one.Ref)
		members[kind] = schema
	}
	require.ElementsMatch(t, listed, mapped)
	return members
}
