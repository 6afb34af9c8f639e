package blaze

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Environment variables of KeystoreFromEnv and Main.
const (
	keystoreVariable = "BLAZE_KEYSTORE"
	endpointVariable = "BLAZE_ENDPOINT"
	apiVariable      = "BLAZE_API"
)

// Exit codes of Main.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRejected = 3
)

// KeystoreFromEnv returns the keystore of the environment variable BLAZE_KEYSTORE: its JSON if the value begins with a
// brace, as for [ParseKeystore], and otherwise the path of its file, as for [LoadKeystore]. If the variable is not set,
// the error names it. No error contains the JSON; an error of LoadKeystore names the path, unless it looks like a key.
func KeystoreFromEnv() (Keystore, error) {
	value := strings.TrimSpace(os.Getenv(keystoreVariable))
	switch {
	case value == "":
		return Keystore{}, errors.New("blaze: " + keystoreVariable + " is not set: set it to the path of the bot's " +
			"keystore file, or to its JSON")
	case value[0] == '{':
		return ParseKeystore([]byte(value))
	}
	return LoadKeystore(value)
}

// Main is the main function of a small bot. It reads the keystore with [KeystoreFromEnv], creates a Client, runs the
// handler that bot returns for it, and exits the process, without running deferred functions of its caller. It uses
// neither flags nor arguments.
//
//   - cfg may be nil. If cfg.Endpoints is empty, BLAZE_ENDPOINT may have the endpoints, separated by commas; if cfg.API
//     is empty, BLAZE_API may have the address of the HTTP API. Main changes nothing in cfg.
//   - SIGINT or SIGTERM ends Run's context, so the bot drains; a second one ends the process at once.
//   - The reason for the end is logged to cfg.Logger, or to [slog.Default].
//   - The exit code is 0 after a complete drain, 2 if the keystore or cfg is invalid, 3 if the service rejected the
//     session permanently (401 or 10006: starting again does not help), and 1 after any other error. A process that
//     panics exits with 2, too.
//
// Main panics if bot is nil.
func Main(cfg *Config, bot func(*Client) Handler) {
	if bot == nil {
		mistake("Main: the function is nil")
	}
	//nolint:forbidigo // it is the whole program
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	//mutant:main-second
	context.AfterFunc(ctx, stop) // the next signal has its default effect again
	os.Exit(runBot(ctx, cfg, bot))
}

// runBot returns the exit code of Main.
func runBot(ctx context.Context, cfg *Config, bot func(*Client) Handler) int {
	var own Config
	if cfg != nil {
		own = *cfg
	}
	log := own.Logger
	if log == nil {
		log = slog.Default()
	}
	if endpoints := os.Getenv(endpointVariable); len(own.Endpoints) == 0 && endpoints != "" {
		for endpoint := range strings.SplitSeq(endpoints, ",") {
			own.Endpoints = append(own.Endpoints, strings.TrimSpace(endpoint))
		}
	}
	if own.API == "" {
		own.API = strings.TrimSpace(os.Getenv(apiVariable))
	}
	key, err := KeystoreFromEnv()
	if err != nil {
		log.Error("blaze: no usable keystore", "error", err)
		return exitUsage
	}
	c, err := New(key, &own)
	if err != nil {
		log.Error("blaze: invalid configuration", "error", err)
		return exitUsage
	}
	if err := c.Run(ctx, bot(c)); err != nil {
		log.Error("blaze: the bot ended", "error", err)
		return exitCode(err)
	}
	log.Info("blaze: the bot ended")
	return exitDone
}

// exitCode is the exit code of Main for an error of Run. A wrong clock is no permanent rejection: machines often set it
// soon after they have started.
func exitCode(err error) int {
	rejected := errors.Is(err, CodeUnauthorized) || errors.Is(err, CodeUpdateRequired)
	if rejected && !errors.Is(err, ErrClockSkew) {
		return exitRejected
	}
	return exitFailed
}
