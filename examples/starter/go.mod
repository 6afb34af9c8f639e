module example.com/bot

go 1.25.0

require github.com/mixin-blaze/blaze v0.0.0

require (
	github.com/gofrs/uuid/v5 v5.5.1 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/jellydator/ttlcache/v3 v3.4.1 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	golang.org/x/image v0.45.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
)

// The library in the repository of this example. The first comment in main.go has the command to remove the line.
replace github.com/mixin-blaze/blaze => ../..
