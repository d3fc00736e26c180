package httpapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	signalingserver "signaling-server"
)

// contract is openapi.yaml and testdata/files.yaml, prepared for checking a server's traffic
// against them.
type contract struct {
	document *openapi3.T
	strict   *judge
	open     *judge
	facts    map[string]bool // all facts of the document, see factsOf
}

// theContract reads the contract once, because reading takes a tenth of a second.
var theContract = sync.OnceValues(func() (*contract, error) {
	document, err := withFiles(signalingserver.OpenAPI)
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

// withFiles reads the contract, and adds to it what the files of the server answer. The
// contract does not have them, because no client calls them.
func withFiles(openAPI []byte) (*openapi3.T, error) {
	files, err := os.ReadFile("testdata/files.yaml")
	if err != nil {
		return nil, err
	}
	paths, components, _ := bytes.Cut(openAPI, []byte("\ncomponents:\n"))
	document, err := openapi3.NewLoader().LoadFromData(slices.Concat(paths, []byte("\n"), files, []byte("components:\n"), components))
	if err != nil {
		return nil, err
	}
	// A browser that asks for the service gets the landing page.
	service, page := document.Paths.Value("/").Get.Responses, document.Paths.Value("/demo").Get.Responses
	service.Value("200").Value.Content["text/html"] = page.Value("200").Value.Content["text/html"]
	service.Set("304", page.Value("304"))
	return document, nil
}

// operation finds the operation that a request asks for, and the values of the variables
// in its path. The path is "" if the document has no path that matches. The operation is
// nil if the path does not take the method.
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

// folders are paths that the document lists without the slash at the end.
var folders = []string{"/demo/", "/doctor/", "/dashboard/", "/docs/"}

// path finds the document's path that matches a request's path. If several match, it is
// the path with the fewest variables.
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

// match reports whether a path matches a template, and returns the values of the
// template's variables. Both are split at their slashes.
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

// isReading reports whether an operation answers with a stream, or opens or resumes a
// socket by a poll. A GET of these operations has no HEAD.
func isReading(operation *openapi3.Operation) bool {
	return operation.Responses.Value("200").Value.Content["text/event-stream"] != nil || operation.OperationID == "pollEvents"
}

// allow returns the Allow header that a path must have, by its operations.
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

func answerFact(operation *openapi3.Operation, status, kind string) string {
	return strings.TrimSpace(operation.OperationID + " " + status + " " + kind)
}

// factsOf returns all facts of the document. A fact is something that the document says
// may happen. The facts are:
//   - an answer: "getStats 200 application/json", or a problem, "sendEvent 409 not-in-room"
//   - a member of an answer or of its example: "getStats has uptime", "problem not-in-room
//     has detail"
//   - an event: "event pong"
//   - a member of an event: "event pong has timestamp"
//   - each value of a member with an enum: "event room-left reason kicked"
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

// memberFacts returns the facts for the members of a value: an operation's answer, a
// problem, or an event of a stream.
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

// membersOf returns the paths to all members that a schema names, for example
// "rooms[].userList[].away". It skips unions, because they have their own facts.
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

// membersHeard returns the paths to all members that a value has.
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

// unionOf returns the name of the union of events in an operation's stream.
func unionOf(operation *openapi3.Operation) string {
	return schemaName(operation.Responses.Value("200").Value.Content["text/event-stream"].Schema.Ref)
}

// kindsOf lists the kinds of answers that a documented response stands for. A media type
// is one kind. But problems have one kind for each type in the examples.
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

// kindHeard returns the kind of an answer, as kindsOf lists it.
func kindHeard(documented *openapi3.Response, answer *http.Response, body any) string {
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case mediaType == "application/problem+json":
		return typeName(body)
	case documented.Content["*/*"] != nil:
		return "*/*"
	case answer.StatusCode == http.StatusPermanentRedirect:
		return "" // its body is a note for people (RFC 9110, 15.4.9), which the document need not have
	}
	return mediaType
}

// typeName returns the type of an event, or the last part of a problem's type.
func typeName(value any) string {
	members, _ := value.(map[string]any)
	name, _ := members["type"].(string)
	return strings.TrimPrefix(name, "/problems/")
}

// eventFacts returns the facts of one event.
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
