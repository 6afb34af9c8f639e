package blaze_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/blazetest"
)

// alone runs a test with a client that is not running: files need no websocket.
func alone(
	t *testing.T, name string, edit func(*blaze.Config), test func(t *testing.T, s *blazetest.Server, c *blaze.Client),
) {
	t.Helper()
	bubble(t, name, func(t *testing.T) {
		s := newServer()
		s.Errorf = t.Errorf
		defer s.Close()
		test(t, s, newClient(t, s.Key, s.Config, edit))
	})
}

func download(t *testing.T, c *blaze.Client, a blaze.Attachment) (string, error) {
	t.Helper()
	r, err := c.Download(t.Context(), a)
	if err != nil {
		return "", err
	}
	defer func() { assert.NoError(t, r.Close()) }()
	file, err := io.ReadAll(r)
	return string(file), err
}

func TestUploadAndDownload(t *testing.T) {
	for name, file := range map[string]string{
		"empty": "", "short": "hello", "longer than the sniffed part": strings.Repeat("long ", 1000),
		"PNG": "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 100),
	} {
		alone(t, name, nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			for _, encrypt := range []bool{false, true} {
				upload := c.Upload
				if encrypt {
					upload = c.UploadEncrypted
				}
				a, err := upload(t.Context(), iotest.HalfReader(strings.NewReader(file)), int64(len(file)))
				require.NoError(t, err)
				want := "text/plain; charset=utf-8"
				if name == "PNG" {
					want = "image/png"
				}
				assert.Equal(t, want, a.MimeType)
				assert.EqualValues(t, len(file), a.Size)
				assert.Equal(t, encrypt, len(a.Key) == 64 && len(a.Digest) == 32)
				got, err := download(t, c, a)
				require.NoError(t, err)
				assert.Equal(t, file, got)

				// The storage has ciphertext only, with the digest of the attachment.
				plain := a
				plain.Key, plain.Digest, plain.Size = nil, nil, 0
				got, err = download(t, c, plain)
				require.NoError(t, err)
				assert.Equal(t, !encrypt, got == file)
				if encrypt {
					sum := sha256.Sum256([]byte(got))
					assert.Equal(t, a.Digest, sum[:])
				}
			}
		})
	}
}

func TestAttachmentsArePrintedWithoutTheirKeys(t *testing.T) {
	key := bytes.Repeat([]byte{'K'}, 64)
	image := blaze.Image{
		Attachment: blaze.Attachment{ID: userA, MimeType: "image/png", Size: 7, Key: key, Digest: key[:32]},
		Width:      1, Height: 1,
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, v := range []any{image, &image, image.Attachment, []blaze.Payload{image}} {
			text := fmt.Sprintf(verb, v)
			assert.Contains(t, text, userA)
			for _, secret := range []string{"KKKK", "75 75", "75, 75", "0x4b, 0x4b", "4b4b"} {
				assert.NotContains(t, text, secret, verb)
			}
		}
	}
	var log logbook
	slog.New(&log).Info("x", "attachment", image.Attachment)
	assert.NotContains(t, log.String(), "S0tLS0")
}

func TestUploadOfAnotherSize(t *testing.T) {
	alone(t, "size", nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
		for _, size := range []int64{-1, 4, 6, 0, 1 << 60} {
			for _, upload := range []func(context.Context, io.Reader, int64) (blaze.Attachment, error){
				c.Upload, c.UploadEncrypted,
			} {
				a, err := upload(t.Context(), strings.NewReader("hello"), size)
				require.ErrorIs(t, err, blaze.ErrInvalid, size)
				assert.Zero(t, a)
			}
		}
	})
}

