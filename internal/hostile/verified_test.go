package hostile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// maxDownload is the limit in these attacks, smaller than the default of a gigabyte to save time.
const maxDownload = 8 * mib

// bound sets the limit.
func bound(cfg *blaze.Config) { cfg.MaxDownload = maxDownload }

// verifiedAttacks are downloads to files, and downloads of too many bytes.
func verifiedAttacks() []attack {
	all := limitAttacks()
	for _, v := range []struct {
		name      string
		encrypted bool
		change    func(file []byte) []byte
	}{
		{"a bit of the IV", true, flips(0)},
		{"a bit in the middle", true, flips(500)},
		{"a bit of the MAC", true, flips(-1)},
		{"half of an encrypted file", true, func(f []byte) []byte { return f[:len(f)/2] }},
		{"an encrypted file and a byte", true, func(f []byte) []byte { return append(f, 0) }},
		{"half of a plain file", false, func(f []byte) []byte { return f[:len(f)/2] }},
		{"a plain file and a byte", false, func(f []byte) []byte { return append(f, 0) }},
		{"an empty plain file", false, func([]byte) []byte { return nil }},
	} {
		all = append(all, intoFile(v.name+", into a new file", v.encrypted, "", v.change),
			intoFile(v.name+", in place of an old file", v.encrypted, "the old file", v.change))
	}
	return all
}

// intoFile returns the attack of a storage host with a modified file, downloaded to a path. If old is not "", the path
// has a file with that content.
func intoFile(name string, encrypted bool, old string, change func(file []byte) []byte) attack {
	file, attachment := storedFile(encrypted)
	a := servesFile(name, outcome{}, file, attachment, func(_ *run, p *peer, file []byte) {
		_ = p.Say(response("200 OK", "", string(change(bytes.Clone(file)))))
	})
	a.does = func(r *run) {
		dir := r.t.TempDir()
		path := filepath.Join(dir, "file")
		if old != "" {
			if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
				r.t.Fatal(err)
			}
		}
		r.fails(r.c.DownloadFile(r.ctx, attachment, path))
		r.file, _ = os.ReadFile(path)
		left, err := os.ReadDir(dir)
		if err != nil {
			r.t.Error(err)
		}
		r.number = len(left)
		r.calm()
	}
	a.outcome = local(outcome{text: "the error is ErrDamaged, and the directory is unchanged", check: func(r *run) {
		if !errors.Is(r.err, blaze.ErrDamaged) {
			r.t.Errorf("the error is %v", short(r.err))
		}
		if string(r.file) != old || r.number > 1 || r.number > 0 && old == "" {
			r.t.Errorf("%d bytes in the file, %d files in the directory", len(r.file), r.number)
		}
	}})
	return a
}

// limitAttacks are files that are larger than Config.MaxDownload.
func limitAttacks() []attack {
	const head = "HTTP/1.1 200 OK\r\n"
	limited := outcome{text: "the download ends at MaxDownload, with that name in the error", check: func(r *run) {
		if r.err == nil || !strings.Contains(r.err.Error(), "MaxDownload") {
			r.t.Errorf("the error is %v", short(r.err))
		}
		if r.written > maxDownload+mib {
			r.t.Errorf("%d bytes were read", r.written)
		}
	}}
	endless := func(name string, encrypted bool, first string) attack {
		a := serves(name, local(limited), encrypted, func(r *run, p *peer, _ []byte) {
			_ = p.Say(first)
			r.written = p.repeat(make([]byte, 64*kib), 64*mib)
		})
		a.config = bound
		a.does = func(r *run) {
			_, attachment := encryptedFile(plain)
			if attachment.Size = 0; !encrypted {
				attachment = blaze.Attachment{ID: newID("file")}
			}
			body, err := r.c.Download(r.ctx, attachment)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				_ = body.Close()
			}
			r.fails(err)
			r.calm()
		}
		return a
	}
	large := func(name string, size int64) attack {
		return attack{
			name: name, config: bound,
			outcome: outcome{text: "the error is InvalidError, and nothing is requested", check: func(r *run) {
				if !errors.Is(r.err, blaze.ErrInvalid) {
					r.t.Errorf("the error is %v", short(r.err))
				}
				if n := len(r.called("/attachments/" + newID("file"))); n > 0 {
					r.t.Errorf("%d requests", n)
				}
			}},
			does: func(r *run) { r.fetch(r.ctx, blaze.Attachment{ID: newID("file"), Size: size}) },
		}
	}
	return []attack{
		endless("an endless encrypted file of an unknown size", true, head+"\r\n"),
		endless("an endless plain file of an unknown size", false, head+"\r\n"),
		endless("an encrypted file of an unknown size that claims a terabyte", true,
			head+"Content-Length: 1099511627776\r\n\r\n"),
		endless("a plain file of an unknown size that claims a terabyte", false,
			head+"Content-Length: 1099511627776\r\n\r\n"),
		large("a message with a file of one byte more than MaxDownload", maxDownload+1),
		large("a message with a file of 8 exabytes", 1<<63-1),
		{
			name: "a file name with parent directories",
			outcome: outcome{text: "SafeName is a plain name", check: func(r *run) {
				m := r.message(attackID)
				if m == nil {
					r.t.Errorf("the message is not delivered")
					return
				}
				d, is := m.Payload.(blaze.Data)
				if name := d.SafeName(); !is || name == "" || strings.ContainsAny(name, "/\\:\x00") ||
					strings.HasPrefix(name, ".") {
					r.t.Errorf("%T with the name %q", m.Payload, name)
				}
			}},
			does: func(r *run) {
				r.deliver(attackID, wspeer.PackStored(pushed(attackID, alice, "PLAIN_DATA",
					[]byte(`{"attachment_id":"`+newID("file")+`","size":1,"name":"..\\..\/..\/etc\/pw\u0000.png"}`))))
			},
		},
	}
}
