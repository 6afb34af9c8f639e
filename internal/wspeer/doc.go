// Package wspeer is the server's end of a websocket, for tests that need a hostile one. It is written by hand from RFC
// 6455 and RFC 1952, shares no code with the client or with blazetest, and writes whatever it is told to.
package wspeer
