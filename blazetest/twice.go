package blazetest

import "strconv"

// Simultaneous connections of the session are detected with pings. A client that has replaced a connection does not
// answer pings on the old one, even if the server learns late that it has ended.

// ping returns the payload of a ping: the number of connections so far.
func (c *conn) ping() []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return strconv.AppendInt(nil, int64(c.s.links), 10)
}

// pong reports simultaneous connections. All of them are served.
func (c *conn) pong(payload []byte) {
	known, err := strconv.Atoi(string(payload))
	if err != nil {
		return // unsolicited
	}
	if newer := c.newer(known); newer > 0 {
		c.s.fault("the session has two connections at once, %d and %d; Mixin does not document the effect, "+
			"blazetest serves both", c.link, newer)
	}
}

// newer returns the number of a newer connection that existed when the ping was queued and still exists. It returns 0
// if there is none, or nothing is to be reported.
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
