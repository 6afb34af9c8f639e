package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"

	"github.com/mixin-blaze/blaze/internal/exif"
)

const thumbSide = 48 // longer side of a thumbnail in pixels

// small returns a thumbnail on a white background.
func small(picture image.Image, turn exif.Orientation) ([]byte, error) {
	b := picture.Bounds()
	w, h := fit(b.Dx(), b.Dy())
	stored := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(stored, stored.Bounds(), image.White, image.Point{}, draw.Src)
	draw.BiLinear.Scale(stored, stored.Bounds(), picture, b, draw.Over, nil)
	var file bytes.Buffer
	if err := jpeg.Encode(&file, upright(stored, turn), nil); err != nil {
		return nil, fmt.Errorf("picture: cannot make a thumbnail: %w", err)
	}
	return file.Bytes(), nil
}

// upright returns a picture as displayed.
func upright(stored *image.RGBA, turn exif.Orientation) image.Image {
	if turn == exif.Upright {
		return stored
	}
	w, h := stored.Rect.Dx(), stored.Rect.Dy()
	size := image.Pt(w, h)
	if turn.Turned() {
		size.X, size.Y = h, w
	}
	seen := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			seen.SetRGBA(x, y, stored.RGBAAt(turn.At(x, y, w, h)))
		}
	}
	return seen
}

// fit scales a size down to that of a thumbnail. A smaller size is unchanged.
func fit(w, h int) (int, int) {
	longer := max(w, h)
	if longer <= thumbSide {
		return w, h
	}
	return max(w*thumbSide/longer, 1), max(h*thumbSide/longer, 1)
}
