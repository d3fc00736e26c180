package httpapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/router"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	signalingserver "signaling-server"
)

// contract is openapi.yaml as three libraries read it: pb33f's checks requests
// and responses, but no events of a stream, whose schemas are checked by
// themselves; getkin's has the clearest model.
type contract struct {
	document *openapi3.T
	schemas  map[string]*jsonschema.Schema // the components, by their names
	model    *v3.Document
	options  *config.ValidationOptions
	strict   validator.Validator // to which what the document does not name is wrong, even where it is open
	open     validator.Validator
	router   router.Router
	facts    map[string]bool // all that the document says may happen
}

// theContract is read once: its validator takes a tenth of a second to make.
var theContract = sync.OnceValues(func() (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	if err != nil {
		return nil, err
	}
	other, err := libopenapi.NewDocument(signalingserver.OpenAPI)
	if err != nil {
		return nil, err
	}
	model, err := other.BuildV3Model()
	if err != nil {
		return nil, err
	}
	schemas, err := compileSchemas(document)
	if err != nil {
		return nil, err
	}
	open := []config.Option{config.WithFormatAssertions(), config.WithRejectUndeclaredRequestBody()}
	options := append(slices.Clone(open),
		config.WithStrictMode(),
		config.WithStrictIgnorePaths(
			"$.body.metadata", "$.body.users[*].metadata", "$.body.data", "$.body.events[*].metadata", "$.body.events[*].data", // the application's own
			"$.body.callId",    // a member that only these tests send, to see it travel along
			"$.body.endpoints", // named freely
			// The document is an answer of its own, by /openapi.json.
			"$.body.info", "$.body.paths", "$.body.components", "$.body.security", "$.body.servers", "$.body.tags",
		),
		// What concerns all answers is no operation's to declare.
		config.WithStrictIgnoredHeadersExtra(
			"Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Referrer-Policy",
			"Timing-Allow-Origin", "X-Content-Type-Options", "X-Frame-Options",
		),
	)
	return &contract{
		document: document,
		schemas:  schemas,
		model:    &model.Model,
		options:  config.NewValidationOptions(options...),
		strict:   validator.NewValidatorFromV3Model(&model.Model, options...),
		open:     validator.NewValidatorFromV3Model(&model.Model, open...),
		router:   router.NewRouter(&model.Model, router.WithPathOnlyMatching()),
		facts:    factsOf(document),
	}, nil
})

// operation finds what a request asks for. The path is "" where there is none
// of this kind, the operation nil where the path does not take the method.
func (c *contract) operation(r *http.Request) (path string, operation *openapi3.Operation) {
	if p := r.URL.Path; strings.HasSuffix(p, "/") && p != "/" && p != "/demo/" && p != "/doctor/" && p != "/dashboard/" && p != "/docs/" {
		return "", nil // the router would take it for the path without the slash
	}
	route, _ := c.router.FindRoute(r) // of another method, if there is an error and a route
	if route == nil {
		return "", nil
	}
	item := c.document.Paths.Value(route.Path)
	if r.Method == http.MethodHead && item.Get != nil && !isReading(item.Get) {
		return route.Path, item.Get
	}
	return route.Path, item.GetOperation(r.Method)
}

// isReading tells whether an operation streams, or opens a socket or goes on
// with one: such a GET has no HEAD.
func isReading(operation *openapi3.Operation) bool {
	return operation.Responses.Value("200").Value.Content["text/event-stream"] != nil || operation.OperationID == "pollEvents"
}

