package hostile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/seal"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

// plain is the content of a file. It must be delivered whole or not at all.
var plain = bytes.Repeat([]byte("the file's content. "), 50)

// encryptedFile returns an encrypted file and its attachment.
func encryptedFile(file []byte) (encrypted []byte, a blaze.Attachment) {
	e, err := seal.NewEncrypter(bytes.NewReader(file))
	if err != nil {
		panic(err)
	}
	encrypted, err = io.ReadAll(e)
	if err != nil {
		panic(err)
	}
	return encrypted, blaze.Attachment{ID: newID("file"), Size: int64(len(file)), Key: e.Key(), Digest: e.Digest()}
}

// Outcomes of a download.
var (
	damaged = outcome{text: "the error is ErrDamaged, and no byte of the file is delivered", check: func(r *run) {
		if !errors.Is(r.err, blaze.ErrDamaged) {
			r.t.Errorf("the error is %v", short(r.err))
		}
		if len(r.file) > 0 {
			r.t.Errorf("%d bytes were delivered before verification", len(r.file))
		}
	}}
	rejectedFile = outcome{text: "the download fails, and no byte is delivered", check: func(r *run) {
		if r.err == nil || len(r.file) > 0 {
			r.t.Errorf("the error is %v, after %d bytes", short(r.err), len(r.file))
		}
	}}
	// For an unencrypted file only the size can be checked, at its end.
	broken = outcome{text: "reading the unencrypted file ends with an error", check: func(r *run) {
		if r.err == nil {
			r.t.Errorf("no error after %d bytes", len(r.file))
		}
	}}
	whole = outcome{text: "the file is complete", check: func(r *run) {
		if r.err != nil || !bytes.Equal(r.file, plain) {
			r.t.Errorf("the error is %v, after %d bytes", short(r.err), len(r.file))
		}
	}}
)

// serves returns the attack of a storage host with a special response to the request for a file.
func serves(name string, o outcome, encrypted bool, answer func(r *run, p *peer, file []byte)) attack {
	file, a := storedFile(encrypted)
	return servesFile(name, o, file, a, answer)
}

// storedFile returns a file as the storage has it, and its attachment.
func storedFile(encrypted bool) ([]byte, blaze.Attachment) {
	if encrypted {
		return encryptedFile(plain)
	}
	return plain, blaze.Attachment{ID: newID("file"), Size: int64(len(plain))}
}

// servesFile is serves with a file of storedFile.
func servesFile(name string, o outcome, file []byte, a blaze.Attachment, answer func(*run, *peer, []byte)) attack {
	return attack{
		name: name, outcome: local(o),
		arm: func(r *run) {
			r.http = onPath("/files/", func(p *peer) { answer(r, p, file); _ = p.Conn.Close() })
		},
		does: func(r *run) {
			ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
			defer cancel()
			r.fetch(ctx, a)
			r.calm()
		},
	}
}

// fetch downloads a file. It records the error and the bytes before it.
func (r *run) fetch(ctx context.Context, a blaze.Attachment) {
	body, err := r.c.Download(ctx, a)
	if err == nil {
		r.file, err = io.ReadAll(body)
		_ = body.Close()
	}
	r.fails(err)
}

// changes is serves with a modified encrypted file.
func changes(name string, change func(file []byte) []byte) attack {
	return serves(name, damaged, true, func(_ *run, p *peer, file []byte) {
		_ = p.Say(response("200 OK", "", string(change(bytes.Clone(file)))))
	})
}

// flips returns a function that flips one bit.
func flips(at int) func([]byte) []byte {
	return func(file []byte) []byte {
		file[(at+len(file))%len(file)] ^= 1
		return file
	}
}

