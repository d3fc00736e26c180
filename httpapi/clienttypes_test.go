package httpapi_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// A client event without members is sent without the arguments of emit, as
// socket.io-client's emit("ping") would be. For that the client lists these events. An
// event whose members are all optional may be sent either way.
func TestTheClientKnowsTheEventsWithoutMembers(t *testing.T) {
	text, err := os.ReadFile("../browser/src/client-event.js")
	require.NoError(t, err)
	list := regexp.MustCompile(`const BARE = /(.*)/;`).FindSubmatch(text)
	require.NotNil(t, list)
	bare := regexp.MustCompile(string(list[1]))

	contract, events := eventsOf(t, "ClientEvent")
	for _, name := range events {
		if name != "disconnect" && name != "heartbeat" { // the client has a method for disconnect, and sends heartbeats itself
			members := contract.event("ClientEvent", name)
			delete(members, "type")
			isRequired := func(member string) bool { return !strings.HasSuffix(member, "?") }
			if needs := slices.ContainsFunc(slices.Collect(maps.Keys(members)), isRequired); needs || len(members) == 0 {
				require.Equal(t, !needs, bare.MatchString(name), name)
			}
		}
	}
}

// The client's TypeScript types have the events of the contract and no others. Each event
// has the contract's members and no others. Each member has the contract's type, and is
// optional if it is optional in the contract.
func TestTheClientsTypesMatchTheContract(t *testing.T) {
	contract, fromServer := eventsOf(t, "ServerEvent")
	_, fromClient := eventsOf(t, "ClientEvent")
	types := readTypings(t, "../browser/client.d.ts", "../browser/peers.d.ts")

	// The client handles these two itself, and passes them to no listener.
	fromServer = slices.DeleteFunc(fromServer, func(name string) bool { return name == "connected" || name == "heartbeat" })
	heard := types.shapeOf("ServerEvents").fields
	require.ElementsMatch(t, fromServer, slices.Collect(maps.Keys(heard)))
	for _, name := range fromServer {
		members := contract.event("ServerEvent", name)
		if slices.Contains(fromClient, name) && contract.isOpen(name) {
			members[others] = "unknown"
		}
		require.Equal(t, members, heard[name].members(), name)
	}

	// The client has a method for disconnect, and sends heartbeats itself.
	fromClient = slices.DeleteFunc(fromClient, func(name string) bool { return name == "disconnect" || name == "heartbeat" })
	emitted := types.shapeOf("ClientEvents").fields
	require.ElementsMatch(t, fromClient, slices.Collect(maps.Keys(emitted)))
	for _, name := range fromClient {
		members := contract.event("ClientEvent", name)
		delete(members, "type") // the first argument of emit
		if contract.isOpen(name) {
			members[others] = "unknown"
		}
		if name == "offer" || name == "answer" {
			members[name] = "RTCSessionDescriptionInit" // the type that an RTCPeerConnection gives
		}
		require.NotEmpty(t, emitted[name].tuples, name)
		for _, arguments := range emitted[name].tuples {
			require.Equal(t, members, arguments.members(), name)
		}
	}

	require.Equal(t, contract.members("Problem"), types.shapeOf("Problem").members())
	require.Equal(t, contract.members("RoomUser"), types.shapeOf("User").members())
	require.Equal(t, contract.members("RoomUser"), types.shapeOf("Member").members())
	options := types.shapeOf("RoomOptions").members()
	for name, itsType := range contract.event("ClientEvent", "join-room") {
		if name != "type" && name != "roomId" && name != "requestId?" { // joinRoom sets type and requestId, and takes roomId as an argument
			require.Equal(t, itsType, options[name], name)
		}
	}
}

// schemas are the contract's schemas by name.
type schemas map[string]*openapi3.SchemaRef

// eventsOf returns the contract's schemas, and the types of its server or client events.
func eventsOf(t *testing.T, union string) (schemas, []string) {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	all := schemas(c.document.Components.Schemas)
	types := slices.Collect(maps.Keys(all[union].Value.Discriminator.Mapping))
	require.NotEmpty(t, types)
	return all, types
}

// members are the members of an object: the type of each by its name. The name of an
// optional member ends with "?".
type members map[string]string

// others stands for the members that the contract does not name, and that are relayed.
const others = "..."

func (s schemas) members(name string) members { return s.object(s[name].Value) }

func (s schemas) event(union, name string) members {
	return s.members(schemaName(s[union].Value.Discriminator.Mapping[name].Ref))
}

// isOpen reports whether a client event may have members that the contract does not name.
func (s schemas) isOpen(name string) bool {
	schema := s[schemaName(s["ClientEvent"].Value.Discriminator.Mapping[name].Ref)].Value
	return schema.AdditionalProperties.Has == nil
}

func (s schemas) object(schema *openapi3.Schema) members {
	all := make(members)
	for name, property := range schema.Properties {
		if !slices.Contains(schema.Required, name) {
			name += "?"
		}
		all[name] = s.typeOf(property)
	}
	return all
}

// typeOf writes a schema as a type of TypeScript, in the form that a shape uses.
func (s schemas) typeOf(ref *openapi3.SchemaRef) string {
	schema := ref.Value
	switch {
	case schemaName(ref.Ref) == "IceCandidate":
		return "RTCIceCandidateInit" // the browser's type for a candidate
	case schema.OneOf != nil:
		return oneOf(schema.OneOf, s.typeOf)
	case schema.Const != nil:
		return `"` + schema.Const.(string) + `"`
	case schema.Enum != nil:
		return oneOf(schema.Enum, func(value any) string { return `"` + value.(string) + `"` })
	case schema.Type == nil:
		return "unknown"
	case schema.Type.Is("array"):
		return s.typeOf(schema.Items) + "[]"
	case schema.Type.Is("object") && len(schema.Properties) > 0:
		return s.object(schema).String()
	case schema.Type.Is("object"):
		return "Record<string, unknown>"
	case schema.Type.Is("integer"):
		return "number"
	}
	return oneOf(schema.Type.Slice(), func(name string) string { return name })
}

func oneOf[T any](alternatives []T, write func(T) string) string {
	var all []string
	for _, each := range alternatives {
		all = append(all, write(each))
	}
	slices.Sort(all)
	return strings.Join(all, " | ")
}

func (m members) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+": "+m[name])
	}
	return "{" + strings.Join(all, "; ") + "}"
}
