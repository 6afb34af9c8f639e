// Package hostile attacks a Client. Its tests are a table. Each row has the action of a hostile server, storage host,
// user or file, the outcome that the library guarantees, and bounds on memory, work and log. make hostile runs the
// whole table; go test runs a third of each area.
//
// The server of the attacks is in the same process as the Client and shares no code with it, so the measured memory
// includes the server's. Time is virtual (testing/synctest): an attack may take hours. Only the memory is sampled in
// real time.
package hostile
