package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// judge checks requests, answers and events against the document. It reads the
// document's schemas as JSON Schema 2020-12, which OpenAPI 3.1 uses.
type judge struct {
	document *openapi3.T
	isStrict bool // objects to all names that the document does not have, even if it allows other names

	mu       sync.Mutex // guards the fields below
	compiler *jsonschema.Compiler
	compiled map[*openapi3.SchemaRef]*jsonschema.Schema
}

func newJudge(document *openapi3.T, isStrict bool) (*judge, error) {
	j := &judge{
		document: document,
		isStrict: isStrict,
		compiler: jsonschema.NewCompiler(),
		compiled: make(map[*openapi3.SchemaRef]*jsonschema.Schema),
	}
	j.compiler.AssertFormat()
	return j, j.add("openapi.json", document)
}

// add gives the compiler a part of the document under a name. References in the part lead
// to the whole document.
func (j *judge) add(name string, part json.Marshaler) error {
	text, err := part.MarshalJSON()
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte(`"#/components/`), []byte(`"openapi.json#/components/`))
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if j.isStrict {
		shut(root)
	}
	return j.compiler.AddResource(name, root)
}

// shut makes every schema that names members refuse all other members. The schemas of data and
// metadata stay open: these belong to the application, and name no members. The schema of
// the OpenAPI document stays open too. All schemas allow callId, which only these tests
// send, to see that it is relayed.
func shut(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			shut(item)
		}
	case map[string]any:
		for name, inner := range node {
			if name != "OpenApiDocument" {
				shut(inner)
			}
		}
		members, namesMembers := node["properties"].(map[string]any)
		if namesMembers && node["additionalProperties"] != false {
			members["callId"] = true
			node["additionalProperties"] = false
		}
	}
}

// schema compiles one of the document's schemas, once.
func (j *judge) schema(ref *openapi3.SchemaRef) *jsonschema.Schema {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.compiled[ref] == nil {
		name := fmt.Sprintf("openapi-%d.json", len(j.compiled))
		if err := j.add(name, ref); err != nil {
			panic(err) // the document is valid
		}
		j.compiled[ref] = j.compiler.MustCompile(name)
	}
	return j.compiled[ref]
}

// wrongWithValue judges a value by a schema. The objection names the kind of value.
func (j *judge) wrongWithValue(kind string, ref *openapi3.SchemaRef, value any) []string {
	if err := j.schema(ref).Validate(value); err != nil {
		return []string{"as " + kind + ": " + err.Error()}
	}
	return nil
}

// wrongWithText judges the text of a parameter or a header field.
func (j *judge) wrongWithText(name string, ref *openapi3.SchemaRef, text string) []string {
	var value any = text
	if ref.Value.Type.Is("integer") {
		value = json.Number(text)
		if !json.Valid([]byte(text)) {
			value = text
		}
	}
	return j.wrongWithValue(name, ref, value)
}

// wrongWithContent judges a body by its media type. Only JSON has a schema.
func (j *judge) wrongWithContent(content openapi3.Content, mediaType string, body []byte) []string {
	mediaType, _, _ = mime.ParseMediaType(mediaType)
	documented := content[mediaType]
	switch {
	case documented == nil && content["*/*"] != nil:
		return nil
	case documented == nil:
		return []string{"the document does not have the media type " + mediaType}
	case !strings.HasSuffix(mediaType, "json"):
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return []string{err.Error()}
	}
	return j.wrongWithValue("the body", documented.Schema, value)
}

// wrongWithRequest judges a request for an operation. The variables are the values in its
// path.
func (j *judge) wrongWithRequest(operation *openapi3.Operation, r *http.Request, variables map[string]string, body []byte) (wrong []string) {
	query := r.URL.Query()
	for _, ref := range operation.Parameters {
		p := ref.Value
		text, found := variables[p.Name]
		switch p.In {
		case openapi3.ParameterInQuery:
			text, found = query.Get(p.Name), query.Has(p.Name)
		case openapi3.ParameterInHeader:
			text, found = r.Header.Get(p.Name), len(r.Header.Values(p.Name)) > 0
		}
		switch {
		case found:
			wrong = append(wrong, j.wrongWithText(p.Name, p.Schema, text)...)
		case p.Required:
			wrong = append(wrong, p.Name+" is missing")
		}
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if j.requiresToken(operation) && !strings.EqualFold(scheme, "Bearer") {
		wrong = append(wrong, "the token is missing")
	}
	if j.isStrict {
		wrong = append(wrong, undeclared(maps.Keys(query), declared(operation, openapi3.ParameterInQuery))...)
		wrong = append(wrong, undeclared(maps.Keys(r.Header), append(declared(operation, openapi3.ParameterInHeader), usualInRequests...))...)
	}
	switch documented := operation.RequestBody; {
	case documented == nil && len(body) > 0:
		return append(wrong, "the document does not have a body")
	case documented == nil, len(body) == 0 && !documented.Value.Required:
		return wrong
	default:
		return append(wrong, j.wrongWithContent(documented.Value.Content, r.Header.Get("Content-Type"), body)...)
	}
}

// requiresToken reports whether a request for an operation must have a token.
func (j *judge) requiresToken(operation *openapi3.Operation) bool {
	security := j.document.Security
	if operation.Security != nil {
		security = *operation.Security
	}
	goesWithout := func(r openapi3.SecurityRequirement) bool { return len(r) == 0 }
	return len(security) > 0 && !slices.ContainsFunc(security, goesWithout)
}

// wrongWithAnswer judges an answer of an operation.
func (j *judge) wrongWithAnswer(operation *openapi3.Operation, method string, answer *http.Response, body []byte) (wrong []string) {
	ref := operation.Responses.Status(answer.StatusCode)
	if ref == nil {
		return []string{"the document does not have this status"}
	}
	documented := ref.Value
	for name, header := range documented.Headers {
		switch {
		case len(answer.Header.Values(name)) > 0:
			wrong = append(wrong, j.wrongWithText(name, header.Value.Schema, answer.Header.Get(name))...)
		case header.Value.Required:
			wrong = append(wrong, name+" is missing")
		}
	}
	if j.isStrict {
		wrong = append(wrong, undeclared(maps.Keys(answer.Header), append(slices.Collect(maps.Keys(documented.Headers)), usualInAnswers...))...)
	}
	if len(documented.Content) == 0 || method == http.MethodHead {
		return wrong
	}
	return append(wrong, j.wrongWithContent(documented.Content, answer.Header.Get("Content-Type"), body)...)
}

// These headers concern all requests or all answers, so no operation declares them.
var (
	usualInRequests = []string{"Accept", "Authorization", "Content-Type", "If-None-Match", "Origin", "Referer", "User-Agent"}
	usualInAnswers  = []string{
		"Accept-Ranges", "Cache-Control", "Content-Length", "Content-Type", "Date", "ETag", "Vary", "X-Accel-Buffering",
		"Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Referrer-Policy",
		"Timing-Allow-Origin", "X-Content-Type-Options", "X-Frame-Options",
	}
)

// declared returns the names of an operation's parameters of a kind.
func declared(operation *openapi3.Operation, kind string) (names []string) {
	for _, p := range operation.Parameters {
		if p.Value.In == kind {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

// undeclared objects to each name that is not declared.
func undeclared(names iter.Seq[string], declared []string) (wrong []string) {
	for name := range names {
		isSame := func(one string) bool { return strings.EqualFold(one, name) } // names of header fields ignore case
		if !slices.ContainsFunc(declared, isSame) {
			wrong = append(wrong, "undeclared: "+name)
		}
	}
	return wrong
}
