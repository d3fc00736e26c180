package httpapi

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxFieldErrors is how many wrong fields a problem names.
const maxFieldErrors = 20

// decodeEvent reads one client event from a body. Whatever is wrong with it is
// a [Problem].
func decodeEvent(body []byte) (clientEvent, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	kind, err := kindOf(members)
	if err != nil {
		return nil, err
	}
	event := clientEvents[kind]()
	if wrong := bind(members, kind, event); len(wrong) > 0 {
		return nil, invalid(wrong...)
	}
	if e, ok := event.(interface{ normalize() }); ok {
		e.normalize()
	}
	if wrong := validate(event); len(wrong) > 0 {
		return nil, invalid(wrong...)
	}
	if e, ok := event.(interface{ keep(object) }); ok {
		e.keep(members)
	}
	return event, nil
}

func invalid(wrong ...FieldError) *Problem {
	p := validationFailed.with("See errors for what to change.")
	p.Errors = wrong[:min(len(wrong), maxFieldErrors)]
	return p
}

// kindOf finds the type of an event.
func kindOf(members object) (string, error) {
	i := slices.IndexFunc(members, func(m member) bool { return m.name == "type" })
	if i < 0 {
		return "", invalid(FieldError{"type", "required", "is required: one of " + kinds()})
	}
	var kind string
	if json.Unmarshal(members[i].value, &kind) != nil || clientEvents[kind] == nil {
		return "", invalid(FieldError{"type", "oneof", "must be one of " + kinds()})
	}
	return kind, nil
}

func kinds() string {
	return strings.Join(slices.Sorted(maps.Keys(clientEvents)), ", ")
}

// bind sets an event's fields from the members of their names. It refuses the
// members that the event does not know, unless the event is open to them, and
// known ones that are repeated: of two targets, we and the receiver might each
// read another.
func bind(members object, kind string, event any) (wrong []FieldError) {
	fields := fieldsOf(event)
	_, open := event.(interface{ isOpen() })
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		field, known := fields[m.name]
		switch {
		case !known && m.name != "type":
			if !open {
				wrong = append(wrong, unknownMember(m.name, kind, fields))
			}
		case seen[m.name]:
			wrong = append(wrong, FieldError{m.name, "unique", "must stand there once"})
		case known:
			if err := set(field, m); err != nil {
				wrong = append(wrong, *err)
			}
		}
		seen[m.name] = true
	}
	return wrong
}

// fieldsOf returns an event's fields by their names in JSON.
func fieldsOf(event any) map[string]reflect.Value {
	value := reflect.ValueOf(event).Elem()
	fields := make(map[string]reflect.Value)
	for _, f := range reflect.VisibleFields(value.Type()) {
		if name := f.Tag.Get("json"); name != "" {
			fields[name] = value.FieldByIndex(f.Index)
		}
	}
	return fields
}

func unknownMember(name, kind string, fields map[string]reflect.Value) FieldError {
	message := kind + " has no such member"
	for known := range fields {
		if strings.EqualFold(name, known) {
			message += "; did you mean " + known + "?"
		}
	}
	return FieldError{name, "unknown", message}
}

// set decodes a member's value into its field.
func set(field reflect.Value, m member) *FieldError {
	wants := field.Type()
	if m.value.Kind() == 'n' && wants != reflect.TypeFor[jsontext.Value]() {
		return &FieldError{m.name, "type", "must be " + nameOf(wants) + ", not null"}
	}
	err := json.Unmarshal(m.value, field.Addr().Interface(), asWritten)
	if err == nil {
		return nil
	}
	path := m.name
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		path += strings.ReplaceAll(string(semantic.JSONPointer), "/", ".")
		wants = semantic.GoType
	}
	return &FieldError{path, "type", "must be " + nameOf(wants)}
}

// nameOf names the JSON that a Go type takes.
func nameOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return nameOf(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Uint16:
		return "a whole number from 0 to 65535"
	default:
		return "an object"
	}
}
