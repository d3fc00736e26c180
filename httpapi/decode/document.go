package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"
)

const (
	// maxDepth is how deep JSON may be nested. Another client must be able to read it, and
	// in some languages parsers give up at a few hundred levels.
	maxDepth = 100
	// maxMembers is how many members an event may have at its top level. While an event
	// is read, each of them takes more memory than its text has bytes.
	maxMembers = 64
)

// asWritten accepts all that is JSON, also repeated members: they are the sender's
// business, unless bind knows them. It refuses text that is not UTF-8, and escapes of
// lone surrogates.
var asWritten = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))

// Document is a JSON value that is known to be valid, without white space around it. It
// shares the memory of the body, unless the body has lone surrogates.
type Document struct{ text jsontext.Value }

// ParseDocument checks that a body is one JSON value, in UTF-8 and nested at most 100
// levels deep. In the document, each lone surrogate is U+FFFD. The body itself does not
// change.
func ParseDocument(body []byte) (Document, error) {
	isShallow := bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) <= maxDepth
	if !isShallow || !jsontext.Value(body).IsValid(asWritten) {
		var err error
		if body, err = examine(body); err != nil {
			return Document{}, err
		}
	}
	return Document{bytes.Trim(body, " \t\r\n")}, nil
}

// examine finds what is wrong with a body, if anything is. It returns the body without lone
// surrogates.
func examine(body []byte) ([]byte, error) {
	depth, _, open := survey(body)
	switch {
	case depth > maxDepth:
		return nil, problem.MalformedJSON.With(fmt.Sprintf("The JSON is nested more than %d levels deep.", maxDepth))
	case open > 0:
		return nil, incomplete() // the decoder would read up to the end to find this, and copy each member's name
	}
	if repaired, isRepaired := withoutLoneSurrogates(body); isRepaired {
		body = repaired
	}
	if err := json.Unmarshal(body, &anyValue{}, asWritten); err != nil {
		return nil, malformed(err)
	}
	return body, nil
}

// anyValue is decoded from any JSON value, and keeps nothing of it.
type anyValue struct{}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (*anyValue) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	_, err := decoder.ReadValue()
	return err
}

// malformed returns the problem of a body that is not JSON. Its detail names the byte
// at which it goes wrong, unless the body only ends too early.
func malformed(err error) *problem.Problem {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.MalformedJSON.With(fmt.Sprintf("At byte %d: %s.", syntax.ByteOffset, excerpt.Of(syntax.Err.Error())))
	}
	return incomplete()
}

func incomplete() *problem.Problem {
	return problem.MalformedJSON.With("The JSON value is incomplete.")
}

// member is one member of a JSON object. It shares the memory of the object, except for
// a name that was written with escapes.
type member struct {
	name       []byte // without quotes and escapes
	value      jsontext.Value
	start, end int  // its place in the object
	isCompact  bool // there is no white space in it, except in strings
}

// object is a JSON object, its members in the order in which they were written.
type object struct {
	Document
	members []member
}

// memberLists holds lists for the members of objects, to be used again.
var memberLists = sync.Pool{New: func() any { return new([maxMembers]member) }}

// mustBeObject is the error for a value that is not an object.
var mustBeObject = problem.Field("", "object", "must be a JSON object")

// asObject calls do with the document as an object. It returns the error of do or, if
// the document is not an object or has too many members, a problem. The object must not
// be used after do has returned. The members inside of its members are not read.
func (d Document) asObject(do func(object) error) error {
	if d.text.Kind() != '{' {
		return problem.Invalid(mustBeObject)
	}
	list := memberLists.Get().(*[maxMembers]member)
	count := 0
	defer func() {
		clear(list[:count]) // they would keep the body in memory
		memberLists.Put(list)
	}()
	for m := range membersOf(d.text) {
		if count == maxMembers {
			return problem.Invalid(problem.Field("", "max", fmt.Sprintf("must have %d members at most", maxMembers)))
		}
		list[count] = m
		count++
	}
	return do(object{d, list[:count]})
}

// join returns some of the object's members as JSON, without white space and braces. If
// they stand side by side without white space, the result shares the memory of the object.
func (o object) join(members []member) []byte {
	if len(members) == 0 {
		return nil
	}
	start, end := members[0].start, members[0].end
	isCopied := !members[0].isCompact
	for _, m := range members[1:] {
		isCopied = isCopied || !m.isCompact || m.start != end+len(",")
		end = m.end
	}
	if !isCopied {
		return o.text[start:end:end]
	}
	line := make([]byte, 0, end-start+len(","))
	for _, m := range members {
		line = append(appendCompact(line, o.text[m.start:m.end]), ',')
	}
	return bytes.TrimSuffix(line, []byte(","))
}

// SplitText splits an object into the text of one member, and the object without that
// member. The text is empty if the member is missing, repeated, or not a string.
func (d Document) SplitText(name string) (text string, rest []byte, err error) {
	err = d.asObject(func(o object) error {
		text = o.textOf(name)
		others := o.join(slices.DeleteFunc(o.members, func(m member) bool { return string(m.name) == name }))
		rest = fmt.Appendf(nil, "{%s}", others)
		return nil
	})
	return text, rest, err
}

// textOf returns the text of a member, or "" if the member is missing, repeated, or not
// a string.
func (o object) textOf(name string) (text string) {
	isFound := false
	for _, m := range o.members {
		if string(m.name) != name {
			continue
		}
		if isFound || m.value.Kind() != '"' {
			return ""
		}
		text, isFound = string(unquoted(m.value)), true
	}
	return text
}
