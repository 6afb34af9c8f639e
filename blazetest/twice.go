package blazetest

import "strconv"

// Whether two connections of the session are there at once is asked with pings: a client that has replaced a connection
// does not answer on the old one, however late the server learns that it has ended.

// ping returns the payload of a ping: how many connections there were.
func (c *conn) ping() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return strconv.AppendInt(nil, int64(c.s.links), 10)
}

// pong reports that the client has this connection and a newer one, if it does. Both are served.
func (c *conn) pong(payload []byte) {
	known, err := strconv.Atoi(string(payload))
	if err != nil {
		return // unasked
	}
	if newer := c.newer(known); newer > 0 {
		c.s.fault("the session has two connections at once, %d and %d: the service does not say what becomes of them; "+
			"here both are served", c.link, newer)
	}
}

// newer returns the number of a newer connection that there was when a ping was queued, and is now. 0 means that there
// is none, or that there is nothing to report.
func (c *conn) newer(known int) int {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lenient || s.twice || c.rejected || c.Ending() {
		return 0
	}
	for _, other := range s.conns {
		if other.link > c.link && other.link <= known && !other.rejected && !other.Ending() {
			s.twice = true
			return other.link
		}
	}
	return 0
}
