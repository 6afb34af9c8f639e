package blaze_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestCategories(t *testing.T) {
	for _, c := range []struct {
		category          blaze.Category
		plain             blaze.Category
		encrypted, system bool
	}{
		{"PLAIN_TEXT", "PLAIN_TEXT", false, false},
		{"ENCRYPTED_TEXT", "PLAIN_TEXT", true, false},
		{"ENCRYPTED_TRANSCRIPT", "PLAIN_TRANSCRIPT", true, false},
		{"ENCRYPTED_SOMETHING_NEW", "PLAIN_SOMETHING_NEW", true, false},
		{"SIGNAL_TEXT", "SIGNAL_TEXT", false, false},
		{"APP_CARD", "APP_CARD", false, false},
		{"APP_BUTTON_GROUP", "APP_BUTTON_GROUP", false, false},
		{"MESSAGE_RECALL", "MESSAGE_RECALL", false, true},
		{"MESSAGE_PIN", "MESSAGE_PIN", false, true},
		{"SYSTEM_CONVERSATION", "SYSTEM_CONVERSATION", false, true},
		{"SYSTEM_SOMETHING_NEW", "SYSTEM_SOMETHING_NEW", false, true},
		{"MY_ENCRYPTED_TEXT", "MY_ENCRYPTED_TEXT", false, false},
		{"MY_SYSTEM_USER", "MY_SYSTEM_USER", false, false},
		{"", "", false, false},
	} {
		assert.Equal(t, c.plain, c.category.Plain(), c.category)
		assert.Equal(t, c.encrypted, c.category.Encrypted(), c.category)
		assert.Equal(t, c.system, c.category.System(), c.category)
	}
}

// Every payload that can be encrypted has a plain and an encrypted constant with matching names.
func TestCategoryPairs(t *testing.T) {
	for plain, encrypted := range map[blaze.Category]blaze.Category{
		blaze.CategoryPlainText:       blaze.CategoryEncryptedText,
		blaze.CategoryPlainPost:       blaze.CategoryEncryptedPost,
		blaze.CategoryPlainImage:      blaze.CategoryEncryptedImage,
		blaze.CategoryPlainData:       blaze.CategoryEncryptedData,
		blaze.CategoryPlainSticker:    blaze.CategoryEncryptedSticker,
		blaze.CategoryPlainContact:    blaze.CategoryEncryptedContact,
		blaze.CategoryPlainAudio:      blaze.CategoryEncryptedAudio,
		blaze.CategoryPlainVideo:      blaze.CategoryEncryptedVideo,
		blaze.CategoryPlainLive:       blaze.CategoryEncryptedLive,
		blaze.CategoryPlainLocation:   blaze.CategoryEncryptedLocation,
		blaze.CategoryPlainTranscript: blaze.CategoryEncryptedTranscript,
	} {
		assert.Equal(t, plain, encrypted.Plain())
		assert.True(t, encrypted.Encrypted())
	}
}

// The constants are exactly the categories with a file in testdata/payloads. ENCRYPTED_X has the file of PLAIN_X.
func TestCategoriesHaveFiles(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "categories.go", nil, 0)
	require.NoError(t, err)
	var constants, files []string
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(c.Names[0].Name, "Category") {
			return true
		}
		name, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		constants = append(constants, string(blaze.Category(name).Plain()))
		return true
	})
	for name := range goldens {
		category, _, _ := strings.Cut(name, ".")
		files = append(files, category)
	}
	slices.Sort(constants)
	slices.Sort(files)
	assert.Equal(t, slices.Compact(files), slices.Compact(constants))
}
