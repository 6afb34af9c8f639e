package link

import "github.com/mixin-blaze/blaze/internal/wire"

// unit is some messages that were read one after the other, from reading them until they are handed on. An idle link
// has none: what it takes to inflate is large, and few links do at the same moment.
type unit struct {
	message []byte // the one that is being read
	raw     []byte // those that were, one after the other
	claimed int    // what they become after gunzip, as far as they say it
	frames  []arrival

	inflater wire.Inflater
	decoder  wire.Decoder
	after    <-chan struct{} // closed when the unit before it was handed on; nil: it was
}

// arrival is one message of a unit, and what became of it.
type arrival struct {
	size     int // in raw
	inflated bool
	skip     error // why it is not handed on
	received wire.Received
}

// Sizes of units and of what they keep.
const (
	// fullFrames is how many frames a unit has at most, however small they are.
	fullFrames = 128
	// From here on another core may inflate it: it takes tens of microseconds, and handing it over one or two.
	worthBytes = 2 << 10
	// What becomes so much is looked into by the reader, that is one unit at a time: else memory would grow with the
	// cores.
	hugeBytes = 1 << 20
	// keepBytes is how large a buffer may be that is kept: enough for the service's largest message.
	keepBytes = 512 << 10
)

// units holds those that nobody uses: enough for one busy link. It is bounded, unlike a pool, which would grow with the
// number of links.
var units = make(chan *unit, mostHelpers+1)

func borrowUnit() *unit {
	select {
	case u := <-units:
		return u
	default:
		return new(unit)
	}
}

func (u *unit) giveBack() {
	if cap(u.message)+cap(u.raw) > keepBytes {
		u.message, u.raw = nil, nil
	}
	u.inflater.Trim()
	u.claimed = 0
	clear(u.frames) // what was received belongs to others now
	u.message, u.raw, u.frames, u.after = u.message[:0], u.raw[:0], u.frames[:0], nil
	select {
	case units <- u:
	default:
	}
}

// add ends the message that was being read. With skip it is not looked at.
func (u *unit) add(skip error) {
	if skip != nil {
		u.message = u.message[:0]
	}
	u.claimed += wire.Claimed(u.message)
	u.frames = append(u.frames, arrival{size: len(u.message), skip: skip})
	if len(u.raw) == 0 {
		u.message, u.raw = u.raw, u.message
	} else {
		u.raw = append(u.raw, u.message...)
	}
	u.message = u.message[:0]
}

func (u *unit) full() bool  { return len(u.frames) >= fullFrames }
func (u *unit) worth() bool { return len(u.raw) >= worthBytes && u.claimed < hugeBytes }

// decode inflates and reads all messages. trace may be nil.
func (u *unit) decode(trace func(json []byte)) {
	raw := u.raw
	for i := range u.frames {
		f := &u.frames[i]
		if f.skip != nil {
			continue
		}
		var json []byte
		if json, f.skip = u.inflater.Inflate(raw[:f.size]); f.skip == nil {
			f.inflated = true
			if trace != nil {
				trace(json)
			}
			f.skip = u.decoder.Decode(json, &f.received)
		}
		raw = raw[f.size:]
	}
}

// run decodes u and hands it on when it is its turn.
func (l *Link) run(u *unit) {
	u.decode(l.hooks.Trace)
	//mutant:unit-order
	if u.after != nil {
		<-u.after
	}
	//mutant:unit-give-back
	l.handOn(u)
	u.giveBack()
}

// handOn tells the owner of each frame, in order, until the link ends.
func (l *Link) handOn(u *unit) {
	for i := range u.frames {
		f := &u.frames[i]
		if l.ctx.Err() != nil {
			return
		}
		if f.inflated {
			l.hooks.Read()
		}
		if f.skip != nil {
			l.hooks.Bad(f.skip)
		} else if err := l.hooks.Frame(l, &f.received); err != nil {
			l.endReading(err)
			return
		}
	}
}
