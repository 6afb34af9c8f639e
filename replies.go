package blaze

import (
	"slices"
	"sync"

	"github.com/gofrs/uuid/v5"
)

// replyCounter numbers the equal replies of one attempt, so that each has an id of its own. It has two words only,
// because every Message that is received is allocated with one.
type replyCounter struct {
	mu   sync.Mutex
	made *madeReplies // nil until the first reply
}

// madeReplies are the replies of one attempt.
type madeReplies struct {
	equal map[string]ordinals // by their content
	ended *endedReplies       // nil until the first one ended
}

// ordinals are those of equal replies.
type ordinals struct {
	next  int
	again []int // of replies that were not confirmed, in ascending order
}

// replies returns c.made. The caller holds c.mu.
func (c *replyCounter) replies() *madeReplies {
	if c.made == nil {
		c.made = new(madeReplies)
	}
	return c.made
}

// ordinal returns the ordinal of a reply: how many equal ones were counted before. A reply that may repeat another one
// gets the ordinal of the first that was given back, if there is one.
func (c *replyCounter) ordinal(key string, mayRepeat bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.replies()
	if made.equal == nil {
		made.equal = make(map[string]ordinals)
	}
	o := made.equal[key]
	var n int
	if mayRepeat && len(o.again) > 0 {
		n = o.again[0]
		o.again = slices.Delete(o.again, 0, 1)
	} else {
		n = o.next
		o.next++
	}
	made.equal[key] = o
	return n
}

// giveBack lets the next equal reply that may repeat another one have the ordinal n.
func (c *replyCounter) giveBack(key string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.made.equal[key]
	o.again = append(o.again, n)
	slices.Sort(o.again)
	c.made.equal[key] = o
}

// ended returns the replies that ended. The next attempt shares them.
func (c *replyCounter) ended() *endedReplies {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.replies()
	if made.ended == nil {
		made.ended = new(endedReplies)
	}
	return made.ended
}

// replyEnd is how a reply ended so far.
type replyEnd uint8

const (
	unknownEnd replyEnd = iota
	unanswered          // it was written, and may have been stored
	stored
)

// endedReplies are the ids of the replies to one message that were confirmed, or may have been stored, in all of its
// attempts.
type endedReplies struct {
	mu    sync.Mutex
	all   []endedReply
	first [1]endedReply // the beginning of all: most handlers reply once
}

type endedReply struct {
	id  uuid.UUID
	end replyEnd
}

// of returns how the reply with an id ended.
func (r *endedReplies) of(id uuid.UUID) replyEnd {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(id); i >= 0 {
		return r.all[i].end
	}
	return unknownEnd
}

// mostEnded is for how many replies to one message it is remembered how they ended, the first ones: attempts make them
// in the same order. The others are written again by each attempt, with the same ids.
const mostEnded = 256

// note notes how a reply ended. A reply that was stored stays so.
func (r *endedReplies) note(id uuid.UUID, end replyEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(id); i >= 0 {
		r.all[i].end = max(r.all[i].end, end)
		return
	}
	if r.all == nil {
		r.all = r.first[:0]
	}
	//mutant:replies-bound
	if len(r.all) >= mostEnded {
		return
	}
	r.all = append(r.all, endedReply{id, end})
}

// index returns where the reply with an id is in r.all, or -1. The caller holds r.mu.
func (r *endedReplies) index(id uuid.UUID) int {
	return slices.IndexFunc(r.all, func(one endedReply) bool { return one.id == id })
}