// The context ends an upload although its reader blocks.
func TestUploadOfAReaderThatBlocks(t *testing.T) {
	for _, first := range []int{0, 100, 1000, 100_000} {
		alone(t, fmt.Sprint("after ", first), nil, func(t *testing.T, _ *blazetest.Server, c *blaze.Client) {
			for _, upload := range []func(context.Context, io.Reader) error{
				func(ctx context.Context, r io.Reader) error { _, err := c.Upload(ctx, r, 1<<20); return err },
				func(ctx context.Context, r io.Reader) error { _, err := c.UploadEncrypted(ctx, r, 1<<20); return err },
				func(ctx context.Context, r io.Reader) error { _, err := c.UploadImage(ctx, r); return err },
			} {
				r, w := io.Pipe()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				began := time.Now()
				go func() { _, _ = w.Write(make([]byte, first)) }()
				err := upload(ctx, r)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Minute, time.Since(began))
				cancel()
				_ = r.Close() // ends the Read that is still running
			}
		})
	}
}

// slow is a reader that pauses before each byte.
type slow struct{}

func (slow) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	p[0] = 'x'
	return 1, nil
}

// A storage may reject a file before it has read it, while net/http still reads from the source.
func TestUploadRejectedEarly(t *testing.T) {
	alone(t, "early", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		for _, upload := range []func(context.Context, io.Reader, int64) (blaze.Attachment, error){
			c.Upload, c.UploadEncrypted,
		} {
			for range 20 {
				s.Intercept("PUT /files", func(blazetest.Frame) blazetest.Answer {
					return blazetest.Answer{
						Bytes: []byte("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
						Hang:  true,
					}
				})
				_, err := upload(t.Context(), slow{}, 1<<30)
				require.ErrorIs(t, err, blaze.CodeForbidden)
				time.Sleep(time.Minute)
			}
		}
	})
}

func TestUploadRejected(t *testing.T) {
	alone(t, "rejected", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		upload := func() error {
			_, err := c.Upload(t.Context(), strings.NewReader("hello"), 5)
			return err
		}
		var rejected *blaze.Error
		s.Intercept("PUT /files",
			func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeForbidden) })
		require.ErrorAs(t, upload(), &rejected)
		require.ErrorIs(t, rejected, blaze.CodeForbidden, "the address has expired")

		s.Intercept("PUT /files", func(blazetest.Frame) blazetest.Answer { return blazetest.Answer{Cut: true} })
		require.ErrorIs(t, upload(), blaze.ErrNoAnswer)

		s.Intercept("POST /attachments",
			func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeInvalidField) })
		require.ErrorIs(t, upload(), blaze.CodeInvalidField)

		// Transient rejections and lost connections are retried.
		for _, a := range []blazetest.Answer{
			blazetest.Refuse(blaze.CodeTooManyRequests),
			{Cut: true},
			{Bytes: []byte("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>")},
			{Bytes: []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")},
		} {
			s.Intercept("POST /attachments", func(blazetest.Frame) blazetest.Answer { return a })
			require.NoError(t, upload())
		}
		for range 5 {
			s.Intercept("POST /attachments",
				func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeServer) })
		}
		require.ErrorIs(t, upload(), blaze.CodeServer, "SendAttempts are used up")

		_, err := c.Upload(t.Context(), iotest.ErrReader(assert.AnError), 5)
		require.ErrorIs(t, err, assert.AnError)
		_, err = c.Upload(t.Context(),
			io.MultiReader(bytes.NewReader(make([]byte, 1000)), iotest.ErrReader(assert.AnError)), 5000)
		require.ErrorIs(t, err, assert.AnError)
	})
}

