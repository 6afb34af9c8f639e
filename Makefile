# Everything here needs Go and make. What else it needs is installed into ./bin, at the version given here.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := bin/govulncheck-$(GOVULNCHECK_VERSION)

# Set RACE to nothing to test without the race detector, where there is no C compiler.
RACE := -race

# No command here changes go.mod by the way.
export GOFLAGS := $(strip $(shell go env GOFLAGS) -mod=readonly)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Run the echo bot against a server of its own; needs no keystore
	go run ./examples/echo

.PHONY: test
test: race-works ## Everything that must pass: vet, all tests with the race detector, the faults, the short soak
	go vet ./...
	go vet -tags soak ./internal/soak
	go test $(RACE) ./...
	go test -count=1 -run TestAFullInboxTakesInboxBytes .
	@$(MAKE) --no-print-directory -j3 -Otarget faults soak-short

# The modules in here that have a go.mod of their own, so that the library does not depend on what they need. The results of
# their tests are not cached: they depend on files outside of the module.
MODULES := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod internal/*/go.mod internal/*/*/go.mod))

.PHONY: test-modules
test-modules: ## Test the modules that have a go.mod of their own, which this may download something for
	@set -e; for module in $(MODULES); do (set -x; cd $$module; go test -count=1 ./...); done

.PHONY: test-large
test-large: ## Test files of 5 GiB, which takes a minute, and 5 GiB in the directory for temporary files
	go test -count=1 -run TestFiveGigabytes .

# int has 32 bits there, and 64-bit atomics need an alignment that only their types have. It runs where the kernel runs
# programs for 386; the race detector has no such build.
.PHONY: test-386
test-386: ## Run the tests as they run on 32-bit machines; takes a few minutes
	GOARCH=386 CGO_ENABLED=0 go vet ./...
	@GOARCH=386 CGO_ENABLED=0 go test -count=1 ./internal/fifo >/dev/null || { echo "NOT RUN: no 386 programs here"; exit 0; }; \
	set -x; LIVES=10 GOARCH=386 CGO_ENABLED=0 go test ./...

# The oldest Go is the one that go.mod names. The go command fetches it as a module where it may.
OLDEST := $(shell awk '$$1 == "go" { print $$2 }' go.mod)

.PHONY: test-oldest
test-oldest: ## Run the tests with the oldest Go that the library builds with; takes a few minutes
	@GOTOOLCHAIN=go$(OLDEST) go version || { echo "NOT RUN: go$(OLDEST) cannot be fetched here"; exit 0; }; \
	set -ex; export LIVES=10 GOTOOLCHAIN=go$(OLDEST); go vet ./...; go test ./...

# The other systems' code is at least compiled and looked through here.
.PHONY: vet-others
vet-others: ## Vet the code as it is built for Windows and macOS
	for system in windows/amd64 darwin/arm64; do \
		GOOS=$${system%/*} GOARCH=$${system#*/} CGO_ENABLED=0 go vet ./... || exit 1; \
	done

