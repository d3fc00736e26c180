package httpapi

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

// The types that decode what clients send have the members of the contract's
// schemas, and their rules. (That answers and events have those of the contract is
// seen in all traffic, by TestServerAndContractAgree.)
func TestTheTypesOfClientEventsAreThoseOfTheContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	require.NoError(t, err)
	mapping := document.Components.Schemas["ClientEvent"].Value.Discriminator.Mapping
	require.Len(t, clientEvents, len(mapping))
	for kind, ref := range mapping {
		require.Contains(t, clientEvents, kind)
		schema := document.Components.Schemas[ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]].Value
		requireSameMembers(t, kind, reflect.TypeOf(clientEvents[kind].empty()).Elem(), schema)
	}
	requireSameMembers(t, "candidate", reflect.TypeFor[candidateInit](), document.Components.Schemas["IceCandidate"].Value)
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
			continue // it is what the Go type says
		}
		require.True(t, known, "%s.%s is in the contract, and not decoded", path, name)
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