func storageAttacks() []attack {
	all := []attack{
		changes("a bit of the IV", flips(0)),
		changes("another bit of the IV", flips(15)),
		changes("a bit of the first block", flips(16)),
		changes("a bit in the middle", flips(500)),
		changes("a bit of the last block", flips(-33)),
		changes("a bit of the MAC", flips(-1)),
		changes("a file without its last byte", func(f []byte) []byte { return f[:len(f)-1] }),
		changes("a file without its last block", func(f []byte) []byte {
			return append(f[:len(f)-48], f[len(f)-32:]...)
		}),
		changes("a file without its MAC", func(f []byte) []byte { return f[:len(f)-32] }),
		changes("half of a file", func(f []byte) []byte { return f[:len(f)/2] }),
		changes("an IV alone", func(f []byte) []byte { return f[:16] }),
		changes("an empty file", func([]byte) []byte { return nil }),
		changes("a file and a byte", func(f []byte) []byte { return append(f, 0) }),
		changes("a file twice", func(f []byte) []byte { return append(f, f...) }),
		changes("two blocks exchanged", func(f []byte) []byte {
			for i := range 16 {
				f[32+i], f[48+i] = f[48+i], f[32+i]
			}
			return f
		}),
		changes("a file with another key", func([]byte) []byte { f, _ := encryptedFile(plain); return f }),
		changes("the file without encryption", func([]byte) []byte { return plain }),
		{
			name: "a bit of each byte in turn", outcome: damaged, work: 64 * mib,
			does: func(r *run) {
				file, a := encryptedFile(plain[:20])
				for i := range file {
					r.http = onPath("/files/", func(p *peer) {
						_ = p.Say(response("200 OK", "", string(flips(i)(bytes.Clone(file)))))
					})
					if r.fetch(r.ctx, a); !errors.Is(r.err, blaze.ErrDamaged) || len(r.file) > 0 {
						return
					}
				}
				r.calm()
			},
		},
	}
	for _, v := range []struct{ name, text string }{
		{"204", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"304", "HTTP/1.1 304 Not Modified\r\n\r\n"},
		{"401", response("401 Unauthorized", "Www-Authenticate: Basic realm=x\r\n", "")},
		{"404", response("404 Not Found", "", "<html>gone</html>")},
		{"a redirect to another host", response("302 Found", "Location: https://evil.test/x\r\n", "")},
		{"a redirect to this machine", response("307 Temporary", "Location: http://127.0.0.1:22/x\r\n", "")},
		{"a redirect to a file", response("301 Moved", "Location: file:///etc/passwd\r\n", "")},
	} {
		for _, encrypted := range []bool{true, false} {
			name := v.name + " in place of a plain file"
			if encrypted {
				name = v.name + " in place of an encrypted file"
			}
			all = append(all, serves(name, rejectedFile, encrypted, func(_ *run, p *peer, _ []byte) {
				_ = p.Say(v.text)
			}))
		}
	}
	return append(append(append(all, bodyAttacks()...), urlAttacks()...), uploadAttacks()...)
}

