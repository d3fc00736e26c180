// Package openapi32 derives an OpenAPI 3.2 document from a document in 3.1, and gives
// its streams types.
//
// In 3.1 a document can only describe the data of one event of a stream. In 3.2 it can
// describe the stream itself: frames, each with a type of its own (OpenAPI 3.2,
// Sequential Media Types). Most generators of clients read 3.1, so we write 3.1 and
// derive 3.2.
package openapi32

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// From31 returns the OpenAPI 3.2 form of a document in 3.1. Both are in YAML. It keeps
// the order of members, and drops comments. It returns an error if the text is not an
// OpenAPI document, or if the schema of a stream is not a union with a mapping of its
// types.
func From31(document []byte) ([]byte, error) {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(document, &root, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	replace(root, "openapi", "3.2.0")
	schemas, ok := at(root, "components", "schemas").(yaml.MapSlice)
	if !ok {
		return nil, fmt.Errorf("the document has no components.schemas")
	}
	frames := make(map[string]yaml.MapSlice) // by the names of their schemas
	if err := typeStreams(root, schemas, frames); err != nil {
		return nil, err
	}
	var withFrames yaml.MapSlice
	for _, schema := range schemas {
		withFrames = append(withFrames, schema)
		name := schema.Key.(string) + "Frame"
		if frame, isStreamed := frames[name]; isStreamed {
			withFrames = append(withFrames, yaml.MapItem{Key: name, Value: frame})
		}
	}
	replace(at(root, "components").(yaml.MapSlice), "schemas", withFrames)

	var text bytes.Buffer
	text.WriteString("# Made from openapi.yaml. Read that file, and generate clients from it.\n")
	encoder := yaml.NewEncoder(&text, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// typeStreams replaces the schema of each stream, anywhere in the node, with an
// itemSchema. It adds the schemas of the frames to frames.
func typeStreams(node any, schemas yaml.MapSlice, frames map[string]yaml.MapSlice) error {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			if err := typeStreams(item, schemas, frames); err != nil {
				return err
			}
		}
	case yaml.MapSlice:
		for _, member := range node {
			if member.Key == "text/event-stream" {
				media, _ := member.Value.(yaml.MapSlice) // nil if it is null, which typeStream refuses
				if err := typeStream(media, schemas, frames); err != nil {
					return err
				}
				continue
			}
			if err := typeStreams(member.Value, schemas, frames); err != nil {
				return err
			}
		}
	}
	return nil
}

// typeStream changes one media type object, which describes the data of an event, to
// describe frames.
func typeStream(media, schemas yaml.MapSlice, frames map[string]yaml.MapSlice) error {
	ref, _ := at(media, "schema", "$ref").(string)
	union := ref[strings.LastIndex(ref, "/")+1:]
	mapping, ok := at(schemas, union, "discriminator", "mapping").(yaml.MapSlice)
	if !ok {
		return fmt.Errorf("the schema %q of a stream is not a union with a mapping", ref)
	}
	frames[union+"Frame"] = frameOf(union, mapping)
	for i := range media {
		switch media[i].Key {
		case "schema":
			media[i] = yaml.MapItem{Key: "itemSchema", Value: yaml.MapSlice{{Key: "$ref", Value: ref + "Frame"}}}
		case "examples":
			for _, example := range media[i].Value.(yaml.MapSlice) {
				if err := serialize(example.Value.(yaml.MapSlice)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// frameOf returns the schema of a frame for a union of event types.
func frameOf(union string, mapping yaml.MapSlice) yaml.MapSlice {
	data := func(ref string) yaml.MapSlice {
		return yaml.MapSlice{
			{Key: "type", Value: "string"},
			{Key: "contentMediaType", Value: "application/json"},
			{Key: "contentSchema", Value: yaml.MapSlice{{Key: "$ref", Value: ref}}},
		}
	}
	var kinds []any
	for _, kind := range mapping {
		kinds = append(kinds, yaml.MapSlice{{Key: "required", Value: []any{"event", "data"}}, {Key: "properties", Value: yaml.MapSlice{
			{Key: "event", Value: yaml.MapSlice{{Key: "const", Value: kind.Key}}},
			{Key: "data", Value: data(kind.Value.(string))},
		}}})
	}
	return yaml.MapSlice{
		{Key: "type", Value: "object"},
		{Key: "description", Value: "One frame of a stream. Its fields have the names of the WHATWG's HTML standard (9.2.6). `data` is one line of JSON."},
		{Key: "properties", Value: yaml.MapSlice{
			{Key: "id", Value: yaml.MapSlice{{Key: "type", Value: "string"}, {Key: "description", Value: "What a client that resumes sends as `Last-Event-ID`."}}},
			{Key: "event", Value: yaml.MapSlice{{Key: "type", Value: "string"}, {Key: "description", Value: "The type of the event. `data` contains it too."}}},
			{Key: "data", Value: data("#/components/schemas/" + union)},
			{Key: "retry", Value: yaml.MapSlice{{Key: "type", Value: "integer"}, {Key: "minimum", Value: 0}, {Key: "description", Value: "How many milliseconds to wait before reconnecting."}}},
		}},
		{Key: "oneOf", Value: kinds},
	}
}

// serialize changes an example of an event's data to an example of a stream with that
// event (OpenAPI 3.2, 4.19, Example Object).
func serialize(example yaml.MapSlice) error {
	for i := range example {
		if example[i].Key != "value" {
			continue
		}
		data, err := yaml.MarshalWithOptions(example[i].Value, yaml.JSON())
		if err != nil {
			return err
		}
		frame := fmt.Sprintf("event: %s\ndata: %s\n\n", at(example[i].Value, "type"), bytes.TrimSpace(data))
		example[i] = yaml.MapItem{Key: "serializedValue", Value: frame}
	}
	return nil
}

// at returns the value at a path of names, or nil if there is none.
func at(node any, names ...string) any {
	for _, name := range names {
		members, _ := node.(yaml.MapSlice)
		node = nil
		for _, member := range members {
			if member.Key == name {
				node = member.Value
			}
		}
	}
	return node
}

// replace replaces the value of a member. It adds nothing if there is no such member.
func replace(members yaml.MapSlice, name string, value any) {
	for i := range members {
		if members[i].Key == name {
			members[i].Value = value
		}
	}
}
