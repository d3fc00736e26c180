package httpapi

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
	"signaling-server/httpapi/decode"
)

// The Go types that decode client events have the members and the rules of the contract's
// schemas. (TestServerAndContractAgree checks the members of answers and server events in
// all its traffic.)
func TestTheTypesOfClientEventsMatchTheContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	require.NoError(t, err)
	mapping := document.Components.Schemas["ClientEvent"].Value.Discriminator.Mapping
	require.Len(t, decode.ClientEvents, len(mapping))
	for kind, ref := range mapping {
		require.Contains(t, decode.ClientEvents, kind)
		schema := document.Components.Schemas[ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]].Value
		requireSameMembers(t, kind, reflect.TypeOf(decode.ClientEvents[kind].New()).Elem(), schema)
	}
	candidate := document.Components.Schemas["IceCandidate"].Value
	require.ElementsMatch(t, slices.Collect(maps.Keys(decode.CandidateMembers)), slices.Collect(maps.Keys(candidate.Properties)))
	require.Empty(t, candidate.Required)
}

// Each client event that can be decoded asks for what its type says.
func TestEveryClientEventAsksForSomething(t *testing.T) {
	for kind, of := range decode.ClientEvents {
		require.Equal(t, kind, actOf(of.New()).Kind.String())
	}
}

func requireSameMembers(t *testing.T, path string, of reflect.Type, schema *openapi3.Schema) {
	t.Helper()
	ours := fieldsOf(of)
	for name := range ours {
		require.Contains(t, schema.Properties, name, "%s: the contract does not name %s", path, name)
	}
	for name, property := range schema.Properties {
		index, known := ours[name]
		if !known && name == "type" {
			continue // the Go type itself stands for it
		}
		require.True(t, known, "%s.%s is in the contract, but is not decoded", path, name)
		field := of.FieldByIndex(index)
		rules := strings.Split(field.Tag.Get("validate"), ",")
		require.Equal(t, slices.Contains(schema.Required, name), slices.Contains(rules, "required"), "%s.%s is required", path, name)
		if limit := property.Value.MaxLength; limit != nil {
			require.Contains(t, rules, "max="+strconv.FormatUint(*limit, 10), "%s.%s", path, name)
		}
		if field.Type.Kind() == reflect.Struct {
			requireSameMembers(t, path+"."+name, field.Type, property.Value)
		}
	}
}

// fieldsOf returns the index of each field of a struct by its JSON name.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" {
			fields[name] = f.Index
		}
	}
	return fields
}
