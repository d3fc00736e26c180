package decode

import (
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"

	"signaling-server/httpapi/problem"
)

var validator10 = newValidator()

// newValidator makes a validator with the rules of the protocol.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("json") })
	for tag, keeps := range ownRules {
		if err := v.RegisterValidation(tag, func(f validator.FieldLevel) bool { return keeps(f.Field()) }); err != nil {
			panic(err) // impossible: the error is for an empty tag or a missing rule
		}
	}
	return v
}

// isText reports whether a value is a string that is not empty.
func isText(value jsontext.Value) bool { return value.Kind() == '"' && len(value) > len(`""`) }

// wrongWithCandidate returns what a value must be to be an RTCIceCandidateInit, or null,
// which ends the candidates. It returns "" if the value is one. Of a repeated candidate
// only the last counts, as of a repeated sdp: most receivers read that one.
func wrongWithCandidate(value jsontext.Value) string {
	const demand = "must be an RTCIceCandidateInit (what RTCIceCandidate's toJSON() returns), or null"
	switch value.Kind() {
	case 'n':
		return ""
	case '{':
	default:
		return demand
	}
	isLastValid := true
	for m := range membersOf(value) {
		name := m.name()
		isValid, isKnown := CandidateMembers[string(name)]
		switch {
		case string(name) == "candidate":
			isLastValid = isValid(m.value)
		case isKnown && !isValid(m.value):
			return demand + "; its " + string(name) + " is wrong"
		}
	}
	if !isLastValid {
		return demand + "; its candidate is wrong"
	}
	return ""
}

// CandidateMembers are the members of an RTCIceCandidateInit (WebRTC, 4.8.1), each with a
// function that reports whether a value is valid for it. A browser's toJSON() writes null
// for a member whose value it does not know. The member "candidate" may be absent, but not
// null: strict receivers could not read that.
var CandidateMembers = map[string]func(jsontext.Value) bool{
	"candidate":        isString,
	"sdpMid":           orNull(isString),
	"sdpMLineIndex":    orNull(isUint16),
	"usernameFragment": orNull(isString),
}

func isString(value jsontext.Value) bool { return value.Kind() == '"' }

func isUint16(value jsontext.Value) bool {
	_, err := strconv.ParseUint(string(value), 10, 16)
	return err == nil
}

func orNull(isValid func(jsontext.Value) bool) func(jsontext.Value) bool {
	return func(value jsontext.Value) bool { return value.Kind() == 'n' || isValid(value) }
}

// validate checks the fields of an event against the rules in their tags.
func (t *Type) validate(event any) (wrong []problem.FieldError) {
	if keepsAll(reflect.ValueOf(event).Elem(), t.rules) {
		return nil
	}
	err := validator10.Struct(event)
	if err == nil {
		return nil
	}
	var broken validator.ValidationErrors
	if !errors.As(err, &broken) {
		panic(err) // impossible: the error is for a value that is not a struct
	}
	for _, b := range broken {
		wrong = append(wrong, problem.Field(fieldPath(b), b.Tag(), ruleMessage(b)))
	}
	return wrong
}

// fieldPath is a field's path in the JSON: the validator's namespace without the names
// of Go types.
func fieldPath(b validator.FieldError) string {
	var path []string
	for _, name := range strings.Split(b.Namespace(), ".")[1:] {
		if name != "" && name != "relayed" && name != "posted" {
			path = append(path, name)
		}
	}
	return strings.Join(path, ".")
}

// ruleMessage returns the message about a broken rule: what the field must be.
func ruleMessage(b validator.FieldError) string {
	switch b.Tag() {
	case "required":
		return "is required"
	case "min":
		return "must not be empty"
	case "max":
		if b.Kind() == reflect.String {
			return "must have " + b.Param() + " characters at most"
		}
		return "must have " + b.Param() + " bytes of JSON at most"
	case "eq":
		return `must be "` + b.Param() + `"`
	case "oneof":
		return `must be "` + strings.ReplaceAll(b.Param(), " ", `" or "`) + `"`
	case "name":
		return WrongWithName(b.Value().(string))
	case "visible":
		return "must have only visible ASCII characters, and no spaces"
	case "text":
		return "must be a string that is not empty"
	case "object":
		return `must be a JSON object, such as {"name":"Alice"}`
	case "candidate":
		return wrongWithCandidate(b.Value().(jsontext.Value))
	}
	return "breaks the rule " + b.Tag()
}