func TestDownloadRejected(t *testing.T) {
	alone(t, "rejected", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		_, err := download(t, c, blaze.Attachment{ID: userA})
		require.ErrorIs(t, err, blaze.CodeNotFound)
		for _, a := range []blaze.Attachment{
			{}, {ID: "x"}, {ID: userA, Key: make([]byte, 64)}, {ID: userA, Digest: make([]byte, 32)},
		} {
			_, err := download(t, c, a)
			require.ErrorIs(t, err, blaze.ErrInvalid)
		}
		a, err := c.UploadEncrypted(t.Context(), strings.NewReader("hello"), 5)
		require.NoError(t, err)
		for name, edit := range map[string]func(*blaze.Attachment){
			"digest":  func(a *blaze.Attachment) { a.Digest = make([]byte, 32) },
			"MAC":     func(a *blaze.Attachment) { a.Key = append(bytes.Clone(a.Key[:63]), a.Key[63]^1) },
			"longer":  func(a *blaze.Attachment) { a.Size = 4 },
			"shorter": func(a *blaze.Attachment) { a.Size = 6 },
		} {
			b := a
			edit(&b)
			_, err := download(t, c, b)
			require.ErrorIs(t, err, blaze.ErrDamaged, name)
		}
		b := a
		b.Key = a.Key[:63]
		_, err = download(t, c, b)
		require.ErrorIs(t, err, blaze.ErrInvalid)

		s.Intercept("GET /files",
			func(blazetest.Frame) blazetest.Answer { return blazetest.Refuse(blaze.CodeNotFound) })
		_, err = download(t, c, a)
		require.ErrorIs(t, err, blaze.CodeNotFound)
		s.Intercept("GET /files", func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Bytes: []byte("HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\nhello")}
		})
		_, err = download(t, c, a)
		require.ErrorContains(t, err, "failed: ")
		s.Intercept("GET /attachments/"+a.ID, func(blazetest.Frame) blazetest.Answer {
			return blazetest.Answer{Reply: &blazetest.Frame{
				Data: []byte(`{"attachment_id":"` + a.ID + `","view_url":"http://example.com/"}`),
			}}
		})
		_, err = download(t, c, a)
		require.ErrorContains(t, err, "without TLS")
	})
}

// The first response corrects a wrong clock, for the websocket too.
func TestTheClockOfAnHTTPRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		defer s.Close()
		faults := 0
		s.Errorf = func(string, ...any) { faults++ }
		c := newClient(t, s.Key, s.Config, nil)
		s.Intercept("POST /attachments", func(blazetest.Frame) blazetest.Answer {
			at := time.Now().Add(time.Hour)
			return blazetest.Answer{Bytes: []byte("HTTP/1.1 202 Accepted\r\n" +
				"X-Server-Time: " + strconv.FormatInt(at.UnixNano(), 10) + "\r\nContent-Length: 39\r\n\r\n" +
				`{"error":{"status":202,"code":401}}    `)}
		})
		_, err := c.Upload(t.Context(), strings.NewReader("x"), 1)
		require.ErrorIs(t, err, blaze.CodeUnauthorized, "once more, dated an hour ahead, and no third time")
		assert.Equal(t, 1, faults, "the token an hour ahead")
		_, err = c.Upload(t.Context(), strings.NewReader("x"), 1)
		require.NoError(t, err, "the last rejection had the time")
		assert.Equal(t, 1, faults)
	})
}

func TestOpenConversation(t *testing.T) {
	alone(t, "open", nil, func(t *testing.T, s *blazetest.Server, c *blaze.Client) {
		for range 2 {
			id, err := c.OpenConversation(t.Context(), strings.ToUpper(userA))
			require.NoError(t, err)
			assert.Equal(t, blaze.ConversationID(s.Key.AppID, userA), id)
		}
		_, err := c.OpenConversation(t.Context(), "alice")
		require.ErrorIs(t, err, blaze.ErrInvalid)
		s.Intercept("POST /conversations", func(req blazetest.Frame) blazetest.Answer {
			assert.JSONEq(t, `{"category":"CONTACT","conversation_id":"`+c.ConversationWith(userA)+
				`","participants":[{"user_id":"`+userA+`"}]}`, string(req.Params))
			return blazetest.Refuse(blaze.CodeForbidden)
		})
		_, err = c.OpenConversation(t.Context(), userA)
		var rejected *blaze.Error
		require.ErrorAs(t, err, &rejected)
		assert.Equal(t, "POST /conversations", rejected.Action)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.OpenConversation(ctx, userA)
		require.ErrorIs(t, err, context.Canceled)
	})
}
