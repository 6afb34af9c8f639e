package blaze

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/guard"
)

// guardTLS wraps the callbacks and private keys of a TLS configuration. net/http calls them on its own goroutines.
func guardTLS(c *tls.Config) {
	c.Certificates = slices.Clone(c.Certificates)
	for i := range c.Certificates {
		c.Certificates[i] = *guardedCertificate(&c.Certificates[i])
	}
	if ask := c.GetClientCertificate; ask != nil {
		c.GetClientCertificate = func(info *tls.CertificateRequestInfo) (cert *tls.Certificate, err error) {
			err = apart("TLSClientConfig.GetClientCertificate", func() (err error) {
				if cert, err = ask(info); err == nil && cert == nil {
					err = errors.New("no certificate and no error from Config.TLSClientConfig.GetClientCertificate")
				}
				return err
			})
			return guardedCertificate(cert), err
		}
	}
	if verify := c.VerifyPeerCertificate; verify != nil {
		c.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
			return apart("TLSClientConfig.VerifyPeerCertificate", func() error { return verify(raw, chains) })
		}
	}
	c.VerifyConnection = guardedVerify("VerifyConnection", c.VerifyConnection)
	c.EncryptedClientHelloRejectionVerify = guardedVerify(
		"EncryptedClientHelloRejectionVerify", c.EncryptedClientHelloRejectionVerify)
	if now := c.Time; now != nil {
		c.Time = func() (at time.Time) {
			if apart("TLSClientConfig.Time", func() error { at = now(); return nil }) != nil {
				return time.Now()
			}
			return at
		}
	}
	if c.ClientSessionCache != nil {
		c.ClientSessionCache = guardedCache{c.ClientSessionCache}
	}
	if c.KeyLogWriter != nil {
		c.KeyLogWriter = guardedWriter{c.KeyLogWriter}
	}
	if c.Rand != nil {
		c.Rand = guardedRand{c.Rand}
	}
}

func guardedVerify(name string, verify func(tls.ConnectionState) error) func(tls.ConnectionState) error {
	if verify == nil {
		return nil
	}
	return func(state tls.ConnectionState) error {
		return apart("TLSClientConfig."+name, func() error { return verify(state) })
	}
}

// guardedCache is a cache of TLS sessions. The reader of a connection also calls it.
type guardedCache struct{ cache tls.ClientSessionCache }

// Get implements tls.ClientSessionCache. It returns no session if the cache fails.
func (g guardedCache) Get(key string) (session *tls.ClientSessionState, ok bool) {
	err := apart("TLSClientConfig.ClientSessionCache", func() error {
		session, ok = g.cache.Get(key)
		return nil
	})
	return session, ok && err == nil && holdsState(session)
}

// holdsState reports whether a session was made by package tls, which panics on an empty one.
func holdsState(session *tls.ClientSessionState) bool {
	if session == nil {
		return false
	}
	_, state, err := session.ResumptionState()
	return err == nil && state != nil
}

// Put implements tls.ClientSessionCache.
func (g guardedCache) Put(key string, session *tls.ClientSessionState) {
	// The error is ignored: without the session, the next handshake is a full one.
	_ = apart("TLSClientConfig.ClientSessionCache", func() error {
		g.cache.Put(key, session)
		return nil
	})
}

type guardedWriter struct{ w io.Writer }

// Write implements io.Writer.
func (g guardedWriter) Write(p []byte) (n int, err error) {
	err = apart("TLSClientConfig.KeyLogWriter", func() (err error) {
		n, err = g.w.Write(p)
		return err
	})
	return n, err
}

// guardedRand is a source of random bytes.
type guardedRand struct{ r io.Reader }

// Read implements io.Reader.
func (g guardedRand) Read(p []byte) (n int, err error) {
	err = apart("TLSClientConfig.Rand", func() (err error) {
		n, err = g.r.Read(p)
		n, err = guard.Count(n, len(p), err)
		return err
	})
	return n, err
}

// guardedCertificate returns a copy of a certificate. Its private key is guarded if its type is user code, such as the
// client of a hardware token.
func guardedCertificate(cert *tls.Certificate) *tls.Certificate {
	if cert == nil {
		return nil
	}
	out := *cert
	switch key := cert.PrivateKey.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
	case crypto.MessageSigner:
		out.PrivateKey = guardedMessageSigner{guardedSigner{key}, key}
	//mutant:guarded-key
	case crypto.Signer:
		out.PrivateKey = guardedSigner{key}
	}
	return &out
}

// guardedSigner is the private key of a certificate.
type guardedSigner struct{ key crypto.Signer }

// Public implements crypto.Signer. It returns nil if the key fails, which ends the handshake.
func (g guardedSigner) Public() (public crypto.PublicKey) {
	if apart(certificates, func() error { public = g.key.Public(); return nil }) != nil {
		return nil
	}
	return public
}

// Sign implements crypto.Signer.
func (g guardedSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	err = apart(certificates, func() (err error) {
		signature, err = g.key.Sign(random, digest, opts)
		return err
	})
	return signature, err
}

// guardedMessageSigner is a private key that hashes the message itself.
type guardedMessageSigner struct {
	guardedSigner
	messages crypto.MessageSigner
}

// SignMessage implements crypto.MessageSigner.
func (g guardedMessageSigner) SignMessage(
	random io.Reader, msg []byte, opts crypto.SignerOpts,
) (signature []byte, err error) {
	err = apart(certificates, func() (err error) {
		signature, err = g.messages.SignMessage(random, msg, opts)
		return err
	})
	return signature, err
}

const certificates = "TLSClientConfig.Certificates"