// bodyAttacks are unusual bodies of files.
func bodyAttacks() []attack {
	const head = "HTTP/1.1 200 OK\r\n"
	zeros := strings.Repeat("\x00", 64*kib)
	endless := func(name string, o outcome, encrypted bool, first string) attack {
		check := o.check
		o.check = func(r *run) {
			check(r)
			if r.written > 4*mib {
				r.t.Errorf("%d bytes were read of a file of %d", r.written, len(plain))
			}
		}
		return serves(name, o, encrypted, func(r *run, p *peer, _ []byte) {
			_ = p.Say(first)
			r.written = p.repeat([]byte(zeros), 256*mib)
		})
	}
	return []attack{
		serves("206 and all of a plain file", rejectedFile, false, func(_ *run, p *peer, f []byte) {
			_ = p.Say(response("206 Partial Content", "Content-Range: bytes 0-999/1000\r\n", string(f)))
		}),
		serves("206 and all of an encrypted file", rejectedFile, true, func(_ *run, p *peer, f []byte) {
			_ = p.Say(response("206 Partial Content", "Content-Range: bytes 0-999/1000\r\n", string(f)))
		}),
		serves("203 and all of a plain file", rejectedFile, false, func(_ *run, p *peer, f []byte) {
			_ = p.Say(response("203 Other", "", string(f)))
		}),
		serves("a truncated encrypted file", rejectedFile, true, func(_ *run, p *peer, f []byte) {
			_ = p.Say(head + "Content-Length: " + "100000\r\n\r\n" + string(f[:500]))
		}),
		serves("a truncated plain file", broken, false, func(_ *run, p *peer, f []byte) {
			_ = p.Say(head + "Content-Length: 1000\r\n\r\n" + string(f[:500]))
		}),
		serves("a plain file that is too short", broken, false, func(_ *run, p *peer, f []byte) {
			_ = p.Say(response("200 OK", "", string(f[1:])))
		}),
		serves("a plain file that is too long", broken, false, func(_ *run, p *peer, f []byte) {
			_ = p.Say(response("200 OK", "", string(f)+"!"))
		}),
		serves("unrequested gzip of an encrypted file", rejectedFile, true,
			func(_ *run, p *peer, f []byte) {
				_ = p.Say(response("200 OK", "Content-Encoding: gzip\r\n", string(wspeer.Gzip(string(f)))))
			}),
		serves("a bomb in place of a plain file", broken, false, func(_ *run, p *peer, _ []byte) {
			_ = p.Say(response("200 OK", "Content-Encoding: gzip\r\n", string(bomb(500))))
		}),
		serves("an encrypted file in chunks of a byte", whole, true, func(_ *run, p *peer, f []byte) {
			var b bytes.Buffer
			b.WriteString(head + "Transfer-Encoding: chunked\r\n\r\n")
			for _, c := range f {
				b.WriteString("1\r\n" + string([]byte{c}) + "\r\n")
			}
			_ = p.Say(b.String() + "0\r\n\r\n")
		}),
		endless("an encrypted file without end", rejectedFile, true, head+"\r\n"),
		endless("an encrypted file of a terabyte", rejectedFile, true, head+"Content-Length: 1099511627776\r\n\r\n"),
		endless("a plain file without end", broken, false, head+"\r\n"),
		endless("a plain file of a terabyte", broken, false, head+"Content-Length: 1099511627776\r\n\r\n"),
		endless("headers of a file without end", rejectedFile, true, head+"X-Filler: ").bounded(smallHeap, 64*mib),
		serves("no response", rejectedFile, true, func(_ *run, p *peer, _ []byte) { <-closed(p) }),
		serves("an encrypted file, a byte a second", rejectedFile, true, func(_ *run, p *peer, _ []byte) {
			_ = p.Say(head + "Content-Length: 1072\r\n\r\n")
			p.trickle([]byte("x"), time.Second, time.Hour)
		}),
	}
}

// urlAttacks are invalid or forbidden URLs of files.
func urlAttacks() (all []attack) {
	for _, v := range []struct{ name, url string }{
		{"no URL", ""},
		{"a URL without a host", "http:///files/x"},
		{"a relative URL", "/files/x"},
		{"a file URL", "file:///etc/passwd"},
		{"an FTP URL", "ftp://localhost/files/x"},
		{"a gopher URL", "gopher://localhost:25/_HELO"},
		{"a javascript URL", "javascript:alert(1)"},
		{"a URL with a line break", "http://localhost/files/x\r\nX-Evil: 1"},
		{"a URL with a line break in the host", "http://localhost\r\nX-Evil: 1/files/x"},
		{"plain HTTP to another host", "http://evil.test/files/x"},
		{"a URL of a megabyte", "http://localhost.evil.test/" + strings.Repeat("a", mib)},
		{"an invalid host in brackets", "http://[::1/files/x"},
	} {
		answer := data(map[string]any{"attachment_id": newID("file"), "upload_url": v.url, "view_url": v.url})
		for _, call := range []string{"download", "upload"} {
			all = append(all, attack{
				name: v.name + ", for " + call, outcome: local(rejectedFile), heap: 48 * mib, work: 128 * mib,
				arm: func(r *run) {
					r.http = func(p *peer, _ []byte) bool {
						return strings.HasPrefix(p.Request.URL.Path, "/attachments") && p.Say(answer) == nil
					}
				},
				does: func(r *run) {
					if _, a := encryptedFile(plain); call == "download" {
						r.fetch(r.ctx, a)
					} else {
						_, err := r.c.Upload(r.ctx, bytes.NewReader(plain), int64(len(plain)))
						r.fails(err)
					}
					r.calm()
				},
			})
		}
	}
	const user = "http://user:password@localhost/files/x"
	return append(all, attack{
		name: "a URL with a user", outcome: local(outcome{text: "the user of the URL is not sent", check: func(r *run) {
			whole.check(r)
			if r.number != 1 {
				r.t.Errorf("%d requests without an Authorization header", r.number)
			}
		}}),
		arm: func(r *run) {
			r.http = func(p *peer, _ []byte) bool {
				switch {
				case strings.HasPrefix(p.Request.URL.Path, "/files/"):
					if p.auth == "" {
						r.number++
					}
					return p.Say(response("200 OK", "", string(plain))) == nil
				case strings.HasPrefix(p.Request.URL.Path, "/attachments/"):
					return p.Say(data(map[string]any{"attachment_id": newID("file"), "view_url": user})) == nil
				}
				return false
			}
		},
		does: func(r *run) {
			r.fetch(r.ctx, blaze.Attachment{ID: newID("file"), Size: int64(len(plain))})
			r.calm()
		},
	})
}

