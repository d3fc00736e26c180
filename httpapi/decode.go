package httpapi

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxFieldErrors is how many wrong fields a problem names.
const maxFieldErrors = 20

// vocabulary is the types of events that may be posted somewhere, by their names.
type vocabulary map[string]eventType

// decode reads one event from a body, and tells its type. Whatever is wrong with
// it is a [Problem].
func (v vocabulary) decode(body []byte) (kind string, event any, err error) {
	members, err := parseObject(body)
	if err != nil {
		return "", nil, err
	}
	if kind, err = v.kindOf(members); err != nil {
		return "", nil, err
	}
	event = v[kind].empty()
	if wrong := v[kind].bind(members, kind, event); len(wrong) > 0 {
		return "", nil, invalid(wrong...)
	}
	if e, ok := event.(interface{ normalize() }); ok {
		e.normalize()
	}
	if wrong := validate(event); len(wrong) > 0 {
		return "", nil, invalid(wrong...)
	}
	if e, ok := event.(interface{ keep(object) }); ok {
		e.keep(members)
	}
	return kind, event, nil
}

func invalid(wrong ...FieldError) *Problem {
	p := validationFailed.with("See errors for what to change.")
	p.Errors = wrong[:min(len(wrong), maxFieldErrors)]
	return p
}

// kindOf finds the type of an event.
func (v vocabulary) kindOf(members object) (string, error) {
	i := slices.IndexFunc(members, func(m member) bool { return m.name == "type" })
	if i < 0 {
		return "", invalid(FieldError{"type", "required", "is required: one of " + v.kinds()})
	}
	kind, err := jsontext.AppendUnquote(nil, members[i].value)
	if _, known := v[string(kind)]; err != nil || !known {
		return "", invalid(FieldError{"type", "oneof", "must be one of " + v.kinds()})
	}
	return string(kind), nil
}

func (v vocabulary) kinds() string { return strings.Join(slices.Sorted(maps.Keys(v)), ", ") }

// bind sets an event's fields from the members of their names. It refuses the
// members that the event does not know, unless the event is open to them, and
// known ones that are repeated: of two targets, we and the receiver might each
// read another.
func (t eventType) bind(members object, kind string, event any) (wrong []FieldError) {
	value := reflect.ValueOf(event).Elem()
	_, open := event.(interface{ isOpen() })
	seen := make([]string, 0, 8)
	for _, m := range members {
		index, known := t.fields[m.name]
		switch {
		case !known && m.name != "type":
			if !open || isLookalike(m.name, t.fields) {
				wrong = append(wrong, unknownMember(m.name, kind, t.fields))
			}
			continue
		case slices.Contains(seen, m.name):
			wrong = append(wrong, FieldError{m.name, "unique", "must stand there once"})
		case known:
			if err := set(value.FieldByIndex(index), m, t.inner[m.name]); err != nil {
				wrong = append(wrong, *err)
			}
		}
		seen = append(seen, m.name)
	}
	return wrong
}

// isLookalike tells whether a name differs from one of the protocol's in case
// alone. Receivers that do not heed case would take a "From" for our from.
func isLookalike(name string, fields map[string][]int) bool {
	for _, ours := range []string{"type", "from"} {
		if name != ours && strings.EqualFold(name, ours) {
			return true
		}
	}
	for known := range fields {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// fieldsOf finds a struct's fields by their names in JSON.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if name := f.Tag.Get("json"); name != "" {
			fields[name] = f.Index
		}
	}
	return fields
}

func unknownMember(name, kind string, fields map[string][]int) FieldError {
	message := kind + " has no such member"
	for known := range fields {
		if strings.EqualFold(name, known) {
			message += "; did you mean " + known + "?"
		}
	}
	return FieldError{name, "unknown", message}
}

// set decodes a member's value into its field. Of a field that is an object,
// inner finds the fields by their names.
func set(field reflect.Value, m member, inner map[string][]int) *FieldError {
	wants := field.Type()
	switch kind := m.value.Kind(); {
	case wants == rawJSON:
		field.SetBytes(m.value)
		return nil
	case kind == 'n':
		return &FieldError{m.name, "type", "must be " + nameOf(wants) + ", not null"}
	case kind == '"' && wants.Kind() == reflect.String:
		text, err := jsontext.AppendUnquote(nil, m.value)
		field.SetString(string(text))
		return typeError(m.name, wants, err)
	case kind == '{' && wants.Kind() == reflect.Struct:
		return setObject(field, m, inner)
	default:
		return typeError(m.name, wants, json.Unmarshal(m.value, field.Addr().Interface(), asWritten))
	}
}

// rawJSON is the type of fields that stay JSON as it was written.
var rawJSON = reflect.TypeFor[jsontext.Value]()

// setObject decodes an object that travels on as it was written: what else is
// in it is not our business.
func setObject(field reflect.Value, m member, fields map[string][]int) *FieldError {
	for _, inner := range m.inner {
		index, known := fields[inner.name]
		if !known {
			continue
		}
		if wrong := set(field.FieldByIndex(index), inner, nil); wrong != nil {
			wrong.Field = m.name + "." + wrong.Field
			return wrong
		}
	}
	return nil
}

// typeError says what a value should have been, where it could not be decoded.
func typeError(name string, wants reflect.Type, err error) *FieldError {
	if err == nil {
		return nil
	}
	return &FieldError{name, "type", "must be " + nameOf(wants)}
}

// nameOf names the JSON that a Go type takes.
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
