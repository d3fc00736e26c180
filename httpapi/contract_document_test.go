package httpapi_test

import (
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	signalingserver "signaling-server"
)

// contract is openapi.yaml, and what is needed to hold a server to it.
type contract struct {
	document *openapi3.T
	strict   *judge
	open     *judge
	facts    map[string]bool // all that the document says may happen
}

// theContract is read once: that takes a tenth of a second.
var theContract = sync.OnceValues(func() (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(signalingserver.OpenAPI)
	if err != nil {
		return nil, err
	}
	strict, err := newJudge(document, true)
	if err != nil {
		return nil, err
	}
	open, err := newJudge(document, false)
	if err != nil {
		return nil, err
	}
	return &contract{document, strict, open, factsOf(document)}, nil
})

// operation finds what a request asks for, and the values of the variable parts of
// its path. The path is "" if the document has no path of this kind, and the
// operation is nil if the path does not take the method.
func (c *contract) operation(r *http.Request) (path string, variables map[string]string, operation *openapi3.Operation) {
	path, variables = c.path(r)
	if path == "" {
		return "", nil, nil
	}
	item := c.document.Paths.Value(path)
	if r.Method == http.MethodHead && item.Get != nil && !isReading(item.Get) {
		return path, variables, item.Get
	}
	return path, variables, item.GetOperation(r.Method)
}

// folders are the paths that the document has without their last slash.
var folders = []string{"/demo/", "/doctor/", "/dashboard/", "/docs/"}

// path finds the path of the document that a request's path is of. A path with
// fewer variable parts comes first.
func (c *contract) path(r *http.Request) (path string, variables map[string]string) {
	asked := strings.Split(r.URL.EscapedPath(), "/")
	if slices.Contains(folders, r.URL.Path) {
		asked = asked[:2]
	}
	for template := range c.document.Paths.Map() {
		found, fits := match(strings.Split(template, "/"), asked)
		if fits && (path == "" || len(found) < len(variables)) {
			path, variables = template, found
		}
	}
	return path, variables
}

// match reports whether a path fits a template, both in parts.
func match(template, asked []string) (variables map[string]string, fits bool) {
	if len(template) != len(asked) {
		return nil, false
	}
	variables = make(map[string]string)
	for i, part := range template {
		name, isVariable := strings.CutPrefix(part, "{")
		switch value, err := url.PathUnescape(asked[i]); {
		case err != nil, isVariable && value == "", !isVariable && value != part:
			return nil, false
		case isVariable:
			variables[strings.TrimSuffix(name, "}")] = value
		}
	}
	return variables, true
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
