package picture_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/gauge"
	"github.com/mixin-blaze/blaze/internal/picture"
)

// limited is a context that ends after a number of calls of Err.
type limited struct {
	context.Context
	asked, most atomic.Int64
}

func (c *limited) Err() error {
	if c.asked.Add(1) > c.most.Load() {
		return context.Canceled
	}
	return nil
}

func after(t *testing.T, most int64) *limited {
	c := &limited{Context: t.Context()}
	c.most.Store(most)
	return c
}

func TestRead(t *testing.T) {
	for name, file := range pictures(t) {
		got, err := picture.Read(t.Context(), file)
		require.NoError(t, err, name)
		thumb, err := jpeg.Decode(bytes.NewReader(got.Thumbnail))
		require.NoError(t, err, name)
		if name != "WebP" {
			require.Equal(t, []int{70, 50}, []int{got.Width, got.Height}, name)
			require.Equal(t, 48, thumb.Bounds().Dx(), name)
			require.Equal(t, 34, thumb.Bounds().Dy(), name)
		}
	}
}

// Work is counted in pieces of the file, of 32 bytes. None is read after the context has ended.
func TestReadEndsWithItsContext(t *testing.T) {
	files := pictures(t)
	files["scans"] = scans(500, 500, 100)
	for name, file := range files {
		for _, most := range []int64{0, 1, 2} {
			if name == "WebP" && most > 0 {
				continue // it has only two pieces
			}
			ctx := after(t, most)
			_, err := picture.Read(ctx, file)
			require.ErrorIs(t, err, context.Canceled, name)
			require.LessOrEqual(t, ctx.asked.Load(), most+4, name) // some calls follow the end, to return the error
		}
	}
	ctx := after(t, 1<<40)
	got, err := picture.Read(ctx, files["scans"])
	require.NoError(t, err)
	require.NotEmpty(t, got.Thumbnail)
	require.Greater(t, ctx.asked.Load(), int64(len(files["scans"])/32), "the context is asked before each piece")
}

// A scan of 20 bytes may take a tenth of a second, so the scans are counted before the first one is decoded.
func TestScansAreCounted(t *testing.T) {
	for n, decoded := range map[int]bool{100: true, 101: false, 500: false} {
		ctx := after(t, 1<<40)
		got, err := picture.Read(ctx, scans(800, 600, n))
		require.NoError(t, err)
		require.Equal(t, []int{800, 600}, []int{got.Width, got.Height})
		require.Equal(t, decoded, len(got.Thumbnail) > 0, n)
		require.Equal(t, decoded, ctx.asked.Load() > 0, n)
	}
	// Bytes like those of a scan do not count in other segments, in fill bytes, and after the end of the picture.
	file := scans(80, 60, 90)
	odd := append(bytes.Clone(file[:2]), segment(0xfe, bytes.Repeat([]byte{0xff, 0xda, 0, 2}, 200)...)...)
	odd = append(append(odd, 0xff, 0xff, 0xff), file[3:]...)
	odd = append(odd, bytes.Repeat(scan(1), 200)...)
	got, err := picture.Read(t.Context(), odd)
	require.NoError(t, err)
	require.NotEmpty(t, got.Thumbnail)
}