// uploadAttacks are responses of a storage host to an upload.
func uploadAttacks() (all []attack) {
	ends := func(text string, ok bool) outcome {
		return outcome{text: text, check: func(r *run) {
			if (r.err == nil) != ok {
				r.t.Errorf("the error is %v", short(r.err))
			}
		}}
	}
	stored, fails := ends("the upload succeeds because of the status", true), ends("the upload fails", false)
	put := func(name string, o outcome, answer func(r *run, p *peer)) attack {
		return attack{
			name: name, outcome: local(o),
			arm: func(r *run) {
				r.http = func(p *peer, _ []byte) bool {
					if p.Request.Method != "PUT" {
						return false
					}
					answer(r, p)
					_ = p.Conn.Close()
					return true
				}
			},
			does: func(r *run) {
				ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
				defer cancel()
				_, err := r.c.Upload(ctx, bytes.NewReader(plain), int64(len(plain)))
				r.fails(err)
				r.calm()
			},
		}
	}
	const head = "HTTP/1.1 200 OK\r\n"
	for _, v := range []struct{ name, text string }{
		{"an upload with the response 403", response("403 Forbidden", "", "<Error>expired</Error>")},
		{"an upload with the response 500", response("500 Oops", "", "")},
		{"a redirect of an upload", response("307 Temporary", "Location: https://evil.test/\r\n", "")},
		{"an upload with the response 304", "HTTP/1.1 304 Not Modified\r\n\r\n"},
		{"an upload without a response", ""},
		{"an upload with the response 101", "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
	} {
		all = append(all, put(v.name, fails, func(_ *run, p *peer) { _ = p.Say(v.text) }))
	}
	return append(all,
		put("200 with a stalled body", stored, func(_ *run, p *peer) {
			_ = p.Say(head + "Content-Length: 10\r\n\r\n1")
			<-closed(p)
		}),
		put("200 with stalled chunks", stored, func(_ *run, p *peer) {
			_ = p.Say(head + "Transfer-Encoding: chunked\r\n\r\n")
			<-closed(p)
		}),
		put("200 with an endless body", stored, func(r *run, p *peer) {
			_ = p.Say(head + "\r\n")
			r.written = p.repeat(slices.Repeat([]byte("x"), 16*kib), 64*mib)
		}),
		put("no response to an upload", fails, func(_ *run, p *peer) { <-closed(p) }),
		put("100 Continue without end after an upload", fails, func(r *run, p *peer) {
			r.written = p.repeat(slices.Repeat([]byte("HTTP/1.1 100 Continue\r\n\r\n"), 100), 64*mib)
		}).bounded(32*mib, 256*mib),
		attack{
			name: "an attachment without an id", outcome: fails,
			arm: func(r *run) {
				r.http = onPath("/attachments", func(p *peer) {
					_ = p.Say(data(map[string]any{"upload_url": "http://localhost/files/x"}))
				})
			},
			does: func(r *run) {
				_, err := r.c.Upload(r.ctx, bytes.NewReader(plain), int64(len(plain)))
				r.fails(err)
				r.calm()
			},
		},
	)
}
