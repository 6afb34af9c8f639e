// Package serve is the stateless part of the service's side of Blaze. It checks tokens, upgrades handshakes to
// websockets, reads and writes frames, sends pings, and validates the params of requests. Its callers carry the
// requests out.
package serve
