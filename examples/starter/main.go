// Bot is a bot to start from. Copy its directory, and replace the path of the library by a version:
//
//	cp -r examples/starter ../bot
//	cd ../bot
//	go mod edit -module example.com/bot -dropreplace github.com/mixin-blaze/blaze
//	go get github.com/mixin-blaze/blaze@latest
//
// bot.go is the bot. bot_test.go plays the conversations in testdata with it; BLAZE_UPDATE=1 writes the answers of the
// bot into them. Neither the tests nor the demo needs a keystore:
//
//	go test ./...
//	go run . -demo
//
// With a keystore from https://developers.mixin.one it is a bot on Mixin Messenger, until it is interrupted. .gitignore
// keeps the keystore out of the repository:
//
//	chmod 600 keystore.json
//	BLAZE_KEYSTORE=keystore.json go run .
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/mixin-blaze/blaze"
)

func main() {
	inMemory := flag.Bool("demo", false, "play a conversation in memory")
	flag.Parse()
	if !*inMemory {
		blaze.Main(nil, newBot) // exits
	}
	if err := demo(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
