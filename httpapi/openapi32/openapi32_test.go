package openapi32_test

import (
	"os"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/httpapi/openapi32"
)

func TestTheContractInOpenAPI32TypesItsStreams(t *testing.T) {
	text, err := openapi32.From31(signalingserver.OpenAPI)
	require.NoError(t, err)
	var document, original map[string]any
	require.NoError(t, yaml.Unmarshal(text, &document))
	require.NoError(t, yaml.Unmarshal(signalingserver.OpenAPI, &original))
	require.Equal(t, "3.2.0", document["openapi"])
	if path := os.Getenv("OPENAPI32"); path != "" { // for a person to look at
		require.NoError(t, os.WriteFile(path, text, 0o644))
	}

	stream := at(document, "components", "responses", "EventStream", "content", "text/event-stream").(map[string]any)
	require.NotContains(t, stream, "schema")
	require.Equal(t, "#/components/schemas/ServerEventFrame", at(stream, "itemSchema", "$ref"))
	require.Equal(t,
		"event: room-left\ndata: {\"type\": \"room-left\", \"roomId\": \"standup\", \"reason\": \"left\", \"requestId\": \"2\", \"timestamp\": \"2026-03-01T12:00:00.000Z\"}\n\n",
		at(stream, "examples", "room-left", "serializedValue"))
	mapping := at(document, "components", "schemas", "ServerEvent", "discriminator", "mapping").(map[string]any)
	typed := make(map[string]any)
	for _, kind := range at(document, "components", "schemas", "ServerEventFrame", "oneOf").([]any) {
		typed[at(kind, "properties", "event", "const").(string)] = at(kind, "properties", "data", "contentSchema", "$ref")
	}
	require.Equal(t, mapping, typed)

	// Everything else is unchanged.
	restored := at(original, "components", "responses", "EventStream", "content").(map[string]any)
	restored["text/event-stream"] = stream
	require.Equal(t, at(original, "components", "responses", "EventStream"), at(document, "components", "responses", "EventStream"))
	for _, path := range []string{"/events/poll", "/rooms/{roomId}", "/metrics"} {
		require.Equal(t, at(original, "paths", path), at(document, "paths", path), path)
	}
}

func TestADocumentWhoseStreamsCannotBeTypedIsRefused(t *testing.T) {
	for name, document := range map[string]string{
		"not YAML":    "a: [",
		"no schemas":  "openapi: 3.1.1",
		"no mapping":  "components: {schemas: {A: {type: object}}, responses: {S: {content: {text/event-stream: {schema: {$ref: '#/components/schemas/A'}}}}}}",
		"not a union": "components: {schemas: {A: {type: object}}, responses: {S: {content: {text/event-stream: {schema: {type: string}}}}}}",
		"no schema":   "components: {schemas: {A: {type: object}}, responses: {S: {content: {text/event-stream: {}}}}}",
		"no media":    "components: {schemas: {A: {type: object}}, responses: {S: {content: {text/event-stream: null}}}}",
		"empty":       "",
	} {
		_, err := openapi32.From31([]byte(document))
		require.Error(t, err, name)
	}
}

func BenchmarkFrom31(b *testing.B) {
	for b.Loop() {
		_, err := openapi32.From31(signalingserver.OpenAPI)
		require.NoError(b, err)
	}
}

func at(node any, names ...string) any {
	for _, name := range names {
		node = node.(map[string]any)[name]
	}
	return node
}