# The clients are installed at the versions of package-lock.json.
.PHONY: test-peers
test-peers: ## Test the server for tests with Mixin's SDK for Node, which this installs with npm
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "NOT RUN: npm and node are not here"; exit 0; }; \
	set -ex; mkdir -p bin/peers; cp internal/peers/node/* internal/peers/node/.npmrc bin/peers; \
	(cd bin/peers && npm ci --no-audit --no-fund --ignore-scripts); \
	NODE_PEER="$(CURDIR)/bin/peers" go test -count=1 -v -run TestNodeSDK ./internal/peers

TIME := 1m

.PHONY: fuzz
fuzz: ## Run every fuzz target, one after the other: make fuzz TIME=10m
	.ci/fuzz $(TIME)

# Without the race detector, which makes some of these tests do less: only so a connection breaks behind every byte. Of a
# package in its own directory, go test shows what it has printed although it passed.
.PHONY: faults
faults: ## Inject every fault, and print how often each happened
	cd internal/faults && go test -count=1

# How much make soak runs, after LIVES short lives in time that is not real. SEED=0 is another seed each time; it is printed. REPORT is where the numbers go, the commit among them.
MESSAGES := 20000000
SEED := 0
LIVES := 2000
REPORT := bin/soak/$(shell date -u +%Y%m%dT%H%M%SZ).json

.PHONY: soak
soak: ## Check for an hour or so that nothing is lost: make soak MESSAGES=1000000 SEED=7 LIVES=100
	LIVES=$(LIVES) go test -count=1 -timeout=1h -run '^TestLives$$' ./internal/soak
	go build -buildvcs=auto -o bin/soak-test ./internal/soak/cmd/soak
	bin/soak-test -messages $(MESSAGES) -seed $(SEED) -json $(REPORT)

# Each run leaves its report there.
SOAK_SHORT := cd internal/soak && SOAK_JSON="$(CURDIR)/bin/soak-short" go test -count=1 -tags soak

.PHONY: soak-short soak-plain soak-race
soak-short: soak-plain $(if $(RACE),soak-race) ## The same for a minute or two, with the race detector and without

soak-plain: # a hundred lives among them, of which the race detector watches some in go test ./...
	$(SOAK_SHORT) -run '^TestLives$$'
	$(SOAK_SHORT) -v -run '^TestSoak'

soak-race: race-works
	$(SOAK_SHORT) $(RACE) -v -run '^TestSoak'

.PHONY: soak-table
soak-table: ## Write the runs in internal/soak/reports into the table in the README
	go run ./internal/soak/cmd/soak -table README.md internal/soak/reports/*.json

# go test ./... carries out a third of the attacks. Memory is measured without the race detector.
.PHONY: hostile
hostile: ## Carry out all attacks of a hostile server, storage host, user or file; takes two minutes
	cd internal/hostile && HOSTILE=all go test -count=1

# How much make bench runs. SCALE multiplies counts and times. Give REPORT=internal/bench/reports/DATE.json to keep a report.
ROUNDS := 5
SCALE := 1

.PHONY: bench
bench: REPORT := bin/bench/$(shell date -u +%Y%m%dT%H%M%SZ).json
bench: ## Measure, side by side with a naive client and with the limit; takes ten minutes: make bench ROUNDS=1 SCALE=0.1
	go build -buildvcs=auto -o bin/bench-run ./internal/bench/cmd/bench
	bin/bench-run -rounds $(ROUNDS) -scale $(SCALE) -json $(REPORT)

.PHONY: bench-table
bench-table: ## Write the newest report in internal/bench/reports into the tables and the chart of the README
	go run ./internal/bench/cmd/bench -table README.md -chart internal/bench/chart.svg internal/bench/reports/*.json

.PHONY: bench-parts
bench-parts: ## Measure the parts: frame, gunzip, JSON, base64, payload, gzip; and the JSON decoder beside the fastest ones for Go, which this downloads
	go test -run '^$$' -bench . -benchmem . ./internal/link ./internal/wire
	cd internal/bench/decoders && go test -run . -bench . -benchmem

.PHONY: mutants
mutants: ## Break the library on purpose in many ways, and see that a test notices each; takes ten minutes
	go run ./internal/mutants/cmd/mutants

.PHONY: model
model: ## Search a model of the delivery for broken promises, in every order of events; needs spin, takes a minute
	go run ./internal/model/cmd/model

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters; checks the format and go.mod as well
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run
	go mod tidy -diff
	@set -ex; for module in $(MODULES); do (cd $$module; go vet ./...; go mod tidy -diff); done

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code
	$(GOLANGCI_LINT) fmt

.PHONY: fmt-check
fmt-check: $(GOLANGCI_LINT) ## Show what fmt would change, and fail if it is anything
	$(GOLANGCI_LINT) fmt --diff

# Tests in internal/arch and blazetest compare these files with the code.
.PHONY: api
api: ## Write the public API into testdata/api, and that of blazetest over HTTP into docs: commit the difference with its change
	mkdir -p testdata/api
	go doc -all . >testdata/api/blaze.txt
	go doc -all ./blazetest >testdata/api/blazetest.txt
	BLAZE_UPDATE=1 go test -count=1 -run '^TestTheOpenAPIFile$$' ./blazetest

# The library: what users import, and the layers below it. Not counted are the examples, the server for tests, and what is only
# there to test, measure and check: those are used by the tests and have few of their own.
TOOLS := arch bench faultproxy faults gauge leak model mutants openapi peers soak wspeer
COVERED := . $(filter-out $(TOOLS:%=./internal/%),$(wildcard ./internal/*))
FLOOR := 90

.PHONY: cover
cover: ## Show how much of the library all tests together run, and fail where it is little; go tool cover -html=cover.out shows it by line
	@mkdir -p bin
	LIVES=10 go test -coverpkg="$$(echo $(COVERED) | tr ' ' ',')" -coverprofile=cover.out ./... >bin/cover.txt 2>&1 || \
		{ cat bin/cover.txt; exit 1; }
	@awk -v floor=$(FLOOR) -f .ci/cover.awk cover.out

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look for known faults of the dependencies, where Go's vulnerability database can be reached
	@$(GOVULNCHECK) ./... >bin/vuln.txt 2>&1; status=$$?; cat bin/vuln.txt; \
	! grep -q 'govulncheck: fetching vulnerabilities' bin/vuln.txt || \
		{ echo "NOT CHECKED: the vulnerability database cannot be reached here"; exit 0; }; \
	exit $$status

.PHONY: clean
clean: ## Remove what this Makefile made
	rm -rf bin cover.out

# The race detector is C. Without this check its absence is told in a way that helps nobody.
.PHONY: race-works
race-works:
ifneq ($(RACE),)
	@if [ "$$(go env CGO_ENABLED)" != 1 ] || ! command -v $$(go env CC | cut -d ' ' -f 1) >/dev/null; then \
		echo "The race detector needs cgo and a C compiler: install gcc or clang (and set CGO_ENABLED=1 if it is 0)," >&2; \
		echo "or run 'make test RACE=' to test without it." >&2; \
		exit 1; \
	fi
endif

# Built from source with the Go that is here, in a directory that only a complete build leaves. The version is in the file's
# name, so that another version is another file.
$(GOLANGCI_LINT):
	@echo "Building golangci-lint $(GOLANGCI_LINT_VERSION), once; it takes a few minutes."
	@rm -rf bin/new && mkdir -p bin/new
	GOBIN="$(CURDIR)/bin/new" GOFLAGS=-mod=readonly go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@rm -f bin/golangci-lint-*
	@mv bin/new/golangci-lint $@ && rmdir bin/new

$(GOVULNCHECK):
	@echo "Building govulncheck $(GOVULNCHECK_VERSION), once."
	@rm -rf bin/new-vuln && mkdir -p bin/new-vuln
	GOBIN="$(CURDIR)/bin/new-vuln" GOFLAGS=-mod=readonly go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@rm -f bin/govulncheck-*
	@mv bin/new-vuln/govulncheck $@ && rmdir bin/new-vuln
