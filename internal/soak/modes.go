package soak

import (
	"time"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/internal/backoff"
	"github.com/mixin-blaze/blaze/internal/bounds"
)

// mode is the configuration of one process of the bot.
type mode struct {
	ack                           blaze.AckMode
	workers, outboxLen, ackBatch  int
	handlerAttempts, sendAttempts int
	inboxBytes                    int64
	drain                         time.Duration
	hasLimiter                    bool // a Limiter is configured
	memoryLedger                  bool // the client's default Ledger, which ends with the process
	small                         bool // small queues; the process ends after smallMessages messages
}

// mode draws the configuration of a process. The first process has the defaults, so that the client detects the plural
// actions. The last process drops failing messages early, because the run waits for it.
func (s script) mode(process int, o *Options, t *times) mode {
	m := mode{
		workers: 16, outboxLen: 256, ackBatch: 80, handlerAttempts: 8, sendAttempts: 5, inboxBytes: o.InboxBytes,
		drain: 100 * t.reply,
	}
	if o.FailFast {
		m.drain = 3 * t.reply
	}
	if process == 0 || o.Plain {
		return m
	}
	m.ack = []blaze.AckMode{blaze.AckHandled, blaze.AckManual, blaze.AckHandled, blaze.AckReceived}[process%4]
	m.workers = s.one(process, 0, 64, 128, 32)
	m.outboxLen = s.one(process, 1, 256, 64, 1024)
	m.ackBatch = s.one(process, 2, 80, 100, 30)
	m.handlerAttempts = s.one(process, 3, 8, 3, -1)
	m.sendAttempts = s.one(process, 4, 5, 3, -1)
	m.inboxBytes = o.InboxBytes * int64(s.one(process, 5, 100, 1, 100, 100))
	m.hasLimiter = process%3 == 1
	m.memoryLedger = process%5 == 4
	if process == o.Processes-1 {
		m.handlerAttempts = 3
		return m
	}
	m.drain = time.Duration(s.one(process, 7, int(m.drain), int(m.drain), int(t.reply/15), -1))
	if process%8 == 5 {
		m.workers, m.outboxLen, m.inboxBytes, m.small = 1, 8, o.InboxBytes/20, true
		m.ackBatch = s.one(process, 2, 1, 7)
	}
	return m
}

// one draws one of several values.
func (s script) one(process int, what uint64, values ...int) int {
	return values[s.draw(forMode+1000*(what+1), process, len(values))]
}

// smallMessages is the maximum number of messages of a small process.
const smallMessages = 1000

// ends returns, for each process, the number of created messages at which it ends. The last process ends when all
// messages are delivered.
func (s script) ends(o *Options, t *times) []int {
	each := o.Messages / o.Processes
	ends := make([]int, o.Processes)
	end := 0
	for p := range ends {
		if s.mode(p, o, t).small {
			end += min(each, smallMessages)
		} else {
			end += each
		}
		ends[p] = end
	}
	return ends
}

// times are durations that are minutes in production, and that a soak has to shorten.
type times struct {
	reconnects backoff.Policy
	bounds     bounds.Bounds
	reply      time.Duration // the client's ReplyTimeout
	failing    time.Duration // how long the handlers of a failing conversation fail
	pushPause  time.Duration // longest pause between two pushes of a slow connection
	poll       time.Duration // interval between two checks of the progress
}

// fast are the times of a soak. The default backoff between connections is for production: it doubles to 30 seconds if
// connections break as often as they do here.
var fast = times{
	reconnects: backoff.Policy{Base: 5 * time.Millisecond, Cap: 20 * time.Millisecond},
	bounds: bounds.Bounds{
		Ping: 100 * time.Millisecond, Silence: 300 * time.Millisecond, Message: 10 * time.Second,
		Pong: 2 * time.Second, MaxPong: 8 * time.Second,
		MaxReply: 3 * time.Second,
		Resync:   10 * time.Millisecond, MaxResync: 300 * time.Millisecond, Calm: 300 * time.Millisecond,
		Plural: 300 * time.Millisecond, MaxPlural: 2 * time.Second,
	},
	reply:     300 * time.Millisecond,
	failing:   1500 * time.Millisecond,
	pushPause: 10 * time.Millisecond,
	poll:      20 * time.Millisecond,
}
