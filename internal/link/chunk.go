package link

import "github.com/mixin-blaze/blaze/internal/wire"

// chunk is a sequence of messages from their reading to their delivery. An idle link has none, because the memory for
// decompression is large and few links need it at the same time.
type chunk struct {
	message  []byte // the one being read
	raw      []byte // the complete ones, concatenated
	declared int    // their size after gunzip, as far as they declare it
	frames   []arrival

	inflater wire.Inflater
	decoder  wire.Decoder
	after    <-chan struct{} // closed when the previous chunk was delivered; nil: it was
}

// arrival is one message of a chunk, and its result.
type arrival struct {
	size     int // in raw
	inflated bool
	skip     error // why it is not delivered
	received wire.Received
}

// Sizes of chunks and of retained buffers.
const (
	// fullFrames is the maximum number of frames in a chunk.
	fullFrames = 128
	// From this size on, a helper decodes the chunk: decompression takes tens of microseconds, the handover one or two.
	helperBytes = 2 << 10
	// From this decompressed size on, the reader decodes the chunk itself, one at a time. Otherwise memory would grow
	// with the number of cores.
	hugeBytes = 1 << 20
	// keepBytes is the maximum size of a retained buffer, enough for the service's largest message.
	keepBytes = 512 << 10
)

// chunks holds unused chunks, enough for one busy link. Unlike a pool, it is bounded and does not grow with the number
// of links.
var chunks = make(chan *chunk, maxHelpers+1)

func borrowChunk() *chunk {
	select {
	case u := <-chunks:
		return u
	default:
		return new(chunk)
	}
}

func (u *chunk) giveBack() {
	if cap(u.message)+cap(u.raw) > keepBytes {
		u.message, u.raw = nil, nil
	}
	u.inflater.Trim()
	u.declared = 0
	clear(u.frames) // the frames belong to their receivers now
	u.message, u.raw, u.frames, u.after = u.message[:0], u.raw[:0], u.frames[:0], nil
	select {
	case chunks <- u:
	default:
	}
}

// add completes the message being read. A message with skip is not decoded.
func (u *chunk) add(skip error) {
	if skip != nil {
		u.message = u.message[:0]
	}
	u.declared += wire.Claimed(u.message)
	u.frames = append(u.frames, arrival{size: len(u.message), skip: skip})
	if len(u.raw) == 0 {
		u.message, u.raw = u.raw, u.message
	} else {
		u.raw = append(u.raw, u.message...)
	}
	u.message = u.message[:0]
}

func (u *chunk) full() bool  { return len(u.frames) >= fullFrames }
func (u *chunk) worth() bool { return len(u.raw) >= helperBytes && u.declared < hugeBytes }

// decode decompresses and parses all messages. trace may be nil.
func (u *chunk) decode(trace func(json []byte)) {
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

// run decodes u and delivers it after the previous chunk.
func (l *Link) run(u *chunk) {
	u.decode(l.hooks.Trace)
	//mutant:chunk-order
	if u.after != nil {
		<-u.after
	}
	//mutant:chunk-reuse
	l.deliver(u)
	u.giveBack()
}

// deliver calls the hooks for each frame, in order, until the link ends.
func (l *Link) deliver(u *chunk) {
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
