package blaze

import (
	"crypto/md5" //nolint:gosec // the protocol defines conversation ids by MD5; nothing secret depends on it
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/uuid/v5"
)

// derivedNamespace is the namespace of every id that DeriveID makes. It was drawn at random for this package and must
// never change: an id derived today has to be the same id next year.
var derivedNamespace = uuid.Must(uuid.FromString("d099817e-9878-49df-90ce-2150687d0c89"))

// ConversationID returns the id of the contact conversation between two users, a bot being a user. The order of the two
// does not matter, and neither does their case: the service writes ids in lower case and derives from that form.
// It is the version-3 shape of the MD5 of both ids, the smaller first. The arguments should be UUIDs; nothing checks
// that, and of anything else the result names no conversation.
func ConversationID(userA, userB string) string {
	return pairID(strings.ToLower(userA), strings.ToLower(userB))
}

// isContact reports whether id is ConversationID(bot, user), in whatever case. The bot's id is in lower case.
func isContact(id, bot, user string) bool {
	if len(id) != 36 {
		return false
	}
	got, err := uuid.FromString(id)
	return err == nil && got == pair(bot, strings.ToLower(user))
}

// GroupConversationID returns the id of the group that ownerID creates with the given name, random id and first
// participants, for a request to the service that carries the same values. Ids are taken in lower case; the name
// counts exactly as it is, case included. The owner is left out of participantIDs if present there, in whatever case;
// the others are taken in ascending order of their lower-case form, each as often as it is given. participantIDs is
// not changed, and may be nil. Nothing checks that the ids are UUIDs.
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

// DeriveID returns a UUID (version 5) that depends on the parts and on nothing else: the same parts give the same id
// on every machine and in every release. As an Outgoing.MessageID it makes a send that can be run again, for example
// DeriveID("sale-2026", userID) for a broadcast. Where one part ends and the next begins counts, so ("a", "bc") and
// ("ab", "c") differ; case counts too. No parts at all, and empty parts, are parts like any others. A message sent
// under an id that is stored already is confirmed and changes nothing, even if it says something else.
func DeriveID(parts ...string) string { return derive(parts...).String() }

// derive is DeriveID, before its result is text.
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

// pairID is the service's way to make one id of two strings: their MD5, smaller string first, in the shape of a
// version-3 UUID. There is no namespace in it.
func pairID(a, b string) string { return pair(a, b).String() }

func pair(a, b string) uuid.UUID {
	var room [2 * 36]byte
	text := append(append(room[:0], min(a, b)...), max(a, b)...)
	id := uuid.UUID(md5.Sum(text)) //nolint:gosec // see the import
	id.SetVersion(uuid.V3)
	id.SetVariant(uuid.VariantRFC9562)
	return id
}

// canonicalUUID returns s in lower case if it is a UUID in the only form the service knows: 36 characters,
// hexadecimal with four hyphens, any case. Braces, URNs and forms without hyphens are refused. Version and variant do
// not matter.
func canonicalUUID(s string) (string, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return "", false
	}
	digits := 0
	for i := range len(s) {
		digits += int(hexDigit[s[i]])
	}
	if digits&0xff != 32 {
		return "", false
	}
	if digits > 0xff {
		s = strings.ToLower(s)
	}
	return s, true
}

// hexDigit has 1 for each hexadecimal digit, and 0x100 more for one in upper case.
var hexDigit = func() (is [256]uint16) {
	for _, c := range "0123456789abcdef" {
		is[c] = 1
	}
	for _, c := range "ABCDEF" {
		is[c] = 0x101
	}
	return is
}()

// idCheck checks one id after the other and keeps the first error.
type idCheck struct {
	prefix string
	err    error
}

func (c *idCheck) required(field, id string) string {
	s, ok := canonicalUUID(id)
	if !ok && c.err == nil {
		c.err = invalid(c.prefix+field, "not a UUID")
	}
	return s
}

func (c *idCheck) optional(field, id string) string {
	if id == "" {
		return ""
	}
	return c.required(field, id)
}