// allow is the header Allow of a path, by the operations that it has.
func (c *contract) allow(path string) string {
	methods := []string{http.MethodOptions}
	for method, operation := range c.document.Paths.Value(path).Operations() {
		methods = append(methods, method)
		if method == http.MethodGet && !isReading(operation) {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

func schemaName(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// compileSchemas makes the document's schemas ready to judge by JSON Schema
// 2020-12, which is what OpenAPI 3.1 speaks.
func compileSchemas(document *openapi3.T) (map[string]*jsonschema.Schema, error) {
	text, err := document.MarshalJSON()
	if err != nil {
		return nil, err
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", root); err != nil {
		return nil, err
	}
	schemas := make(map[string]*jsonschema.Schema)
	for name := range document.Components.Schemas {
		if schemas[name], err = compiler.Compile("openapi.json#/components/schemas/" + name); err != nil {
			return nil, err
		}
	}
	return schemas, nil
}

// explain shortens the validator's errors, which hold the whole schema.
func explain(errs []*errors.ValidationError) (lines []string) {
	for _, e := range errs {
		line := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			line += fmt.Sprintf("; %s %s", s.FieldPath, s.Reason)
		}
		lines = append(lines, line)
	}
	return lines
}

// A fact is something that the document says may happen: an answer of an
// operation, as "getStats 200 application/json" or, for a problem, "sendEvent
// 409 not-in-room", and each member of an answer or its example, as "getStats has
// uptime" or "problem not-in-room has detail"; or an event, as "event pong", each
// member of it, as "event pong has timestamp", and "event room-left reason kicked"
// for each value that such a member may have.

func answerFact(operation *openapi3.Operation, status, kind string) string {
	return strings.TrimSpace(operation.OperationID + " " + status + " " + kind)
}

func factsOf(document *openapi3.T) map[string]bool {
	all := make(map[string]bool)
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				for _, kind := range kindsOf(response.Value) {
					all[answerFact(operation, status, kind)] = true
				}
				if answer := response.Value.Content["application/json"]; answer != nil {
					for _, member := range membersOf(answer.Schema.Value, "") {
						all[operation.OperationID+" has "+member] = true
					}
				}
				for mediaType, content := range response.Value.Content {
					for _, example := range content.Examples {
						for _, fact := range memberFacts(operation, mediaType, example.Value.Value) {
							all[fact] = true
						}
					}
				}
			}
		}
	}
	for _, union := range []string{"ServerEvent", "SilenceEvent"} {
		for kind, one := range document.Components.Schemas[union].Value.Discriminator.Mapping {
			all["event "+kind] = true
			for _, member := range membersOf(document.Components.Schemas[schemaName(one.Ref)].Value, "") {
				all["event "+kind+" has "+member] = true
			}
			for member, schema := range document.Components.Schemas[schemaName(one.Ref)].Value.Properties {
				for _, value := range schema.Value.Enum {
					all[fmt.Sprintf("event %s %s %v", kind, member, value)] = true
				}
			}
		}
	}
	return all
}

// memberFacts tell which members an answer of an operation, a problem, or an event
// of a stream has.
func memberFacts(operation *openapi3.Operation, mediaType string, answer any) (facts []string) {
	owner := operation.OperationID
	switch mediaType {
	case "application/problem+json":
		owner = "problem " + typeName(answer)
	case "text/event-stream":
		owner = "event " + typeName(answer)
	}
	for _, member := range membersHeard(answer, "") {
		facts = append(facts, owner+" has "+member)
	}
	return facts
}

// membersOf are the paths to all members that a schema names, such as
// "rooms[].userList[].away". Unions are told by facts of their own.
func membersOf(schema *openapi3.Schema, path string) (members []string) {
	if schema.Items != nil {
		members = membersOf(schema.Items.Value, path+"[]")
	}
	for name, property := range schema.Properties {
		member := strings.TrimPrefix(path+"."+name, ".")
		members = append(append(members, member), membersOf(property.Value, member)...)
	}
	return members
}

// membersHeard are the paths to all members that a value has.
func membersHeard(value any, path string) (heard []string) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			heard = append(heard, membersHeard(item, path+"[]")...)
		}
	case map[string]any:
		for name, inner := range value {
			member := strings.TrimPrefix(path+"."+name, ".")
			heard = append(append(heard, member), membersHeard(inner, member)...)
		}
	}
	return heard
}

// unionOf names the events of an operation's stream.
func unionOf(operation *openapi3.Operation) string {
	return schemaName(operation.Responses.Value("200").Value.Content["text/event-stream"].Schema.Ref)
}

// kindsOf tells apart the answers that one response stands for: by media type,
// and problems by the types that its examples have.
func kindsOf(response *openapi3.Response) (kinds []string) {
	for mediaType, content := range response.Content {
		if mediaType != "application/problem+json" {
			kinds = append(kinds, mediaType)
			continue
		}
		for _, example := range content.Examples {
			kinds = append(kinds, typeName(example.Value.Value))
		}
	}
	if len(kinds) == 0 {
		return []string{""}
	}
	return kinds
}

// kindHeard tells which of those an answer is.
func kindHeard(documented *openapi3.Response, answer *http.Response, body any) string {
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case mediaType == "application/problem+json":
		return typeName(body)
	case documented.Content["*/*"] != nil:
		return "*/*"
	case answer.StatusCode == http.StatusPermanentRedirect:
		return "" // it has a note for people (RFC 9110, 15.4.9), which need not be documented
	}
	return mediaType
}

// typeName is the type of an event, or the last part of that of a problem.
func typeName(value any) string {
	members, _ := value.(map[string]any)
	name, _ := members["type"].(string)
	return strings.TrimPrefix(name, "/problems/")
}

// eventFacts are what is heard with one event.
func (c *contract) eventFacts(kind string, data map[string]any) []string {
	facts := []string{"event " + kind}
	for _, member := range membersHeard(data, "") {
		facts = append(facts, "event "+kind+" has "+member)
	}
	for _, member := range slices.Sorted(maps.Keys(data)) {
		if fact := fmt.Sprintf("event %s %s %v", kind, member, data[member]); c.facts[fact] {
			facts = append(facts, fact)
		}
	}
	return facts
}
