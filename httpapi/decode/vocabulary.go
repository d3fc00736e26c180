package decode

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"
)

// Vocabulary holds all types of events that may be posted to one endpoint, by their names.
type Vocabulary map[string]*Type

// Decode reads one event from a body, and returns the name of its type.
func (v Vocabulary) Decode(body []byte) (kind string, event any, err error) {
	d, err := ParseDocument(body)
	if err != nil {
		return "", nil, err
	}
	return v.Read(d)
}

// Read reads one event from a document, and returns the name of its type.
func (v Vocabulary) Read(d Document) (kind string, event any, err error) {
	t, wrong := v.typeOf(d)
	if t != nil {
		event, wrong = t.read(d)
	}
	if len(wrong) == 0 {
		return t.name, event, nil
	}
	if err := d.checkObject(); err != nil {
		return "", nil, err // there may be too many members to name what is wrong with each
	}
	return "", nil, problem.Invalid(wrong...)
}

// read decodes, normalizes and validates an event, in that order.
func (t *Type) read(d Document) (event any, wrong []problem.FieldError) {
	event = t.New()
	if wrong := t.bind(d, event); len(wrong) > 0 {
		return nil, wrong
	}
	if e, ok := event.(normalizer); ok {
		e.normalize()
	}
	if wrong := t.validate(event); len(wrong) > 0 {
		return nil, wrong
	}
	return event, nil
}

// typeOf finds the type of an event.
func (v Vocabulary) typeOf(d Document) (t *Type, wrong []problem.FieldError) {
	if d.text.Kind() != '{' {
		return nil, []problem.FieldError{mustBeObject}
	}
	for m := range membersOf(d.text) {
		if !m.isNamed("type") {
			continue
		}
		if m.value.Kind() == '"' {
			t = v[string(unquoted(m.value))]
		}
		if t == nil {
			wrong = []problem.FieldError{problem.Field("type", "oneof", "must be one of "+v.kinds())}
		}
		return t, wrong
	}
	return nil, []problem.FieldError{problem.Field("type", "required", "is required: one of "+v.kinds())}
}

func (v Vocabulary) kinds() string { return strings.Join(slices.Sorted(maps.Keys(v)), ", ") }

// Type is one type of event.
type Type struct {
	New    func() any // returns an event without any members
	IsOpen bool       // an event may have members that the type does not know

	name   string
	fields []knownField // "type" is among them
	rules  []rule       // of its tags
}

func newType[T any](name string) *Type {
	t := reflect.TypeFor[T]()
	_, isOpen := any(new(T)).(open)
	return &Type{func() any { return new(T) }, isOpen, name, append(fieldsOf(t), knownField{name: "type"}), compile(t)}
}

// knownField is a member that an event may have, or an object in it.
type knownField struct {
	name       string
	index      []int        // for reflect's FieldByIndex; nil for "type", which has no field
	inner      []knownField // its own fields, if it is an object
	isOptional bool         // null says that it is absent
}

// fieldsOf finds the fields of a struct that have a name in JSON.
func fieldsOf(t reflect.Type) (fields []knownField) {
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("json")
		if name == "" {
			continue
		}
		known := knownField{name: name, index: f.Index, isOptional: !strings.Contains(f.Tag.Get("validate"), "required")}
		if f.Type.Kind() == reflect.Struct {
			known.inner = fieldsOf(f.Type)
		}
		fields = append(fields, known)
	}
	return fields
}

