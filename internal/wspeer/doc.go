// Package wspeer implements the server's end of a websocket, for tests that need a hostile server. It is written from
// RFC 6455 and RFC 1952, shares no code with the client or with blazetest, and writes any bytes, valid or not.
package wspeer
