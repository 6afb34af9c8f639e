package blazetest

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// openAPI is a document of the OpenAPI Specification 3.1.
type openAPI map[string]any

// pathParams has the descriptions of path parameters.
var pathParams = map[string]string{
	"user":  "The name of a person. A new name creates a person.",
	"group": "The name of a group.",
	"file":  "The id of an attachment.",
	"fault": "The number of a fault.",
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// describeControl returns the description of the control interface.
func describeControl() openAPI {
	d := &describer{schemas: map[string]any{}}
	paths := map[string]any{}
	for _, rt := range routes() {
		path := strings.TrimSuffix(controlPath, "/") + rt.path
		item, ok := paths[path].(map[string]any)
		if !ok {
			item = map[string]any{}
			paths[path] = item
		}
		item[strings.ToLower(rt.method)] = d.operation(rt)
	}
	d.schema(reflect.TypeFor[eventJSON]())
	return openAPI{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "The control interface of blazetest", "version": "1",
			"description": "Controls a Blaze server for tests. Requests over TCP must come from a " +
				"loopback address. Their Host must be localhost or a loopback address. Requests that a browser sends " +
				"for a page of another origin are rejected, and so are bodies with unknown members.",
		},
		"paths":      paths,
		"components": map[string]any{"schemas": d.schemas},
	}
}

// describer collects the referenced schemas.
type describer struct{ schemas map[string]any }

func (d *describer) operation(rt *route) map[string]any {
	done := map[string]any{"description": "The request was carried out.", "content": d.answer(rt)}
	if len(rt.headers) > 0 {
		done["headers"] = headers(rt)
	}
	op := map[string]any{
		"operationId": rt.name, "summary": rt.summary,
		"responses": map[string]any{
			"200": done,
			"default": map[string]any{
				"description": "The request was not carried out.",
				"content":     content("application/json", d.schema(reflect.TypeFor[controlError]()), nil),
			},
		},
	}
	if params := parameters(rt); len(params) > 0 {
		op["parameters"] = params
	}
	if body := d.body(rt); len(body) > 0 {
		op["requestBody"] = map[string]any{"required": rt.takesType != "", "content": body}
	}
	return op
}

// body returns the description of a request's body, by media type.
func (d *describer) body(rt *route) map[string]any {
	body := map[string]any{}
	if rt.takesType != "" {
		var example any
		if rt.takesExample != "" {
			example = rt.takesExample
		}
		maps.Copy(body, content(rt.takesType, map[string]any{"type": "string"}, example))
	}
	if rt.in != nil {
		maps.Copy(body, content("application/json", d.schema(reflect.TypeOf(rt.in)), json.RawMessage(rt.example)))
	}
	return body
}

func (d *describer) answer(rt *route) map[string]any {
	switch {
	case rt.answersType != "":
		return content(rt.answersType, map[string]any{"type": "string"}, nil)
	case rt.out == nil:
		return content("application/json", map[string]any{"type": "object"}, nil)
	}
	return content("application/json", d.schema(reflect.TypeOf(rt.out)), nil)
}

func content(mimeType string, schema, example any) map[string]any {
	c := map[string]any{"schema": schema}
	if example != nil {
		c["example"] = example
	}
	return map[string]any{mimeType: c}
}

func parameters(rt *route) []any {
	var all []any
	for _, m := range pathParam.FindAllStringSubmatch(rt.path, -1) {
		all = append(all, parameter("path", m[1], pathParams[m[1]]))
	}
	for _, q := range rt.query {
		all = append(all, parameter("query", q.name, q.about))
	}
	return all
}

// headers returns the description of the response headers.
func headers(rt *route) map[string]any {
	all := map[string]any{}
	for _, h := range rt.headers {
		all[h.name] = map[string]any{"description": h.about, "schema": map[string]any{"type": "string"}}
	}
	return all
}

func parameter(in, name, about string) map[string]any {
	return map[string]any{
		"in": in, "name": name, "description": about, "required": in == "path",
		"schema": map[string]any{"type": "string"},
	}
}

// schema returns the schema of a type. For a struct it is a reference to a shared schema.
func (d *describer) schema(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{} // any value
	case reflect.TypeFor[duration]():
		return map[string]any{"type": "string", "examples": []string{"1m30s"}}
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[[]byte]():
		return map[string]any{"type": "string", "contentEncoding": "base64"}
	case reflect.TypeFor[openAPI]():
		return map[string]any{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Struct:
		name := schemaName(t)
		if d.schemas[name] == nil {
			d.schemas[name] = d.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	default:
		return map[string]any{"type": "string"}
	}
}

// schemaName returns the name of a struct's schema: userJSON becomes User, sayIn becomes SayRequest.
func schemaName(t reflect.Type) string {
	name := strings.TrimSuffix(strings.TrimPrefix(t.Name(), "control"), "JSON")
	if in, ok := strings.CutSuffix(name, "In"); ok {
		name = in + "Request"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// object returns the schema of a struct. Members without omitempty are required. Requests allow no other members.
func (d *describer) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		p := d.schema(f.Type)
		if about := f.Tag.Get("doc"); about != "" {
			p["description"] = about
		}
		properties[name] = p
		if !tagged || options != "omitempty" {
			required = append(required, name)
		}
	}
	o := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	if strings.HasSuffix(t.Name(), "In") {
		o["additionalProperties"] = false
	}
	return o
}
