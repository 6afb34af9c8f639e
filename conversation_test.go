package blaze_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/uuid/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

const (
	userA = "89e0bdee-c355-47f2-945a-be48be875606"
	userB = "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"
)

func TestConversationID(t *testing.T) {
	for _, c := range []struct{ name, a, b, want string }{
		{"two users", userA, userB, "dbe0952e-cc54-38f5-8e7e-c575aeda1ca8"},
		{
			"vector of another client", "965e5c6e-434c-3fa9-b780-c50f43cd955c",
			"d1e9ec7e-199d-4578-91a0-a69d9a7ba048", "60478c27-1052-3df5-b938-b96a8b907e76",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, blaze.ConversationID(c.a, c.b))
			assert.Equal(t, c.want, blaze.ConversationID(c.b, c.a), "in the other order")
			assert.Equal(t, c.want, blaze.ConversationID(strings.ToUpper(c.a), c.b), "in upper case")
			assert.Equal(t, c.want, blaze.ConversationID(c.a, strings.ToUpper(c.b)), "in upper case")
		})
	}
}

func TestGroupConversationID(t *testing.T) {
	rocks := []string{
		"f937ca18-d1ff-46f5-99e8-e23fbd6fd5f2", "0e0a20c8-31b8-4093-81b8-9cebd9bc8afc",
		"8391e472-cdbe-4704-be1f-7d184635b885", "831fdb67-13ed-4dc5-ac64-dda89aeda2bb",
		"f7ff9dde-18c2-4375-8097-b364068b120e", "088c1e3e-1f07-4065-85b5-6b49b4370d32",
	}
	const rocksOwner, rocksRandom = "c8cb0ac7-d456-4341-be66-0b143aa09922", "01d21e2c-76f5-4940-8ea0-9b7f21728674"
	const random = "6f1c2b2e-6a0b-4d7c-9c59-0f3b8d7f6a11"
	for _, c := range []struct {
		name, owner, group, random string
		participants               []string
		want                       string
	}{
		{
			"vector of another client", rocksOwner, "Mixin Rocks",
			rocksRandom, rocks, "5dac944e-2037-31b4-bbd9-e5fd3ffe571e",
		},
		{
			"two participants", userA, "Example Group", random,
			[]string{userB, "8dcf823d-9eb3-4da2-8734-f0aad50c0da6"},
			"8ddf294c-0524-34c1-b8f0-e41a1f650f19",
		},
		{"one participant", userA, "Example Group", random, []string{userB}, "d545bd79-68fc-3d78-8b88-ba4e78afd769"},
		{"nobody else", userA, "Example Group", random, nil, "b6c2515e-a141-37ec-8109-2255d46dfec7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := slices.Clone(c.participants)
			assert.Equal(t, c.want, blaze.GroupConversationID(c.owner, c.group, c.random, given))
			assert.Equal(t, c.participants, given, "the caller's slice was changed")

			reversed := slices.Clone(c.participants)
			slices.Reverse(reversed)
			assert.Equal(t, c.want, blaze.GroupConversationID(c.owner, c.group, c.random, reversed), "in another order")

			withOwner := append(slices.Clone(c.participants), strings.ToUpper(c.owner))
			assert.Equal(t, c.want, blaze.GroupConversationID(c.owner, c.group, c.random, withOwner),
				"with the owner among them")

			upper := slices.Clone(c.participants)
			for i := range upper {
				upper[i] = strings.ToUpper(upper[i])
			}
			got := blaze.GroupConversationID(strings.ToUpper(c.owner), c.group, strings.ToUpper(c.random), upper)
			assert.Equal(t, c.want, got, "in upper case")
		})
	}
	assert.NotEqual(t,
		blaze.GroupConversationID(userA, "Name", random, nil), blaze.GroupConversationID(userA, "name", random, nil),
		"the case of the name counts")
}

// The expected ids were computed with Python's uuid module from the same namespace.
func TestDeriveID(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, "1acc0887-14b1-5d0f-8b30-6e3f3db89043"},
		{[]string{""}, "6bcd9e01-a730-5f78-bdbf-ce5eedae8a15"},
		{[]string{"", ""}, "9eb49c33-8d34-529e-8478-8cb97230d434"},
		{[]string{"a", "bc"}, "e32d4a1d-227a-5294-98c5-7ee2f3a86804"},
		{[]string{"ab", "c"}, "2bef4a5c-c64a-5284-9ff5-947ffb78c719"},
		{[]string{"abc"}, "127240fa-34fe-5d2d-adb0-8a5f45b2c77c"},
		{[]string{"1:a", "2:bc"}, "ab2888d1-8bf5-5608-af56-941f35593232"},
		{[]string{"sale-2026", "53bac64e-e1ff-408a-ad0e-aca20cdc68bd"}, "cf6339ad-64a0-5ceb-a533-387c3d7f85c6"},
		{[]string{"中国"}, "9ff50a00-c986-5a5f-a803-0ed3d057fe47"},
	} {
		assert.Equal(t, c.want, blaze.DeriveID(c.parts...), "%q", c.parts)
	}
	id, err := uuid.FromString(blaze.DeriveID("x"))
	require.NoError(t, err)
	assert.Equal(t, byte(5), id.Version())
	assert.NotEqual(t, blaze.DeriveID("A"), blaze.DeriveID("a"))
}
