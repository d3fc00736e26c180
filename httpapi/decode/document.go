package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth is how deep JSON may be nested. Receivers in some languages give up
	// at a few hundred levels, and what one client posts another must read.
	maxDepth = 100
	// maxMembers is how many members an event may have, not counting those of its
	// members. Each takes more memory while it is read than it has bytes.
	maxMembers = 64
)

// asWritten reads JSON without judging more than that it is JSON: repeated
// members are the sender's business. Text that is not Unicode is refused.
var asWritten = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))

// Document is a value of JSON that was found valid, without white space around it.
type Document struct {
	text      jsontext.Value
	isCompact bool // there is no white space between the tokens either
}

// ParseDocument reads a body that must be one value of JSON. It is read once, and
// nothing is kept of it but itself.
func ParseDocument(body []byte) (Document, error) {
	depth, spaces := survey(body)
	if depth > maxDepth {
		return Document{}, problem.MalformedJSON.With(fmt.Sprintf("The JSON is nested more than %d levels deep.", maxDepth))
	}
	if !jsontext.Value(body).IsValid(asWritten) {
		return Document{}, whyInvalid(body)
	}
	text := bytes.Trim(body, " \t\r\n")
	return Document{text, spaces == 0}, nil
}

// whyInvalid says where JSON goes wrong.
func whyInvalid(body []byte) *problem.Problem {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), asWritten)
	err := decoder.SkipValue()
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return problem.MalformedJSON.With("Something follows the JSON value.")
	case errors.As(err, &syntax):
		return problem.MalformedJSON.With(fmt.Sprintf("At byte %d: %s.", syntax.ByteOffset, excerpt.Of(syntax.Err.Error())))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return problem.MalformedJSON.With("The JSON value is incomplete.")
	default:
		return problem.MalformedJSON.With("The body is not JSON.")
	}
}

// member is one member of a JSON object. All of it is a part of the body, except
// for a name that was written with escapes.
type member struct {
	name    []byte // without quotes and escapes
	rawName jsontext.Value
	value   jsontext.Value
}

// object is a JSON object, its members in the order in which they were written.
type object struct {
	members   []member
	isCompact bool // see Document
}

// memberLists are lists for the members of objects.
var memberLists = sync.Pool{New: func() any { return new([maxMembers]member) }}

// mustBeObject is the problem of any other value.
var mustBeObject = problem.Field("", "object", "must be a JSON object")

// asObject reads the document as an object of a few members, which do hears of. The
// object is nobody's any more when do has returned. The members inside its members
// are not looked at.
func (d Document) asObject(do func(object) error) error {
	if d.text.Kind() != '{' {
		return problem.Invalid(mustBeObject)
	}
	list := memberLists.Get().(*[maxMembers]member)
	count := 0
	defer func() {
		clear(list[:count]) // they are parts of the body
		memberLists.Put(list)
	}()
	for rawName, value := range membersOf(d.text) {
		if count == maxMembers {
			return problem.Invalid(problem.Field("", "max", fmt.Sprintf("must have %d members at most", maxMembers)))
		}
		list[count] = member{unquoted(rawName), rawName, value}
		count++
	}
	return do(object{list[:count], d.isCompact})
}

// appendMember appends a member to those of an object that is being written.
func (o object) appendMember(line []byte, m member) []byte {
	line = append(append(line, m.rawName...), ':')
	if o.isCompact {
		return append(line, m.value...)
	}
	return appendCompact(line, m.value)
}

// SplitText splits an object into the text of the member of a name, and the object
// without that member. The text is empty unless there is one such member, and it is
// a string.
func (d Document) SplitText(name string) (text string, rest []byte, err error) {
	err = d.asObject(func(o object) error {
		text, rest = o.text(name), o.appendBut(make([]byte, 0, len(d.text)), name)
		return nil
	})
	return text, rest, err
}

// text returns the text of the one member of a name, or nothing if there is none,
// or several, or one that is not a string.
func (o object) text(name string) (text string) {
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

// appendBut appends the object as JSON, its members as they were written but for
// white space, without those of a name.
func (o object) appendBut(line []byte, name string) []byte {
	line = append(line, '{')
	start := len(line)
	for _, m := range o.members {
		if string(m.name) == name {
			continue
		}
		if len(line) > start {
			line = append(line, ',')
		}
		line = o.appendMember(line, m)
	}
	return append(line, '}')
}
