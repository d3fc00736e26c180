package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/httpapi/problem"
)

// Decoding returns a 4xx problem or an event that the validator accepts. An event that is
// relayed makes one line of valid JSON.
func FuzzDecodeEvent(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `{"type":"ping"}`, `{"type":"join-room","roomId":"r","userId":"u","metadata":{"a":1}}`,
		`{"type":"offer","target":"t","offer":{"type":"offer","sdp":"v=0\r\n"},"x":[1,{"y":null}]}`,
		`{"type":"answer","target":"t","answer":{"type":"answer","sdp":"x"},"from":"z"}`,
		`{"type":"ice-candidate","target":"t","candidate":null}`,
		`{"type":"signal","data":"\ud83d\ude00"}`, `{"type":"signal","target":"t","data":[[[[]]]]}`, `{"type":"signal","target":null,"data":{"\ude00":null}}`,
		`{"type":"send-message","message":"\u0000"}`, "{\"type\":\"signal\",\"data\":\"\xff\"}", `{"type":"signal","data":"\ud800"}`,
		strings.Repeat("[", 200), `{"type":"signal","data":1e999999}`, "{\n\t\"type\" : \"ping\"\r\n}", `{"\u0074ype":"ping"}`,
		`{"from":1,"type":"ice-candidate","target":"t","from":2,"candidate":null,"x":3}`, `{"candidate":null,"target":"t","type":"ice-candidate"}`,
		`{ "target" : "t" , "type" : "ice-candidate" , "candidate" : null }`, `{"type":"ice-candidate","target":"t","candidate":{"sdpMid": " "}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original := string(body)
		_, event, err := ClientEvents.Decode(body)
		if string(body) != original {
			t.Fatal("the body was changed")
		}
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 {
				t.Fatalf("%v is not a 4xx problem", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("accepted a body that is not JSON")
		}
		if err := validator10.Struct(event); err != nil {
			t.Fatalf("accepted an event that is not valid: %v", err)
		}
		posted, ok := event.(interface{ Members() []byte })
		if !ok {
			return
		}
		members := posted.Members()
		if want := relayedMembers(body); string(members) != want {
			t.Fatalf("relayed the members %q instead of %q", members, want)
		}
		line := `{"type":"signal","from":"me"`
		if len(members) > 0 {
			line += "," + string(members)
		}
		line += "}"
		var read map[string]any
		if exact([]byte(line), &read) != nil || !jsontext.Value(line).IsValid(asWritten) || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("relayed as %q", line)
		}
		if target, has := read["target"]; has && target == nil {
			t.Fatalf("relayed without a target as %q", line)
		}
	})
}

// relayedMembers finds with jsontext's decoder what is relayed of an event.
func relayedMembers(body []byte) string {
	d, _ := ParseDocument(body)
	decoder := jsontext.NewDecoder(bytes.NewReader(d.text), asWritten)
	var members []string
	_, _ = decoder.ReadToken()
	for decoder.PeekKind() == '"' {
		rawName, _ := decoder.ReadValue()
		text := string(rawName) + ":"
		name, _ := jsontext.AppendUnquote(nil, rawName)
		value, _ := decoder.ReadValue()
		_ = value.Compact(asWritten)
		switch {
		case string(name) == "type", string(name) == "from", string(name) == "target" && value.Kind() == 'n':
		default:
			members = append(members, text+string(value))
		}
	}
	return strings.Join(members, ",")
}

// A document is Unicode, and means what its body means to a browser: encoding/json also
// reads a lone surrogate as U+FFFD. All that encoding/json reads is a document, unless it is
// nested too deep or is not UTF-8.
func FuzzParseDocument(f *testing.F) {
	for _, text := range []string{
		`"\ud83d"`, `{"\uDE00":["\ud83d\ud83d\ude00","\\ud83d\n\ude00"]}`, `"\ud83d`, `"\ud83d\u00"`, `\ud83d`, `{"a":"\ud83d","a":1,}`, "\"\\ud83d\xff\"", `"\ud83d" "`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := ParseDocument(body)
		depth, _, _ := survey(body)
		if err != nil {
			if json.Valid(body) && utf8.Valid(body) && depth <= maxDepth {
				t.Fatalf("refused %q: %v", body, err)
			}
			return
		}
		if !d.text.IsValid(asWritten) || !isSame(body, d.text) {
			t.Fatalf("%q is read as %q", body, d.text)
		}
	})
}

// isSame reports whether two texts are JSON and mean the same.
func isSame(a, b []byte) bool {
	var readA, readB any
	return exact(a, &readA) == nil && exact(b, &readB) == nil && reflect.DeepEqual(readA, readB)
}

// exact decodes JSON, and keeps numbers as they were written.
func exact(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// The scanner finds the same borders of values as the decoder does.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , "]" ] , "\"\\" : { "}" : null } } `, `[1,true,"\\\"",{"a":{}},[[]],-1.5e+3]`, `{"a":1,"a":2,"":""}`, "[\n]", `"x"`, `{"a":"\u0022}"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseDocument(text)
		if err != nil {
			return
		}
		compacted := bytes.Clone(d.text)
		if err := (*jsontext.Value)(&compacted).Compact(asWritten); err != nil || !bytes.Equal(compacted, compact(d.text)) {
			t.Fatalf("%q is compacted to %q: %v", d.text, compact(d.text), err)
		}
		var again []byte
		switch d.text.Kind() {
		case '{':
			again = []byte("{")
			for m := range membersOf(d.text) {
				name, _ := jsontext.AppendQuote(nil, m.name())
				text := d.text[m.start:m.end]
				if m.isCompact != bytes.Equal(text, appendCompact(nil, text)) {
					t.Fatalf("%q is compact: %v", text, m.isCompact)
				}
				if alone := fmt.Appendf(nil, "{%s:%s}", name, m.value); !isSame(alone, fmt.Appendf(nil, "{%s}", text)) {
					t.Fatalf("%q is read as %q", text, alone)
				}
				again = append(append(again, text...), ',')
			}
			again = append(bytes.TrimSuffix(again, []byte(",")), '}')
		case '[':
			again = []byte("[")
			for value := range valuesOf(d.text) {
				again = append(append(again, value...), ',')
			}
			again = append(bytes.TrimSuffix(again, []byte(",")), ']')
		default:
			return
		}
		if !bytes.Equal(compact(again), compacted) {
			t.Fatalf("%q is read as %q", d.text, again)
		}
	})
}
