package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	var out, bar bytes.Buffer
	if err := demo(t.Context(), &out, &bar); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "image/png of 640 by 480 pixels") {
		t.Error(out.String())
	}
	if !strings.Contains(bar.String(), "100%") {
		t.Errorf("the bar did not come to its end: %q", bar.String())
	}
}