// indexOf returns the place of the field with a name, or -1. The fields are so few that a
// map would take longer.
func indexOf(fields []knownField, name []byte) int {
	for i := range fields {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// bind sets the fields of an event from the members with their names. It refuses an
// unknown member, unless the event is open. It also refuses a known member that is
// repeated: if there were two targets, we might read one and the receiver the other.
func (t *Type) bind(d Document, event any) []problem.FieldError {
	var wrong wrongFields
	defer wrong.putBack()
	value := reflect.ValueOf(event).Elem()
	var seen uint64 // a bit for each known member so far
	count := 0
	e, travels := event.(traveller)
	for m := range membersOf(d.text) {
		if count++; count > maxMembers {
			return []problem.FieldError{tooManyMembers}
		}
		name := m.name()
		if travels && isRelayed(name, m.value) {
			e.keep(d, m)
		}
		if wrong.isFull() {
			break
		}
		i := indexOf(t.fields, name)
		if i < 0 {
			if !t.IsOpen || t.isLookalike(name) {
				wrong.add(t.unknownMember(name))
			}
			continue
		}
		switch known := &t.fields[i]; {
		case seen&(1<<i) != 0:
			wrong.add(problem.Field(known.name, "unique", "must not be repeated"))
		case known.isOptional && m.value.Kind() == 'n':
		case known.index != nil:
			if path, wanted := known.set(value, m.value); wanted != "" {
				wrong.add(problem.Field(path, "type", "must be "+wanted))
			}
		}
		seen |= 1 << i
	}
	return wrong.all()
}

// wrongFields collects the wrong fields of an event. A list that grows would take up to four
// times what the fields take, and a batch may have many events with a few wrong fields each.
type wrongFields struct {
	list  *[problem.MaxFieldErrors]problem.FieldError // nil: there are none
	count int
}

// wrongLists holds lists to be used again.
var wrongLists = sync.Pool{New: func() any { return new([problem.MaxFieldErrors]problem.FieldError) }}

func (w *wrongFields) isFull() bool { return w.count == problem.MaxFieldErrors }

func (w *wrongFields) add(field problem.FieldError) {
	if w.list == nil {
		w.list = wrongLists.Get().(*[problem.MaxFieldErrors]problem.FieldError)
	}
	w.list[w.count] = field
	w.count++
}

// all returns a copy of the list, or nil if nothing is wrong.
func (w *wrongFields) all() []problem.FieldError {
	if w.list == nil {
		return nil
	}
	return slices.Clone(w.list[:w.count])
}

func (w *wrongFields) putBack() {
	if w.list != nil {
		clear(w.list[:w.count])
		wrongLists.Put(w.list)
	}
}

// longestFold is the greatest length in bytes of a letter that differs only in case from
// an ASCII letter. The Kelvin sign has three bytes, and differs only in case from k.
const longestFold = 3

// isLookalike reports whether a name differs only in case from a name of the protocol.
// A receiver that ignores case would take a "From" of the sender for our "from".
func (t *Type) isLookalike(name []byte) bool {
	return string(name) != "from" && equalFold(name, "from") || t.lookalike(name) != ""
}

// lookalike returns the known member whose name differs only in case, or "".
func (t *Type) lookalike(name []byte) string {
	for _, known := range t.fields {
		if equalFold(name, known.name) {
			return known.name
		}
	}
	return ""
}

// equalFold reports whether two names are equal except for case. The length of a name
// can rule that out at once.
func equalFold(name []byte, known string) bool {
	return len(name) <= longestFold*len(known) && strings.EqualFold(string(name), known)
}

func (t *Type) unknownMember(name []byte) problem.FieldError {
	message := t.name + " has no such member"
	if known := t.lookalike(name); known != "" {
		message += "; did you mean " + known + "?"
	}
	return problem.Field(excerpt.Of(string(name)), "unknown", message)
}

// set decodes a value into the field of an event. If it cannot, it returns the path of
// the wrong value, and what the value must be.
func (f *knownField) set(event reflect.Value, value jsontext.Value) (path, wanted string) {
	field := event.FieldByIndex(f.index)
	if value.Kind() == '{' && field.Kind() == reflect.Struct {
		return f.setObject(field, value)
	}
	return f.name, set(field, value)
}

// setObject decodes an object that travels on as it was written. Members that the
// protocol does not know are ignored. If a member is repeated, the last one counts.
func (f *knownField) setObject(field reflect.Value, value jsontext.Value) (path, wanted string) {
	for m := range membersOf(value) {
		i := indexOf(f.inner, m.name())
		if i < 0 {
			continue
		}
		if wanted := set(field.FieldByIndex(f.inner[i].index), m.value); wanted != "" {
			return f.name + "." + f.inner[i].name, wanted
		}
	}
	return "", ""
}

// set decodes a value into a field. If it cannot, it returns what the value must be.
func set(field reflect.Value, value jsontext.Value) (wanted string) {
	wants := field.Type()
	switch kind := value.Kind(); {
	case wants == rawJSON:
		field.SetBytes(value)
	case kind == 'n':
		return nameOf(wants) + ", not null"
	case kind == '"' && wants.Kind() == reflect.String:
		field.SetString(string(unquoted(value)))
	case kind == '"' && wants == optionalText:
		text := string(unquoted(value))
		field.Set(reflect.ValueOf(&text))
	default:
		return nameOf(wants)
	}
	return ""
}

var (
	// rawJSON is the type of a field that stays JSON as it was written.
	rawJSON = reflect.TypeFor[jsontext.Value]()
	// optionalText is the type of a field that may be absent. Absent is not empty.
	optionalText = reflect.TypeFor[*string]()
)

// nameOf names the JSON that a field of a Go type takes.
func nameOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return nameOf(t.Elem())
	case reflect.String:
		return "a string"
	default:
		return "an object"
	}
}
