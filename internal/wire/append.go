package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// Params are the params of a request. They encode themselves, because a client encodes the same few objects all the
// time.
type Params interface {
	// AppendJSON appends the object to dst.
	AppendJSON(dst []byte) []byte
	// SizeJSON returns the approximate size of that object.
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

// AppendField appends a field of an object and a comma. AppendEnd removes the last comma.
func AppendField(dst []byte, name, value string) []byte {
	return append(AppendText(appendName(dst, name), value), ',')
}

// AppendOptional is like AppendField, and omits the field if the value is empty.
func AppendOptional(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendField(dst, name, value)
}

// AppendData appends a field with the base64 of data, in the standard alphabet, padded.
func AppendData(dst []byte, name string, data []byte) []byte {
	dst = append(appendName(dst, name), '"')
	return append(base64.StdEncoding.AppendEncode(dst, data), '"', ',')
}

// AppendInt appends a field with a number, and omits the field if the number is 0.
func AppendInt(dst []byte, name string, value int64) []byte {
	if value == 0 {
		return dst
	}
	return append(strconv.AppendInt(appendName(dst, name), value, 10), ',')
}

// AppendTrue appends a field with true, and omits the field if value is false.
func AppendTrue(dst []byte, name string, value bool) []byte {
	if !value {
		return dst
	}
	return append(appendName(dst, name), "true,"...)
}

// AppendList appends a field with an array, and omits the field if list is empty. each appends an element.
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

// AppendText appends a string. The standard library encodes a string that is not plain ASCII.
func AppendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := Marshal(text) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
