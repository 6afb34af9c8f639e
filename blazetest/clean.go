package blazetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// secretFields are the JSON fields that a recording replaces with "".
var secretFields = map[string]bool{
	"key": true, "digest": true, "media_key": true, "media_digest": true,
	"pin": true, "pin_base64": true, "pin_token": true, "pin_token_base64": true,
	"token":        true,
	"access_token": true, "authorization": true, "secret": true, "client_secret": true, "seed": true, "password": true,
	"private_key": true, "session_private_key": true, "session_key": true, "spend_key": true, "spend_private_key": true,
}

// clean returns a frame without its secrets, and whether a message body in it was changed. ok is false if the frame is
// not a JSON object or is nested too deeply.
func (r *recorder) clean(frame []byte) (clean json.RawMessage, changed, ok bool) {
	if !json.Valid(frame) || frame[0] != '{' {
		return nil, false, false
	}
	clean, ok = rewrite(frame, maxRecordedDepth, func(name, v []byte) []byte {
		name = lowerName(name)
		if field := string(name); (field == "data" || field == "data_base64") && len(v) > 0 && v[0] == '"' {
			body := r.cleanBody(field, v)
			changed = changed || body != nil
			return body
		}
		return r.cleanValue(name, v)
	})
	return clean, changed, ok
}

// cleanValue returns the replacement of a value, or nil to keep it.
func (r *recorder) cleanValue(name, v []byte) []byte {
	if secretFields[string(name)] {
		return emptyText
	}
	if string(name) != "session_id" || v != nil && v[0] != '"' {
		return nil
	}
	if v == nil { // an object or array cannot be a session id
		return emptyText
	}
	var id string
	if json.Unmarshal(v, &id) != nil || id == "" {
		return nil
	}
	return r.session(id)
}

// cleanBody returns the replacement of the base64 of a message's data, or nil to keep it.
func (r *recorder) cleanBody(field string, v []byte) []byte {
	var text string
	if json.Unmarshal(v, &text) != nil || text == "" {
		return nil
	}
	body, ok := decodeBody(text)
	if r.o.OmitBodies {
		if !ok {
			body = []byte(text)
		}
		return encodeBody(field, bytes.Repeat([]byte("x"), len(body)))
	}
	if !ok || !json.Valid(body) {
		return nil
	}
	secret := false
	clean, ok := rewrite(body, maxRecordedDepth, func(name, v []byte) []byte {
		with := r.cleanValue(lowerName(name), v)
		secret = secret || with != nil
		return with
	})
	switch {
	case !ok:
		return encodeBody(field, bytes.Repeat([]byte("x"), len(body)))
	case !secret:
		return nil
	}
	return encodeBody(field, clean)
}

// alphabet converts the URL alphabet of base64 to the standard one, and removes line breaks.
var alphabet = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "")

// decodeBody decodes the base64 of a message's data. Unlike the wire format, it accepts both alphabets in one string,
// so that no encoding of a key is overlooked. It returns false if the text is not base64.
func decodeBody(text string) ([]byte, bool) {
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(alphabet.Replace(text), "="))
	return body, err == nil
}

// encodeBody returns the JSON of the data's base64, in the alphabet of the field.
func encodeBody(field string, body []byte) []byte {
	text := base64.StdEncoding.EncodeToString(body)
	if field == "data_base64" {
		text = base64.RawURLEncoding.EncodeToString(body)
	}
	return []byte(`"` + text + `"`)
}

var emptyText = []byte(`""`)

// maxNameLen is the length of the longest secret field's name in JSON with every letter escaped.
const maxNameLen = len(`""`) + len("session_private_key")*len(`\u0073`)

// lowerName returns a field's name in lowercase, or nil if it is too long for a secret field.
func lowerName(quoted []byte) []byte {
	if len(quoted) < 2 || len(quoted) > maxNameLen {
		return nil
	}
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		// It is valid JSON.
		_ = json.Unmarshal(quoted, &s)
		name = []byte(s)
	}
	return bytes.ToLower(name)
}

// session returns the JSON of the replacement for a session id. Different sessions get different ids. The namespace is
// random and not recorded, so the original id cannot be derived from the replacement.
func (r *recorder) session(id string) []byte {
	made := uuid.NewV5(r.sessions, id).String()
	return []byte(`"` + made + `"`)
}
