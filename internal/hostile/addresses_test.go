package hostile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/testkit"
)

// Hosts of a service on other machines. If the API is on this machine, files may be on this machine too.
const (
	blazeHost   = "blaze.hostile.test"
	apiHost     = "api.hostile.test"
	storageHost = "storage.hostile.test"
)

// certificate returns a certificate for all hosts and a pool with it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	from, to := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	cert, roots, err := testkit.Certificate(from, to, blazeHost, apiHost, storageHost)
	if err != nil {
		panic(err)
	}
	return cert, roots
})

// remote configures the Client for a service on other machines.
func remote(cfg *blaze.Config) {
	_, roots := certificate()
	cfg.Endpoints, cfg.API = []string{"wss://" + blazeHost + "/"}, "https://"+apiHost
	cfg.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// secure turns on TLS.
func (s *server) secure() {
	cert, _ := certificate()
	s.wrap = func(c net.Conn) net.Conn {
		return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
}

// inside lists hosts in the Client's network or on its machine, in many notations.
var inside = []struct{ name, host string }{
	{"loopback", "127.0.0.1"},
	{"another loopback address", "127.255.255.254"},
	{"loopback with a port", "127.0.0.1:8443"},
	{"loopback in two parts", "127.1"},
	{"loopback as one number", "2130706433"},
	{"loopback as one hexadecimal number", "0x7f000001"},
	{"loopback as an octal number", "0177.0.0.1"},
	{"loopback in mixed numbers", "0x7f.1"},
	{"loopback with a trailing dot", "127.0.0.1."},
	{"loopback, percent-encoded", "%31%32%37.0.0.1"},
	{"loopback in full-width digits", "１２７.0.0.1"},
	{"loopback with ideographic full stops", "127。0。0。1"},
	{"loopback of IPv6", "[::1]"},
	{"loopback of IPv6 in full", "[0:0:0:0:0:0:0:1]"},
	{"loopback within IPv6", "[::ffff:127.0.0.1]"},
	{"loopback within IPv6, hexadecimal", "[::ffff:7f00:1]"},
	{"loopback in the old form of IPv6", "[::127.0.0.1]"},
	{"loopback behind NAT64", "[64:ff9b::7f00:1]"},
	{"loopback behind 6to4", "[2002:7f00:1::]"},
	{"localhost", "localhost"},
	{"localhost in capitals", "LOCALHOST"},
	{"localhost with a dot", "localhost."},
	{"a name below localhost", "metadata.localhost"},
	{"the unspecified address", "0.0.0.0"},
	{"zero", "0"},
	{"the unspecified address of IPv6", "[::]"},
	{"the metadata of a cloud", "169.254.169.254"},
	{"the metadata of a cloud as one number", "2852039166"},
	{"the metadata of a cloud within IPv6", "[::ffff:a9fe:a9fe]"},
	{"the metadata of a cloud by IPv6", "[fd00:ec2::254]"},
	{"link-local IPv6", "[fe80::1]"},
	{"link-local IPv6 with a zone", "[fe80::1%25eth0]"},
	{"a private network of class A", "10.1.2.3"},
	{"a private network of class B", "172.31.255.255"},
	{"a private network of class C", "192.168.1.1"},
	{"a private network behind NAT64", "[64:ff9b::a01:203]"},
	{"unique local IPv6", "[fc00::1]"},
	{"the network of a carrier", "100.64.0.1"},
	{"multicast", "224.0.0.1"},
	{"multicast of IPv6", "[ff02::1]"},
	{"broadcast", "255.255.255.255"},
}

// addressAttacks are URLs of files on hosts in the Client's network. They are rejected before any connection.
func addressAttacks() (all []attack) {
	o := outcome{text: "the URL is rejected before any connection, and the next one works", check: func(r *run) {
		if r.err == nil {
			r.t.Errorf("no error")
		}
		for _, host := range r.hosts() {
			if name, _, _ := net.SplitHostPort(host); !slices.Contains([]string{blazeHost, apiHost, storageHost},
				name) {
				r.t.Errorf("a connection to %.100q", host)
			}
		}
	}}
	for i, v := range inside {
		up := i%4 == 3 // downloads and uploads have the same check
		name := "a download from " + v.name
		if up {
			name = "an upload to " + v.name
		}
		all = append(all, attack{
			name: name, outcome: o, config: remote,
			arm: func(r *run) {
				r.secure()
				r.http = storageAt("https://" + v.host + "/files/x")
			},
			does: func(r *run) {
				if up {
					_, err := r.c.Upload(r.ctx, bytes.NewReader(plain), int64(len(plain)))
					r.fails(err)
				} else {
					r.fetch(r.ctx, blaze.Attachment{ID: newID("file"), Size: int64(len(plain))})
				}
				r.http = storageAt("https://" + storageHost + "/files/x")
				file, err := download(r, blaze.Attachment{ID: newID("file"), Size: int64(len(plain))})
				if err != nil || !bytes.Equal(file, plain) {
					r.t.Errorf("a file on an allowed host: %v", short(err))
				}
			},
		})
	}
	return all
}

// storageAt returns a hook that serves a file and returns url for all files.
func storageAt(url string) func(p *peer, body []byte) bool {
	return func(p *peer, _ []byte) bool {
		switch path := p.Request.URL.Path; {
		case strings.HasPrefix(path, "/attachments"):
			return p.Say(data(map[string]any{
				"attachment_id": newID("file"), "upload_url": url,
				"view_url": url,
			})) == nil
		case strings.HasPrefix(path, "/files/") && p.Request.Method == "GET":
			return p.Say(response("200 OK", "", string(plain))) == nil
		}
		return false
	}
}
