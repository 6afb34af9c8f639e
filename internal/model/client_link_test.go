package model

import "slices"

// connect starts a link.
func (c *client) connect() {
	c.up = true
	c.closed, c.then = [convs]bool{}, [convs]int{}
	c.closedAll, c.most, c.low, c.due = false, 0, false, false
	c.allEarly()
	if c.cautious {
		c.window, c.cautious = 1, false
	}
	c.took()
}

func (c *client) quiesce() {
	c.quiet = true
	for _, r := range c.owed {
		c.awaited[r] = true
	}
	if c.solo != none && !c.soloWritten && !isAck(c.solo) {
		c.endTurn()
	}
	c.took()
}

func (c *client) canReplace() bool { return c.quiet && !slices.Contains(c.awaited[:], true) }

// The ends of a link.

func (c *client) replace() { c.down(false) }
func (c *client) leave()   { c.down(false) }
func (c *client) hangUp()  { c.down(true) }
func (c *client) lose()    { c.down(true) }

func (c *client) down(lost bool) {
	c.cautious = lost && len(c.owed) > 0 || c.window > 0
	blamed, alone := none, 0
	if lost && len(c.owed) > 0 && !c.quiet && (c.answered || !c.listWritten) {
		blamed = c.owed[0]
		if c.soloWritten {
			blamed = c.solo
			if c.answered {
				alone = 1
			}
		}
	}
	c.up, c.quiet, c.answered, c.listWritten, c.listOwed = false, false, false, false, false
	c.solo, c.soloWritten, c.window, c.listPassed = none, false, 0, false
	c.owed, c.awaited = nil, [ackFrames + sends]bool{}
	for _, r := range c.order {
		if c.rq[r] == written {
			c.rq[r] = waiting
		}
	}
	if blamed != none {
		c.blame(blamed, alone)
	}
	c.took()
}

func (c *client) blame(r, alone int) {
	c.alone[r] += alone
	c.blamed[r] = min(c.blamed[r]+1, suspectFrom)
	switch {
	case c.alone[r] == attempts:
		c.ended(r, unconfirmed)
	case c.blamed[r] == suspectFrom && c.several(r):
		c.splitFamily(r)
	case c.blamed[r] == suspectFrom:
		c.order = append(without(c.order, r), r)
		c.allEarly()
	}
}

func (c *client) several(r int) bool { return isAck(r) && c.mask[r]&(c.mask[r]-1) != 0 }

// splitFamily splits r. If no acknowledgement of several messages was confirmed, it splits all of them.
func (c *client) splitFamily(r int) {
	for x := range ackFrames {
		if x == r || !c.proven && c.several(x) {
			c.blamed[x] = 0
			c.split(x)
		}
	}
}

// split replaces an acknowledgement by one for each of its ids, in the same place.
func (c *client) split(r int) {
	whole := c.mask[r]
	for c.mask[r]&(c.mask[r]-1) != 0 {
		part := slices.Index(c.rq[:ackFrames], free)
		c.mask[part] = c.mask[r] & (c.mask[r] - 1)
		c.mask[r] &^= c.mask[part]
		c.whole[r] = whole
		c.rq[part], c.early[part] = waiting, true
		c.order = slices.Insert(c.order, slices.Index(c.order, r)+1, part)
		r = part
	}
	c.whole[r] = whole
}
