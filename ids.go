package blaze

import (
	"crypto/md5" //nolint:gosec // the protocol defines conversation ids by MD5; nothing secret depends on it
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// derivedNamespace is the namespace of DeriveID. It is a random UUID and must never change, because derived ids must be
// the same in every release.
var derivedNamespace = uuid.Must(uuid.FromString("d099817e-9878-49df-90ce-2150687d0c89"))

// ConversationID returns the id of the contact conversation between two users. A bot is a user too. The order and case
// of the arguments do not matter. The id is the MD5 of both ids in lower case, smaller first, in the form of a
// version-3 UUID. The arguments are not validated: for anything but UUIDs the result names no conversation.
func ConversationID(userA, userB string) string {
	return pairID(strings.ToLower(userA), strings.ToLower(userB))
}

// isContact reports whether id is ConversationID(bot, user), in any case. bot must be in lower case.
func isContact(id, bot, user string) bool {
	if len(id) != 36 {
		return false
	}
	got, err := uuid.FromString(id)
	return err == nil && got == pair(bot, strings.ToLower(user))
}

// GroupConversationID returns the id of a group that ownerID creates with the given name, random id and first
// participants. The request that creates the group must carry the same values. Ids are used in lower case, name exactly
// as given. The owner is left out of participantIDs; the others are sorted by their lower-case form, duplicates
// included. participantIDs may be nil and is not modified. The ids are not validated.
func GroupConversationID(ownerID, name, randomID string, participantIDs []string) string {
	owner := strings.ToLower(ownerID)
	others := make([]string, 0, len(participantIDs))
	for _, id := range participantIDs {
		if id = strings.ToLower(id); id != owner {
			others = append(others, id)
		}
	}
	slices.Sort(others)

	group := pairID(pairID(owner, name), strings.ToLower(randomID))
	for _, id := range others {
		group = pairID(group, id)
	}
	return group
}

// DeriveID returns a version-5 UUID derived from the parts. Equal parts give the same id on every machine and in every
// release. Case and the boundaries between parts matter: ("a", "bc") and ("ab", "c") differ.
//
// Use it as Outgoing.MessageID for a send that may run again, for example DeriveID(botID, "sale-2026", userID) for a
// broadcast. The service stores an id once. A later send with that id changes nothing, even if its content differs: it
// is confirmed, or rejected with 403 (see [Client.Reply]).
func DeriveID(parts ...string) string { return derive(parts...).String() }

// derive is DeriveID with a binary result.
func derive(parts ...string) uuid.UUID {
	size := 0
	for _, part := range parts {
		size += len(part) + len("1000:")
	}
	var b strings.Builder
	b.Grow(size)
	for _, part := range parts {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return uuid.NewV5(derivedNamespace, b.String())
}

// pairID derives an id from two strings as the service does: their MD5, smaller string first, in the form of a
// version-3 UUID without a namespace.
func pairID(a, b string) string { return pair(a, b).String() }

func pair(a, b string) uuid.UUID {
	var room [2 * 36]byte
	text := append(append(room[:0], min(a, b)...), max(a, b)...)
	id := uuid.UUID(md5.Sum(text)) //nolint:gosec // see the import
	id.SetVersion(uuid.V3)
	id.SetVariant(uuid.VariantRFC9562)
	return id
}

// canonicalUUID returns s in lower case if it is a UUID in the form that the service uses: 36 characters, hexadecimal
// with four hyphens, any case. It rejects braces, URNs and UUIDs without hyphens. Version and variant are not checked.
func canonicalUUID(s string) (string, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return "", false
	}
	counts := 0
	for i := range len(s) {
		counts += int(hexDigit[s[i]])
	}
	digits, upper := counts%hexUpper, counts >= hexUpper
	if digits != 32 {
		return "", false
	}
	if upper {
		s = strings.ToLower(s)
	}
	return s, true
}

// hexUpper is added to hexDigit for a digit in upper case. It exceeds the length of an id, so that the sum over an id
// contains both counts. With comparisons in place of the table, canonicalUUID takes 1.7 times as long.
const hexUpper = 1 << 8

// hexDigit is 1 for each hexadecimal digit, plus hexUpper for one in upper case, and 0 for other characters.
var hexDigit = func() (is [256]uint16) {
	for _, c := range "0123456789abcdef" {
		is[c] = 1
	}
	for _, c := range "ABCDEF" {
		is[c] = hexUpper + 1
	}
	return is
}()

// idCheck validates ids and keeps the first error.
type idCheck struct {
	prefix string
	err    error
}

// Bounds of identity numbers, in digits. The minimum is that of a mention, as the service's apps read it.
const (
	minNumber = 4
	maxNumber = 20
)

// isNumber reports whether digits have the length of an identity number.
func isNumber(digits string) bool { return len(digits) >= minNumber && len(digits) <= maxNumber }

// leadingDigits returns the digits at the beginning of s.
func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

// notUUID returns the reason why an id that is not a UUID is invalid.
func notUUID(id string) string {
	if isNumber(id) && leadingDigits(id) == id {
		return "is an identity number: use the id of the user, a UUID, which Client.User returns"
	}
	return "is not a UUID"
}

func (c *idCheck) required(field, id string) string {
	s, ok := canonicalUUID(id)
	if !ok && c.err == nil {
		c.err = invalid(c.prefix+field, "%s", notUUID(id))
	}
	return s
}

func (c *idCheck) optional(field, id string) string {
	if id == "" {
		return ""
	}
	return c.required(field, id)
}
