package blaze_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

// If a file prevents a reply, the error names the remedy, and the message is retried.
func TestFilesOfRepliesToAnEncryptedMessage(t *testing.T) {
	plain := blaze.Image{Attachment: blaze.Attachment{ID: attachmentID, Size: 1}, Width: 1, Height: 1}
	withKey := plain
	withKey.Key, withKey.Digest = attachmentKey, attachmentDigest
	raw := blaze.Raw{As: "PLAIN_IMAGE", Data: []byte(`{"attachment_id":1,"key":"c2VjcmV0"}`)}
	escaped := blaze.Raw{As: "PLAIN_DATA", Data: []byte(`[{},{"digest":"c2VjcmV0","k\u0065y":"c2VjcmV0"}]`)}
	transcript := blaze.Transcript{{
		TranscriptID: messageA, MessageID: messageB, Category: "PLAIN_IMAGE", MediaKey: attachmentKey,
	}}
	for name, c := range map[string]struct {
		conversation string
		nobody       bool
		send         func(context.Context, *blaze.Client, *blaze.Message) error
		contains     string
	}{
		"an encrypted picture to a group": {
			conversationA, false, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
				return c.Reply(ctx, m, withKey)
			}, "Reupload",
		},
		"an encrypted picture forwarded": {
			"", false, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
				_, err := c.Send(ctx, m.NewForward(conversationB, withKey))
				return err
			}, "Reupload",
		},
		"a transcript forwarded": {"", false, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
			_, err := c.Send(ctx, m.NewForward(conversationB, transcript))
			return err
		}, "Reupload"},
		"a picture that cannot be read forwarded": {
			"", false, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
				_, err := c.Send(ctx, m.NewForward(conversationB, raw))
				return err
			}, "Reupload",
		},
		"one with an odd spelling forwarded": {
			"", false, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
				_, err := c.Send(ctx, m.NewForward(conversationB, escaped))
				return err
			}, "Reupload",
		},
		"an encrypted picture without sessions": {
			"", true, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
				err := c.Reply(ctx, m, withKey)
				assert.ErrorIs(t, err, blaze.ErrNoSession)
				return err
			}, "Reupload",
		},
		"in a batch": {"", true, func(ctx context.Context, c *blaze.Client, m *blaze.Message) error {
			_, err := c.SendBatch(ctx, m.NewReply(withKey))
			return err
		}, "Reupload"},
	} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, func(cfg *blaze.Config) { cfg.HandlerAttempts = 3 })
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				err := c.send(ctx, r.Client, m)
				var invalid *blaze.InvalidError
				if assert.ErrorAs(t, err, &invalid) {
					assert.Equal(t, "Attachment.Key", invalid.Field)
					assert.Contains(t, invalid.Reason, c.contains)
				}
				return fmt.Errorf("no answer: %w", err)
			})
			if c.nobody {
				noSessions(r.Server)
			}
			r.secret("alice", c.conversation, "question")
			r.idle()
			assert.Equal(t, 3, r.failures.len(), "retried")
			assert.Empty(t, r.Sent())
		})
	}
}

// A picture that was uploaded unencrypted is always sent unencrypted, and the log names the remedy.
func TestAPlainPictureRepliesToAnEncryptedMessage(t *testing.T) {
	for name, nobody := range map[string]bool{"a session": false, "no session": true} {
		bubble(t, name, func(t *testing.T) {
			r := prepare(t, nil)
			r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
				picture, err := r.UploadImage(ctx, bytes.NewReader(picture(t, asJPEG, red(100, 50))))
				if err != nil {
					return err
				}
				_, err = r.SendBatch(ctx, m.NewReply(picture))
				return errors.Join(err, r.Reply(ctx, m, picture))
			})
			if nobody {
				noSessions(r.Server)
			}
			r.secret("alice", "", "question")
			r.idle()
			assert.Empty(t, r.failures.all())
			require.Len(t, r.Sent(), 2)
			for _, out := range r.Sent() {
				assert.False(t, out.Encrypted)
				assert.IsType(t, blaze.Image{}, out.Payload)
			}
			assert.Equal(t, 1, r.log.count(slog.LevelWarn, "UploadEncryptedImage"))
		})
	}
}

// The remedies of the errors work.
func TestAPictureRepliesToAnEncryptedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, nil)
		r.start(t.Context(), func(ctx context.Context, m *blaze.Message) error {
			picture, err := r.UploadEncryptedImage(ctx, bytes.NewReader(picture(t, asJPEG, red(100, 50))))
			if err != nil {
				return err
			}
			if err := r.Reply(ctx, m, picture); err != nil {
				return err
			}
			if picture.Attachment, err = r.Reupload(ctx, picture.Attachment); err != nil {
				return err
			}
			_, err = r.Send(ctx, m.NewForward(conversationB, picture))
			return err
		})
		r.secret("alice", "", "question")
		r.idle()
		require.Empty(t, r.failures.all())
		require.Len(t, r.Sent(), 2)
		for i, out := range r.Sent() {
			assert.Equal(t, i == 0, out.Encrypted)
			got := out.Payload.(blaze.Image)
			assert.Equal(t, []any{100, 50, "image/jpeg"}, []any{got.Width, got.Height, got.MimeType})
			assert.Equal(t, i == 0, len(got.Key) > 0)
			file, err := download(t, r.Client, got.Attachment)
			require.NoError(t, err)
			assert.Equal(t, string(picture(t, asJPEG, red(100, 50))), file)
		}
	})
}
