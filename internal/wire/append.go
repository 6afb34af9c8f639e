package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// Params are the params of a request, which write themselves: a client makes the same few objects all day.
type Params interface {
	// AppendJSON appends the object to dst.
	AppendJSON(dst []byte) []byte
	// SizeJSON returns about how many bytes that takes.
	SizeJSON() int
}

// Request returns the JSON of a request. Nil params are left out.
func Request(id, action string, params Params) []byte {
	size := len(`{"id":"","action":"","params":}`) + len(id) + len(action)
	if params != nil {
		size += params.SizeJSON()
	}
	b := append(make([]byte, 0, size), '{')
	b = AppendField(b, "id", id)
	b = AppendField(b, "action", action)
	if params != nil {
		b = params.AppendJSON(appendName(b, "params"))
	}
	return AppendEnd(b, '}')
}

// AppendField appends a field of an object, and a comma, which AppendEnd takes away from the last one.
func AppendField(dst []byte, name, value string) []byte {
	return append(AppendText(appendName(dst, name), value), ',')
}

// AppendOptional is AppendField for a field that is left out where its value is empty.
func AppendOptional(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendField(dst, name, value)
}

// AppendData appends a field whose value is the base64 of data, in the standard alphabet, padded.
func AppendData(dst []byte, name string, data []byte) []byte {
	dst = append(appendName(dst, name), '"')
	return append(base64.StdEncoding.AppendEncode(dst, data), '"', ',')
}

// AppendInt appends a field that is left out where its value is 0.
func AppendInt(dst []byte, name string, value int64) []byte {
	if value == 0 {
		return dst
	}
	return append(strconv.AppendInt(appendName(dst, name), value, 10), ',')
}

// AppendTrue appends a field that is left out where its value is false.
func AppendTrue(dst []byte, name string, value bool) []byte {
	if !value {
		return dst
	}
	return append(appendName(dst, name), "true,"...)
}

// AppendList appends a field whose value is an array, of what each appends, and left out where it is empty.
func AppendList[T any](dst []byte, name string, list []T, each func(dst []byte, element T) []byte) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(appendName(dst, name), '[')
	for _, element := range list {
		dst = append(each(dst, element), ',')
	}
	return append(AppendEnd(dst, ']'), ',')
}

// AppendEnd ends an object or an array that is not empty.
func AppendEnd(dst []byte, end byte) []byte { return append(bytes.TrimSuffix(dst, []byte(",")), end) }

func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, '"'), name...), '"', ':')
}

// AppendText appends a string. What is not plain ASCII is left to the standard library.
func AppendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := Marshal(text) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
