// Package peers tests package blazetest with clients that other people wrote: Mixin's SDK for Node, as it is published.
// The programs are installed by make test-peers.
package peers
