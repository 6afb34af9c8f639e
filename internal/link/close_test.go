package link_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/link"
	"github.com/mixin-blaze/blaze/internal/wspeer"
)

func TestCloseWaitsForThePeersClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		closed := make(chan struct{})
		go func() {
			r.Close(time.Minute)
			close(closed)
		}()
		f, err := r.peer.ReadFrame()
		require.NoError(t, err)
		assert.Equal(t, wspeer.Final|wspeer.Close, f.First)
		assert.Equal(t, "\x03\xE8", string(f.Payload))
		time.Sleep(time.Second - 1)
		r.send(named("late")) // frames before the peer's close frame are delivered
		assert.Equal(t, []string{"late"}, r.ids())
		r.send(wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1000, "")))
		assert.Equal(t, link.ErrClosed, r.ended())
		<-closed
		assert.Equal(t, time.Second-1, time.Since(r.born))
		_, err = r.peer.ReadFrame()
		assert.ErrorIs(t, err, io.EOF, "nothing follows a close frame")
	})
}

func TestCloseIsBounded(t *testing.T) {
	peers := map[string]func(r *rig){
		"that does not answer": func(r *rig) { r.collect(true) },
		"that does not read":   func(*rig) {},
		"that continues to send": func(r *rig) {
			r.collect(true)
			more := named("more")
			r.readers.Go(func() {
				for {
					if _, err := r.peer.Write(more); err != nil {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		},
	}
	patience := map[time.Duration]time.Duration{
		time.Hour: time.Second, time.Second: time.Second, 300 * time.Millisecond: 300 * time.Millisecond, 0: 0, -1: 0,
	}
	for name, peer := range peers {
		for patience, want := range patience {
			for _, frames := range [][]string{nil, {"stuck"}} {
				t.Run(fmt.Sprint(name, " ", patience, " ", frames), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						r := connect(t, newSource(frames...))
						synctest.Wait()
						peer(r)
						r.Close(patience)
						assert.Equal(t, want, time.Since(r.born))
						assert.Equal(t, link.ErrClosed, r.ended())
					})
				})
			}
		}
	}
}

// If the peer hangs up or answers with another code, the link still ends with the error of its owner's Close.
func TestCloseIsAnsweredDifferently(t *testing.T) {
	for name, answer := range map[string][]byte{
		"hangs up": nil, "code 4000": wspeer.Whole(wspeer.Close, wspeer.ClosePayload(4000, "own reason")),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := connect(t, newSource())
				r.readers.Go(func() {
					_, _ = r.peer.ReadFrame()
					_, _ = r.peer.Write(answer)
					_ = r.peer.Close()
				})
				r.Close(time.Minute)
				assert.Equal(t, r.born, time.Now())
				assert.Equal(t, link.ErrClosed, r.Err())
			})
		})
	}
}

// If both sides close at the same time, the first close frame counts.
func TestBothClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource("busy"))
		synctest.Wait()
		r.readers.Go(func() { r.Close(time.Minute) })
		synctest.Wait()
		r.send(wspeer.Whole(wspeer.Close, wspeer.ClosePayload(4000, "")))
		r.collect(false)
		frames := r.collected()
		require.Len(t, frames, 2)
		assert.Equal(t, "busy", decompress(t, frames[0].Payload))
		assert.Equal(t, wspeer.ClosePayload(1000, ""), frames[1].Payload)
		assert.Equal(t, link.ErrClosed, r.ended())
	})
}

func TestFailEndsTheLinkAtOnce(t *testing.T) {
	states := map[string]func(t *testing.T) *rig{
		"new":  func(t *testing.T) *rig { return connect(t, newSource()) },
		"idle": func(t *testing.T) *rig { r := connect(t, newSource()); r.lives(); return r },
		"in a write": func(t *testing.T) *rig {
			r := connect(t, newSource("stuck"))
			synctest.Wait()
			return r
		},
		"in a message": func(t *testing.T) *rig {
			r := connect(t, newSource())
			r.send(named("x")[:10])
			return r
		},
		"closing": func(t *testing.T) *rig {
			r := connect(t, newSource())
			r.collect(true)
			r.readers.Go(func() { r.Close(time.Minute) })
			synctest.Wait()
			return r
		},
		"closing behind a write": func(t *testing.T) *rig {
			r := connect(t, newSource("stuck"))
			r.readers.Go(func() { r.Close(time.Minute) })
			synctest.Wait()
			return r
		},
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := state(t)
				r.Fail(assert.AnError)
				<-r.Done()
				assert.Equal(t, r.born, time.Now())
				assert.Equal(t, assert.AnError, r.Err())
				_, err := io.Copy(io.Discard, r.peer)
				assert.NoError(t, err, "the connection is closed")
				assert.LessOrEqual(t, len(r.collected()), 1, "at most the close frame of Close")
			})
		})
	}
}

func TestTheFirstReasonCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := connect(t, newSource())
		r.Fail(assert.AnError)
		r.Fail(io.EOF)
		r.Close(time.Minute)
		<-r.Done()
		r.Fail(io.EOF)
		r.Close(0)
		r.Close(time.Minute)
		assert.Equal(t, assert.AnError, r.Err())
		assert.Equal(t, r.born, time.Now())
	})
}

func TestCloseAndFailAtTheSameTime(t *testing.T) {
	for i := range 200 {
		synctest.Test(t, func(t *testing.T) {
			r := connect(t, newSource("a", "b"))
			if i%2 == 0 {
				r.collect(true)
			}
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { r.Close(time.Minute) })
				wg.Go(func() { r.Close(0) })
				wg.Go(func() { r.Fail(assert.AnError) })
				wg.Go(func() { _, _ = r.peer.Write(wspeer.Whole(wspeer.Close, wspeer.ClosePayload(1001, ""))) })
			}
			<-r.Done()
			assert.Equal(t, r.born, time.Now())
			_ = r.peer.Close()
			wg.Wait()
		})
	}
}

// certificates returns the TLS configs of a test server, and of a client that trusts it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates}, &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

// overTLS is like connect, over TLS.
func overTLS(t *testing.T, src link.Source, serverTLS, clientTLS *tls.Config) *rig {
	t.Helper()
	client, server := pipe()
	r := &rig{t: t, conn: client, line: server, peer: wspeer.New(tls.Server(server, serverTLS)), log: new(log)}
	go func() {
		if r.peer.ReadHead() == nil {
			_, _ = io.WriteString(r.peer, r.peer.Upgrade())
		}
	}()
	var err error
	r.Link, err = link.Dial(t.Context(),
		link.Config{URL: "wss://blaze.test/", Token: token, DialContext: dialTo(client), TLS: clientTLS})
	require.NoError(t, err)
	r.start(src)
	return r
}

// Closing a TLS connection writes an alert, which can take seconds if the peer does not read.
func TestTheEndOfATLSLink(t *testing.T) {
	t.Run("fail", func(t *testing.T) {
		serverTLS, clientTLS := certificates(t)
		bubble(t, func(t *testing.T) {
			r := overTLS(t, newSource(), serverTLS, clientTLS)
			r.lives()
			r.Fail(assert.AnError)
			<-r.Done()
			assert.Equal(t, r.born, time.Now())
		})
	})
	t.Run("close", func(t *testing.T) {
		serverTLS, clientTLS := certificates(t)
		bubble(t, func(t *testing.T) {
			r := overTLS(t, newSource("stuck"), serverTLS, clientTLS)
			synctest.Wait()
			r.Close(time.Minute)
			assert.Equal(t, time.Second, time.Since(r.born))
			assert.Equal(t, link.ErrClosed, r.Err())
		})
	})
	t.Run("close, read by the peer", func(t *testing.T) {
		serverTLS, clientTLS := certificates(t)
		bubble(t, func(t *testing.T) {
			r := overTLS(t, newSource(), serverTLS, clientTLS)
			r.readers.Go(func() { _, _ = r.peer.ReadFrame() })
			r.Close(time.Minute)
			assert.Equal(t, time.Second, time.Since(r.born))
		})
	})
	t.Run("write", func(t *testing.T) {
		serverTLS, clientTLS := certificates(t)
		bubble(t, func(t *testing.T) {
			r := overTLS(t, newSource("stuck"), serverTLS, clientTLS)
			<-r.Done()
			assert.Equal(t, 11*time.Second, time.Since(r.born), "including one second to read replies")
			assert.ErrorContains(t, r.Err(), "write: ")
		})
	})
}

// No goroutine of the package is left after Done, on a connection of the operating system.
func TestNoGoroutineIsLeft(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	for i := range 20 {
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p := wspeer.New(c)
			defer func() { _ = p.Close() }()
			if p.ReadHead() == nil {
				_, _ = io.WriteString(p, p.Upgrade())
				_, _ = p.Write(named("hello"))
			}
			f, _ := p.ReadFrame()
			_, _ = p.Write(wspeer.Encode(f.First, f.Payload))
		}()
		l, err := link.Dial(context.Background(), tcp("http://"+ln.Addr().String()))
		require.NoError(t, err)
		l.Start(newSource(), new(log).hooks())
		if i%2 == 0 {
			l.Close(time.Minute)
		} else {
			l.Fail(assert.AnError)
		}
		<-l.Done()
		<-served
	}
	// A goroutine that has just closed Done may not have returned yet. It runs no more code of the package than its
	// last line.
	stacks := make([]byte, 1<<20)
	for range 1_000_000 {
		stacks = stacks[:cap(stacks)]
		if stacks = stacks[:runtime.Stack(stacks, true)]; !strings.Contains(string(stacks), "link.(*Link)") {
			return
		}
		runtime.Gosched()
	}
	assert.Fail(t, "goroutines are left", string(stacks))
}
