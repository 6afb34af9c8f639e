// Transfers is a bot that people send coins to. It looks each payment up, books it once in a file, thanks for it, and
// answers /balance with what a person has paid. It sends no coins: docs/migration.md shows that.
//
// Without a keystore a conversation is played in memory. With one, the payments are in the file payments.jsonl:
//
//	go run ./examples/transfers
//	BLAZE_KEYSTORE=keystore.json go run ./examples/transfers
package main

import (
	"context"
	_ "embed"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/mixin-blaze/blaze"
	"github.com/mixin-blaze/blaze/examples/internal/show"
)

//go:embed testdata/demo.txt
var script string

func main() {
	look := lookUp
	if os.Getenv("BLAZE_KEYSTORE") == "" {
		look = believe
	}
	show.Demo{Bot: newBot("payments.jsonl", look), Script: script}.Main()
}

// payment is a payment as the HTTP API has it, and as it is booked.
type payment struct {
	SnapshotID string `json:"snapshot_id"`
	OpponentID string `json:"opponent_id"` // who paid, or ""
	AssetID    string `json:"asset_id"`
	Amount     string `json:"amount"` // decimal; negative if the bot paid
}

// lookUp requests a payment from the HTTP API, because the message about it proves nothing.
func lookUp(ctx context.Context, c *blaze.Client, s blaze.SafeSnapshot) (p payment, err error) {
	err = c.Call(ctx, http.MethodGet, "/safe/snapshots/"+url.PathEscape(s.SnapshotID), nil, &p)
	if err == nil && p.SnapshotID != s.SnapshotID {
		err = fmt.Errorf("the snapshot %s was requested, and %q was received", s.SnapshotID, p.SnapshotID)
	}
	return p, err
}

// believe is for the demo: the server in memory has no snapshots to look up.
func believe(_ context.Context, _ *blaze.Client, s blaze.SafeSnapshot) (payment, error) {
	return payment{SnapshotID: s.SnapshotID, OpponentID: s.OpponentID, AssetID: s.AssetID, Amount: s.Amount}, nil
}

func newBot(
	file string, look func(context.Context, *blaze.Client, blaze.SafeSnapshot) (payment, error),
) func(*blaze.Client) blaze.Handler {
	return func(c *blaze.Client) blaze.Handler {
		paid := &book{path: file}
		return blaze.Route(
			blaze.On(func(ctx context.Context, m *blaze.Message, s blaze.SafeSnapshot) error {
				p, err := look(ctx, c, s)
				if err != nil {
					return err
				}
				if p.OpponentID == "" || strings.HasPrefix(p.Amount, "-") {
					return nil // a deposit, or a payment of the bot
				}
				// The message may be delivered again. The book has each payment once, and the reply has the same id.
				if err := paid.add(p); err != nil {
					return err
				}
				thanks := c.ToUser(p.OpponentID, blaze.Textf("Thank you for %s %s.", p.Amount, symbol(p.AssetID)))
				thanks.MessageID = blaze.DeriveID(c.AppID(), "thanks", p.SnapshotID)
				_, err = c.Send(ctx, thanks)
				return err
			}),
			blaze.Commands(c, blaze.CommandSpec{
				Name: "/balance", Help: "what you have paid",
				Do: func(ctx context.Context, m *blaze.Message, _ string) error {
					all, err := paid.of(m.UserID)
					if err != nil {
						return err
					}
					return c.Reply(ctx, m, sum(all))
				},
			}),
		)
	}
}

// sum lists the total of each asset.
func sum(all []payment) blaze.Text {
	totals := make(map[string]*big.Rat)
	for _, p := range all {
		amount, ok := new(big.Rat).SetString(p.Amount)
		if !ok {
			continue
		}
		name := symbol(p.AssetID)
		if totals[name] == nil {
			totals[name] = new(big.Rat)
		}
		totals[name].Add(totals[name], amount)
	}
	if len(totals) == 0 {
		return "You have paid nothing yet."
	}
	var lines []string
	for name, total := range totals {
		decimal := strings.TrimRight(strings.TrimRight(total.FloatString(8), "0"), ".")
		lines = append(lines, decimal+" "+name)
	}
	slices.Sort(lines)
	return blaze.Text(strings.Join(lines, "\n"))
}

// symbols are the names of a few assets.
var symbols = map[string]string{
	"c6d0c728-2624-429b-8e0d-d9d19b6592fa": "BTC",
	"43d61dcd-e413-450d-80b8-101d5e903357": "ETH",
	"c94ac88f-4671-3976-b60a-09064f1811e8": "XIN",
}

func symbol(assetID string) string {
	if name, known := symbols[assetID]; known {
		return name
	}
	return assetID
}
