package blaze

import (
	"slices"
	"sync"

	"github.com/gofrs/uuid/v5"
)

// replyCounter numbers the equal replies of one attempt, so that each has its own id. It has only two words, because it
// is allocated with every incoming Message.
type replyCounter struct {
	mu   sync.Mutex
	made *madeReplies // nil until the first reply
}

// madeReplies holds the replies of one attempt.
type madeReplies struct {
	equal map[string]ordinals // by answer.key
	ended *endedReplies       // nil until the first Reply, Quote or failed attempt
}

// ordinals are the ordinals of equal replies.
type ordinals struct {
	next  int
	again []int // of unconfirmed replies, in ascending order
}

// replies returns c.made. The caller holds c.mu.
func (c *replyCounter) replies() *madeReplies {
	if c.made == nil {
		c.made = new(madeReplies)
	}
	return c.made
}

// ordinal returns the ordinal of a reply: the number of equal ones before it. With mayRepeat, it reuses the lowest
// ordinal that was given back.
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

// giveBack makes ordinal n available to the next equal reply that may repeat.
func (c *replyCounter) giveBack(key string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.made.equal[key]
	o.again = append(o.again, n)
	slices.Sort(o.again)
	c.made.equal[key] = o
}

// ended returns the replies that have ended. It is shared with the next attempt.
func (c *replyCounter) ended() *endedReplies {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.replies()
	if made.ended == nil {
		made.ended = new(endedReplies)
	}
	return made.ended
}

// replyEnd is the result of a reply so far.
type replyEnd uint8

const (
	unknownEnd replyEnd = iota
	unanswered          // it was written and may have been stored
	stored
)

// endedReplies holds the ids of the replies to one message, in all attempts, that were confirmed or may have been
// stored.
type endedReplies struct {
	mu    sync.Mutex
	all   []endedReply
	first [1]endedReply // first elements of all: most handlers reply once
}

type endedReply struct {
	id  uuid.UUID
	end replyEnd
}

// of returns the result of the reply with the given id.
func (r *endedReplies) of(id uuid.UUID) replyEnd {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(id); i >= 0 {
		return r.all[i].end
	}
	return unknownEnd
}

// maxEnded bounds the remembered replies to one message. The first ones are kept, because attempts make replies in the
// same order. Each attempt writes the others again, with the same ids.
const maxEnded = 256

// note records the result of a reply. A stored reply stays stored.
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
	if len(r.all) >= maxEnded {
		return
	}
	r.all = append(r.all, endedReply{id, end})
}

// index returns the index in r.all of the reply with the given id, or -1. The caller holds r.mu.
func (r *endedReplies) index(id uuid.UUID) int {
	return slices.IndexFunc(r.all, func(one endedReply) bool { return one.id == id })
}
