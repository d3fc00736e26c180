package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep JSON may be nested. Receivers in some languages give up
// at a few hundred levels, and what one client posts another must read.
const maxDepth = 100

// asWritten reads JSON without judging more than that it is JSON: repeated
// members are the sender's business. Text that is not Unicode is refused.
var asWritten = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))

// member is one member of a JSON object, as it was written. Its values are parts
// of the body.
type member struct {
	name    string
	rawName jsontext.Value
	value   jsontext.Value
	inner   object // the value's own members, where it is an object in the outermost one
}

// object is a JSON object, its members in the order in which they were written.
type object []member

// parseObject reads a body that must be one JSON object.
func parseObject(body []byte) (object, error) {
	if depth, _ := survey(body); depth > maxDepth {
		return nil, malformedJSON.with(fmt.Sprintf("The JSON is nested more than %d levels deep.", maxDepth))
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), asWritten)
	switch decoder.PeekKind() {
	case '{':
	case '[', '"', '0', 't', 'f', 'n':
		if err := decoder.SkipValue(); err != nil {
			return nil, malformed(err)
		}
		return nil, invalid(FieldError{"", "object", "must be a JSON object"})
	default:
		_, err := decoder.ReadToken()
		return nil, malformed(err)
	}
	_, members, err := readObject(decoder, body, true)
	if err != nil {
		return nil, malformed(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformedJSON.with("Something follows the JSON value.")
	}
	return members, nil
}

// readObject reads an object: all of it, and its members. With deeper it reads
// the members of those as well, so that nothing is read twice.
func readObject(decoder *jsontext.Decoder, body []byte, deeper bool) (whole jsontext.Value, members object, err error) {
	if _, err := decoder.ReadToken(); err != nil { // the opening brace
		return nil, nil, err
	}
	start := decoder.InputOffset() - 1
	members = make(object, 0, 4)
	for decoder.PeekKind() != '}' {
		m, err := readMember(decoder, body, deeper)
		if err != nil {
			return nil, nil, err
		}
		members = append(members, m)
	}
	if _, err := decoder.ReadToken(); err != nil { // the closing brace
		return nil, nil, err
	}
	end := decoder.InputOffset()
	return body[start:end:end], members, nil
}

func readMember(decoder *jsontext.Decoder, body []byte, deeper bool) (m member, err error) {
	if m.rawName, err = readValue(decoder, body); err != nil {
		return m, err
	}
	name, err := jsontext.AppendUnquote(nil, m.rawName)
	if err != nil {
		return m, err
	}
	m.name = string(name)
	if deeper && decoder.PeekKind() == '{' {
		m.value, m.inner, err = readObject(decoder, body, false)
	} else {
		m.value, err = readValue(decoder, body)
	}
	return m, err
}

// readValue returns the part of the body that holds the next value. The
// decoder's own answer would be gone with the one after it.
func readValue(decoder *jsontext.Decoder, body []byte) (jsontext.Value, error) {
	value, err := decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := decoder.InputOffset()
	return body[end-int64(len(value)) : end : end], nil
}

// malformed says where the JSON goes wrong.
func malformed(err error) *Problem {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return malformedJSON.with(fmt.Sprintf("At byte %d: %v.", syntax.ByteOffset, syntax.Err))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformedJSON.with("The JSON value is incomplete.")
	default:
		return malformedJSON.with("The body is not JSON.")
	}
}

// survey looks at JSON text without parsing it: how deep it is nested, and
// whether it holds white space between its tokens. It is right for valid JSON,
// and harmless for all else, which the decoder refuses.
func survey(text []byte) (depth int, isCompact bool) {
	isCompact = true
	level := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			level++
			depth = max(depth, level)
		case '}', ']':
			level--
		case ' ', '\t', '\r', '\n':
			isCompact = false
		case '"':
			i += stringLength(text[i+1:])
		}
	}
	return depth, isCompact
}

// stringLength is the length of what follows an opening quote, up to and with
// the closing one.
func stringLength(text []byte) int {
	for i := 0; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return len(text)
		}
		i += quote + 1
		backslashes := 0
		for end := i - 2; end-backslashes >= 0 && text[end-backslashes] == '\\'; {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// appendCompact appends a JSON value without insignificant white space; all
// else stays as it was written.
func appendCompact(line []byte, value jsontext.Value) []byte {
	start := len(line)
	line = append(line, value...)
	if _, isCompact := survey(value); isCompact {
		return line
	}
	compact := jsontext.Value(line[start:])
	if err := compact.Compact(asWritten); err != nil {
		panic(err) // it was read as valid JSON
	}
	return append(line[:start], compact...)
}
