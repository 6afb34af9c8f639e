package blaze_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze"
)

func TestConfigRejectsInvalidValues(t *testing.T) {
	s := newServer()
	defer s.Close()
	for field, edit := range map[string]func(*blaze.Config){
		"Config.Workers":      func(c *blaze.Config) { c.Workers = -1 },
		"Config.InboxBytes":   func(c *blaze.Config) { c.InboxBytes = -1 },
		"Config.OutboxLen":    func(c *blaze.Config) { c.OutboxLen = -1 },
		"Config.AckBatch":     func(c *blaze.Config) { c.AckBatch = 101 },
		"Config.Ack":          func(c *blaze.Config) { c.Ack = 3 },
		"Config.AckStatus":    func(c *blaze.Config) { c.AckStatus = blaze.StatusSent },
		"Config.Drain":        func(c *blaze.Config) { c.Drain = 5 }, // 5 ns
		"Config.ReplyTimeout": func(c *blaze.Config) { c.ReplyTimeout = 20 },
		"Config.Endpoints[0]": func(c *blaze.Config) { c.Endpoints = []string{"ws://blaze.mixin.one/"} },
		"Config.Endpoints[1]": func(c *blaze.Config) {
			c.Endpoints = []string{"wss://blaze.mixin.one", "wss://blaze.mixin.one/path"}
		},
		"Config.API": func(c *blaze.Config) { c.API = "http://api.mixin.one" },
	} {
		cfg := s.Config
		edit(&cfg)
		_, err := blaze.New(s.Key, &cfg)
		requireInvalid(t, err, field)
	}
	for _, api := range []string{
		"api.mixin.one", "https://api.mixin.one/", "https://api.mixin.one/v1",
		"https://x@api.mixin.one", "https://api.mixin.one?x", "ftp://localhost",
	} {
		_, err := blaze.New(s.Key, &blaze.Config{API: api})
		requireInvalid(t, err, "Config.API")
	}
	for _, api := range []string{"https://api.mixin.one", "http://localhost:8080", "http://127.0.0.1"} {
		_, err := blaze.New(s.Key, &blaze.Config{API: api})
		require.NoError(t, err)
	}
	for _, d := range []time.Duration{-time.Second, time.Hour + 1, math.MaxInt64} {
		_, err := blaze.New(s.Key, &blaze.Config{ReplyTimeout: d})
		requireInvalid(t, err, "Config.ReplyTimeout")
	}
	_, err := blaze.New(s.Key, &blaze.Config{ReplyTimeout: time.Hour, Drain: -1, HandlerAttempts: -1, SendAttempts: -1})
	require.NoError(t, err)
}
