// Package serve is the service's side of Blaze, as far as it needs no memory: it checks tokens, makes websockets of
// handshakes, reads and writes frames, pings, and checks the params of requests. It knows what the wire knows. What a
// request does is its caller's business.
package serve
