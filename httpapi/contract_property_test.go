package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/sse"
)

// Requests that the contract allows, and requests that are slightly wrong, are answered as
// the contract says. The witness objects to any other answer. No answer may have a status of
// 500 or above.
func TestEachRequestIsAnsweredAsTheContractSays(t *testing.T) {
	c, err := theContract()
	require.NoError(t, err)
	w := newWitness(t, c)
	s := w.newServer(t, sse.Options{}, 100)
	asked := askable(c)
	rapid.Check(t, func(rt *rapid.T) {
		token := openByPoll(rt, s)
		for range 5 {
			one := rapid.SampledFrom(asked).Draw(rt, "operation")
			r := drawRequest(rt, s.URL, one, token)
			response, err := s.Client().Do(r)
			if err != nil {
				rt.Fatalf("%s %s: %v", r.Method, r.URL, err)
			}
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode >= 500 {
				rt.Fatalf("%s %s was answered %s %v", r.Method, r.URL, response.Status, err)
			}
			if wrong := w.soFar(); len(wrong) > 0 {
				rt.Fatal(strings.Join(wrong, "\n"))
			}
		}
	})
}

// askedFor is an operation with its method and path.
type askedFor struct {
	method, path string
	*openapi3.Operation
}

// askable returns all operations that do not answer with a stream.
func askable(c *contract) (all []askedFor) {
	paths := c.document.Paths.Map()
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, operation := range paths[path].Operations() {
			if operation.Responses.Value("200") == nil || operation.Responses.Value("200").Value.Content["text/event-stream"] == nil {
				all = append(all, askedFor{method, path, operation})
			}
		}
	}
	slices.SortFunc(all, func(a, b askedFor) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

func openByPoll(rt *rapid.T, s *server) (token string) {
	response, err := s.Client().Get(s.URL + "/events/poll")
	if err != nil {
		rt.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Events []struct{ Token string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Events) == 0 {
		rt.Fatalf("no socket: %v", err)
	}
	return answer.Events[0].Token
}

// drawRequest draws a request by the operation's schemas. Then it may make parts of it
// wrong.
func drawRequest(rt *rapid.T, base string, one askedFor, token string) *http.Request {
	path, query := one.path, url.Values{}
	header := http.Header{}
	for _, ref := range one.Parameters {
		p := ref.Value
		if !p.Required && rapid.Bool().Draw(rt, "without "+p.Name) {
			continue
		}
		value := fmt.Sprint(drawValue(rt, p.Schema.Value))
		if rapid.IntRange(0, 4).Draw(rt, "wrong "+p.Name) == 0 {
			value = rapid.StringMatching(`[ -~]{1,40}`).Draw(rt, p.Name)
		}
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case p.In == "query":
			query.Set(p.Name, value)
		case p.In == "header" && isFieldValue(value):
			header.Set(p.Name, value)
		}
	}
	if one.OperationID == "pollEvents" {
		query.Set("wait", "0") // waiting would take too long
	}
	var body []byte
	if one.RequestBody != nil {
		body = drawBody(rt, one.RequestBody.Value.Content["application/json"].Schema.Value, one.OperationID != "sendEvents")
		header.Set("Content-Type", rapid.SampledFrom([]string{"application/json", "application/json", "application/json", "application/json; charset=utf-8", "application/xml"}).Draw(rt, "content type"))
	}
	header.Set("Authorization", "Bearer "+rapid.SampledFrom([]string{token, token, token, token, token, "nobody", sse.NewToken().SocketID()}).Draw(rt, "token"))
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequest(one.method, address, bytes.NewReader(body))
	if err != nil {
		rt.Skip(err) // the path that was drawn cannot be in a URL
	}
	r.Header = header
	return r
}

func isFieldValue(text string) bool {
	return text == strings.TrimSpace(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// drawBody draws a body by a schema. Then it may make a part of it wrong.
func drawBody(rt *rapid.T, schema *openapi3.Schema, mayBeWrong bool) []byte {
	value := drawValue(rt, schema)
	if object, isObject := value.(map[string]any); isObject && mayBeWrong {
		names := slices.Sorted(maps.Keys(object))
		switch rapid.SampledFrom([]string{"", "", "without a member", "with another type", "with another member", "cut off"}).Draw(rt, "wrong") {
		case "without a member":
			delete(object, rapid.SampledFrom(names).Draw(rt, "member"))
		case "with another type":
			object[rapid.SampledFrom(names).Draw(rt, "member")] = drawAnything(rt, 0) // not an object, because an object may have undeclared members that are relayed
		case "with another member":
			object["callId"] = drawAnything(rt, 2) // the judge allows callId
		case "cut off":
			body, err := json.Marshal(object)
			if err != nil {
				rt.Fatal(err)
			}
			return body[:rapid.IntRange(0, len(body)-1).Draw(rt, "length")]
		}
	}
	body, err := json.Marshal(value)
	if err != nil {
		rt.Fatal(err)
	}
	return body
}

// drawValue draws a value that a schema allows.
func drawValue(rt *rapid.T, schema *openapi3.Schema) any {
	switch {
	case schema.Const != nil:
		return schema.Const
	case len(schema.Enum) > 0:
		return rapid.SampledFrom(schema.Enum).Draw(rt, "enum")
	case len(schema.OneOf) > 0:
		return drawValue(rt, rapid.SampledFrom(schema.OneOf).Draw(rt, "one of").Value)
	case schema.Type == nil:
		return drawAnything(rt, 3)
	}
	switch kind := rapid.SampledFrom(schema.Type.Slice()).Draw(rt, "type"); kind {
	case "null":
		return nil
	case "boolean":
		return rapid.Bool().Draw(rt, kind)
	case "integer":
		low, high := int64(0), int64(1<<31)
		if schema.Min != nil {
			low = int64(*schema.Min)
		}
		if schema.Max != nil {
			high = int64(min(*schema.Max, 1<<31))
		}
		return rapid.Int64Range(low, high).Draw(rt, kind)
	case "string":
		if schema.Pattern != "" && schema.MaxLength == nil {
			return rapid.StringMatching(schema.Pattern).Draw(rt, kind)
		}
		return rapid.StringMatching(fmt.Sprintf(`[a-z0-9 ]{%d,40}x`, schema.MinLength)).Draw(rt, kind)
	case "array":
		items := make([]any, rapid.IntRange(int(schema.MinItems), int(schema.MinItems)+3).Draw(rt, kind))
		for i := range items {
			items[i] = drawValue(rt, schema.Items.Value)
		}
		return items
	default:
		object := make(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			if slices.Contains(schema.Required, name) || rapid.Bool().Draw(rt, "with "+name) {
				object[name] = drawValue(rt, schema.Properties[name].Value)
			}
		}
		return object
	}
}

// drawAnything draws any JSON value, nested no deeper than depth.
func drawAnything(rt *rapid.T, depth int) any {
	kinds := []string{"null", "boolean", "number", "text"}
	if depth > 0 {
		kinds = append(kinds, "array", "object")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(rt, "kind"); kind {
	case "boolean":
		return rapid.Bool().Draw(rt, kind)
	case "number":
		return rapid.Float64Range(-1e15, 1e15).Draw(rt, kind)
	case "text":
		return rapid.String().Draw(rt, kind)
	case "array":
		return []any{drawAnything(rt, depth-1), drawAnything(rt, depth-1)}
	case "object":
		return map[string]any{rapid.StringN(0, 10, 40).Draw(rt, "name"): drawAnything(rt, depth-1)}
	}
	return nil
}