// atLimits returns files with large claims, some below the bound and some above.
func atLimits() map[string]struct {
	file []byte
	fits bool
} {
	type claim = struct {
		file []byte
		fits bool
	}
	extended := func(w, h int) []byte {
		return riff("VP8X", 10, 0x10, 0, 0, 0, byte(w-1), byte((w-1)>>8), 0, byte(h-1), byte((h-1)>>8), 0)
	}
	alpha := func(compression byte) []byte {
		return riff("ALPH", 20, append([]byte{compression}, make([]byte, 19)...)...)
	}
	jpegOf := func(marker byte, w, h int, factors ...byte) []byte {
		return append(frame(marker, w, h, factors...), scan(len(factors))...)
	}
	rgb := segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)
	withRGB := jpegOf(0xc0, 4000, 4000, 0x11, 0x11, 0x11)
	withRGB = append(append(bytes.Clone(withRGB[:2]), rgb...), withRGB[2:]...)
	return map[string]claim{
		"baseline":               {jpegOf(0xc0, 4096, 4096, 0x11, 0x11, 0x11), true},
		"baseline in halves":     {jpegOf(0xc0, 4096, 4096, 0x22, 0x11, 0x11), true},
		"RGB":                    {withRGB, false},
		"four colours":           {jpegOf(0xc0, 4096, 4096, 0x11, 0x11, 0x11, 0x11), false},
		"grey, odd factors":      {jpegOf(0xc0, 4096, 4096, 0x44), true},
		"progressive":            {jpegOf(0xc2, 2048, 2000, 0x11, 0x11, 0x11), true},
		"progressive, too large": {jpegOf(0xc2, 2100, 2100, 0x11, 0x11, 0x11), false},
		"progressive in halves":  {jpegOf(0xc2, 2800, 2800, 0x22, 0x11, 0x11), true},
		"progressive, largest":   {jpegOf(0xc2, 4096, 4096, 0x22, 0x11, 0x11), false},
		"high":                   {jpegOf(0xc0, 1024, 16384, 0x22, 0x11, 0x11), true},
		"PNG":                    {pngOf(3800, 3800, 8, 6, 0), true},
		"PNG, largest":           {pngOf(4096, 4096, 8, 6, 0), false},
		"PNG, interlaced":        {pngOf(3800, 3800, 8, 6, 1), false},
		"PNG of 16 bits":         {pngOf(2700, 2700, 16, 6, 0), true},
		"PNG of 16 bits, large":  {pngOf(3000, 3000, 16, 2, 0), false},
		"PNG, grey and clear":    {pngOf(3800, 3800, 8, 0, 0), true},
		"PNG, colours and clear": {pngOf(3800, 3800, 8, 2, 0), true},
		"PNG with a palette":     {pngOf(4096, 4096, 8, 3, 1), true},
		"GIF":                    {gifOf(4096, 4096), true},
		"lossy":                  {webpOf(lossy(4096, 4096, 1000)), true},
		"lossy that claims much": {webpOf(lossy(40, 40, 100<<20)), false},
		"lossy and clear":        {webpOf(extended(4096, 4096), alpha(0), lossy(4096, 4096, 1000)), false},
		"less, lossy and clear":  {webpOf(extended(2000, 2000), alpha(1), lossy(2000, 2000, 1000)), true},
		"lossless":               {webpOf(lossless(2400, 2400)), true},
		"lossless, too large":    {webpOf(lossless(4096, 4096)), false},
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for name, c := range atLimits() {
		t.Run(name, func(t *testing.T) {
			var got picture.Picture
			var err error
			took := gauge.Allocated(func() { got, err = picture.Read(t.Context(), c.file) })
			size, kind, failed := image.DecodeConfig(bytes.NewReader(c.file))
			require.NoError(t, failed)
			memory, tooMuch := picture.Memory(c.file, "image/"+kind, size.Width, size.Height)
			require.Equal(t, c.fits, !tooMuch)
			if c.fits {
				require.LessOrEqual(t, took, memory)
				require.LessOrEqual(t, memory, int64(64<<20))
				return
			}
			require.NoError(t, err)
			require.Positive(t, got.Width)
			require.Empty(t, got.Thumbnail)
			require.Less(t, took, int64(1<<20))
		})
	}
}

// blocking is a context that blocks the callers of Err until it is released.
type blocking struct {
	context.Context
	entered, release chan struct{}
}

func (c blocking) Err() error {
	select {
	case c.entered <- struct{}{}:
	default:
	}
	<-c.release
	return nil
}

// waiting is a context that ends when somebody calls Done.
type waiting struct {
	context.Context
	asked atomic.Bool
}

func (c *waiting) Done() <-chan struct{} {
	c.asked.Store(true)
	done := make(chan struct{})
	close(done)
	return done
}

func (c *waiting) Err() error {
	if c.asked.Load() {
		return context.Canceled
	}
	return nil
}

func TestTwoDecodingsAtOnce(t *testing.T) {
	file := pictures(t)["PNG"]
	release, ended := make(chan struct{}), make(chan error)
	for range 2 {
		ctx := blocking{t.Context(), make(chan struct{}, 1), release}
		go func() {
			_, err := picture.Read(ctx, file)
			ended <- err
		}()
		<-ctx.entered
	}
	now, most := picture.Decoding()
	require.Equal(t, []int{2, 2}, []int{now, most})
	_, err := picture.Read(&waiting{Context: t.Context()}, file)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	now, _ = picture.Decoding()
	require.Zero(t, now)
}

func TestADecoderThatPanics(t *testing.T) {
	defer picture.WithGIF(func(io.Reader) (image.Image, error) { panic("unreachable") })()
	_, err := picture.Read(t.Context(), pictures(t)["GIF"])
	var bad *picture.Error
	require.ErrorAs(t, err, &bad)
	now, _ := picture.Decoding()
	require.Zero(t, now)
}

// FuzzRead: any picture needs at most the estimated memory, and its thumbnail is a JPEG of at most 48 by 48 pixels.
func FuzzRead(f *testing.F) {
	for _, file := range pictures(f) {
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	for _, c := range atLimits() {
		f.Add(c.file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		size, kind, err := image.DecodeConfig(bytes.NewReader(file))
		if err == nil && size.Width*size.Height > 1<<20 {
			return // TestMemoryIsBounded tests large ones
		}
		var got picture.Picture
		var failed error
		took := gauge.Allocated(func() { got, failed = picture.Read(t.Context(), file) })
		var bad *picture.Error
		if failed != nil {
			require.ErrorAs(t, failed, &bad)
			return
		}
		require.NoError(t, err)
		memory, tooMuch := picture.Memory(file, "image/"+kind, size.Width, size.Height)
		require.Equal(t, tooMuch, len(got.Thumbnail) == 0)
		// A color.Color that is an interface value is allocated for each pixel and becomes garbage at once.
		pixels := int64(size.Width * size.Height)
		require.LessOrEqual(t, took, memory+32*pixels+1<<20)
		if tooMuch {
			return
		}
		thumb, err := jpeg.Decode(bytes.NewReader(got.Thumbnail))
		require.NoError(t, err)
		require.LessOrEqual(t, max(thumb.Bounds().Dx(), thumb.Bounds().Dy()), 48)
		require.Equal(t, got.Width >= got.Height, thumb.Bounds().Dx() >= thumb.Bounds().Dy())
	})
}
