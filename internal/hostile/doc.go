// Package hostile attacks a Client. Its tests are a table: each row names what a hostile server, storage host, user or
// file does, the outcome that the library promises, and bounds on the memory, on the work and on the log. make hostile
// runs the whole table; go test runs every third row of each area.
//
// The server of the attacks is in the same process as the Client and shares no code with it, so the memory that is
// measured includes the server's. Time is that of testing/synctest: an attack may take hours. Only the memory is
// sampled in real time.
package hostile
