package client

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

var messages = []Message{
	JoinRoomMessage{}, LeaveRoomMessage{}, OfferMessage{}, AnswerMessage{}, ICECandidateMessage{}, SignalMessage{}, ChatMessage{},
	TypingStartMessage{}, TypingStopMessage{}, PingMessage{}, HeartbeatMessage{}, DisconnectMessage{},
}

// The types of this package are written by hand, because that reads better. They
// cannot drift from openapi.yaml: this test compares each of their members with it.
func TestTheTypesMatchTheContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	require.NoError(t, err)
	union := func(name string) map[string]openapi3.MappingRef {
		return document.Components.Schemas[name].Value.Discriminator.Mapping
	}
	schemaOf := func(ref openapi3.MappingRef) *openapi3.Schema {
		return document.Components.Schemas[ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]].Value
	}

	require.Len(t, decoders, len(union("ServerEvent")))
	for kind, ref := range union("ServerEvent") {
		require.Contains(t, decoders, kind)
		event, err := decoders[kind]([]byte("{}"))
		require.NoError(t, err)
		requireSame(t, kind, reflect.TypeOf(event), schemaOf(ref))
	}
	require.Len(t, messages, len(union("ClientEvent")))
	for _, m := range messages {
		require.Contains(t, union("ClientEvent"), m.Type())
		requireSame(t, m.Type(), reflect.TypeOf(m), schemaOf(union("ClientEvent")[m.Type()]))
	}
	requireSame(t, "problem", reflect.TypeFor[Problem](), document.Components.Schemas["Problem"].Value)
}

// requireSame compares the members of a type with those of a schema, and then the
// members of each member. A member that the schema requires must not have omitempty.
func requireSame(t *testing.T, path string, of reflect.Type, schema *openapi3.Schema) {
	t.Helper()
	switch {
	case len(schema.OneOf) > 0: // something, or null
		schema = schema.OneOf[0].Value
	case schema.Items != nil:
		schema = schema.Items.Value
	}
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8 {
		of = of.Elem()
	}
	if len(schema.Properties) == 0 || of.Kind() != reflect.Struct {
		require.False(t, len(schema.Properties) > 0 && path != "type", "%s has members in the schema, and none in %s", path, of)
		return
	}
	named := make(map[string]reflect.StructField)
	for i := range of.NumField() {
		name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		named[name] = of.Field(i)
		require.Contains(t, schema.Properties, name, path)
		require.False(t, options == "omitempty" && slices.Contains(schema.Required, name), "%s.%s may be left out", path, name)
	}
	for name, property := range schema.Properties {
		field, isNamed := named[name]
		if name == "type" && !isNamed {
			continue // the Go type itself says it
		}
		require.True(t, isNamed, "%s.%s is missing", path, name)
		requireSame(t, path+"."+name, field.Type, property.Value)
	}
}
