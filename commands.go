package blaze

import (
	"context"
	"strings"
	"time"

	"github.com/jellydator/ttlcache/v3"
)

// hintInterval is the time between two hints to one user.
const hintInterval = 10 * time.Minute

// CommandSpec describes a command for [Commands].
type CommandSpec struct {
	Name    string   // one word, with or without the slash, for example "/price"; case does not matter
	Help    string   // one line for /help, for example "SYMBOL: the price of a coin"; "": the command is not listed
	Aliases []string // other names
	// Do handles the command. args is the rest of the text, as in [Command]. Its result decides how the message
	// continues, as that of a [Handler].
	Do func(ctx context.Context, m *Message, args string) error
}

// Commands returns a Handler for texts that begin with a slash, in groups only if they mention the bot, as for
// [Mentioned]. It declines all other messages, so a catch-all may follow in [Route]. Handlers of other commands, and of
// cancel words of a dialog, come before it.
//
//   - A text that begins with a name or alias goes to that command; see [Command] for how names are compared.
//   - "/help" is answered with the names and Help texts of the commands, in their order. A command named help replaces
//     it.
//   - Any other word with a slash is answered with a hint to /help, at most once in ten minutes for each of the 10,000
//     users last active. Further ones are acknowledged without a reply.
//
// Commands panics if a name is not one word or occurs twice, or if a function is nil.
func Commands(c *Client, specs ...CommandSpec) Handler {
	t := &commandTable{c: c, specs: specs, byName: make(map[string]CommandSpec), hinted: ttlcache.New(
		ttlcache.WithCapacity[string, struct{}](maxLimited), ttlcache.WithTTL[string, struct{}](hintInterval),
		ttlcache.WithDisableTouchOnHit[string, struct{}]())}
	for _, spec := range specs {
		if spec.Do == nil {
			mistake("Commands: the function of %q is nil", spec.Name)
		}
		for _, name := range append([]string{spec.Name}, spec.Aliases...) {
			t.add(name, spec)
		}
	}
	if _, ok := t.byName["help"]; !ok {
		t.add("help", CommandSpec{Do: t.help})
	}
	return Mentioned(c, t.handle)
}

type commandTable struct {
	c      *Client
	specs  []CommandSpec
	byName map[string]CommandSpec // by the lower-case name without the slash; read-only after Commands
	hinted *ttlcache.Cache[string, struct{}]
}

func (t *commandTable) add(name string, spec CommandSpec) {
	key := strings.ToLower(commandName("Commands", name))
	if strings.Contains(key, "@") {
		mistake("Commands: %q has an @, which begins a mention", name)
	}
	if _, twice := t.byName[key]; twice {
		mistake("Commands: %q occurs twice", name)
	}
	t.byName[key] = spec
}

func (t *commandTable) handle(ctx context.Context, m *Message) error {
	text, ok := m.Payload.(Text)
	if !ok {
		return ErrNotHandled
	}
	mention, word, args := cutCommand(string(text))
	name, after := cutLastMention(word)
	if name == "" {
		return ErrNotHandled
	}
	for _, other := range []string{mention, after} {
		if err := m.namesAnother(ctx, other); err != nil {
			return err
		}
	}
	if spec, ok := t.byName[strings.ToLower(name)]; ok {
		return spec.Do(ctx, m, args)
	}
	return t.hint(ctx, m)
}

// help replies with the list of commands.
func (t *commandTable) help(ctx context.Context, m *Message, _ string) error {
	var lines []string
	for _, spec := range t.specs {
		if spec.Help != "" {
			lines = append(lines, "/"+commandName("Commands", spec.Name)+" "+spec.Help)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "There is no help for the commands of this bot.")
	}
	return t.c.Reply(ctx, m, Text(strings.Join(lines, "\n")))
}

// hint replies to an unknown command. A user counts as hinted after the reply was confirmed, because a failed one is
// retried.
func (t *commandTable) hint(ctx context.Context, m *Message) error {
	//mutant:hint-once
	if t.hinted.Get(m.Sender()) != nil {
		return nil
	}
	if err := t.c.Reply(ctx, m, Text("Unknown command. /help lists the commands.")); err != nil {
		return err
	}
	t.hinted.Set(m.Sender(), struct{}{}, ttlcache.DefaultTTL)
	return nil
}
