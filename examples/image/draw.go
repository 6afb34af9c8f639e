package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// draw returns a picture as PNG.
func draw() ([]byte, error) {
	m := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			m.SetNRGBA(x, y, color.NRGBA{R: uint8(x * y / 1200), G: uint8(x / 3), B: uint8(y / 2), A: 255})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, m)
	return b.Bytes(), err
}
