# All targets need Go and make. Other tools are installed into ./bin, at the versions given here.
GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := bin/govulncheck-$(GOVULNCHECK_VERSION)
APIDIFF_VERSION := v0.0.0-20261113113407-e3970619a1a4
APIDIFF := bin/apidiff-$(APIDIFF_VERSION)
BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
BENCHSTAT := bin/benchstat-$(BENCHSTAT_VERSION)

# Set RACE to empty to test without the race detector, for systems without a C compiler.
RACE := -race

# No command modifies go.mod.
export GOFLAGS := $(strip $(shell go env GOFLAGS) -mod=readonly)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# A target with ##! is for users, one with ## for contributors.
LIST = @awk -F ':.*$(1) ' '/^[a-z0-9-]+:.*$(1) / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: help
help: ##! Show this list
	@echo "Try it:"
	$(call LIST,##!)
	@echo "Work on it:"
	$(call LIST,##)

.PHONY: demo
demo: ##! Show in four scenes what this library is for; needs no keystore
	@go run ./examples/demo

.PHONY: test
test: race-works ##! Run all required checks: vet, all tests with the race detector, the faults, the short soak
	go vet ./...
	go vet -tags soak ./internal/soak
	go test $(RACE) ./...
	go test -count=1 -run TestAFullInboxNeedsInboxBytes .
	@$(MAKE) --no-print-directory -j3 -Otarget faults soak-short

# Nested modules have dependencies that the library must not have. Their tests depend on files outside the module, so their
# results are not cached.
MODULES := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod internal/*/go.mod internal/*/*/go.mod))

.PHONY: test-modules
test-modules: ## Test the nested modules; may download their dependencies
	@set -e; for module in $(MODULES); do (set -x; cd $$module; go test -count=1 ./...); done

.PHONY: test-large
test-large: ## Test files of 5 GiB; takes a minute, and 5 GiB in the temporary directory
	go test -count=1 -run TestFiveGigabytes .

# On 386 an int has 32 bits, and only the types of sync/atomic align 64-bit values. The target needs a kernel that runs
# 386 programs. The race detector does not support 386.
.PHONY: test-386
test-386: ## Run the tests as 32-bit programs; takes a few minutes
	GOARCH=386 CGO_ENABLED=0 go vet ./...
	@GOARCH=386 CGO_ENABLED=0 go test -count=1 ./internal/fifo >/dev/null || { echo "NOT RUN: this system does not run 386 programs"; exit 0; }; \
	set -x; LIVES=10 GOARCH=386 CGO_ENABLED=0 go test ./...

# The oldest supported Go version is in go.mod. The go command downloads that toolchain if it is allowed to.
OLDEST := $(shell awk '$$1 == "go" { print $$2 }' go.mod)

.PHONY: test-oldest
test-oldest: ## Run the tests with the oldest supported Go version; takes a few minutes
	@GOTOOLCHAIN=go$(OLDEST) go version || { echo "NOT RUN: go$(OLDEST) cannot be downloaded"; exit 0; }; \
	set -ex; export LIVES=10 GOTOOLCHAIN=go$(OLDEST); go vet ./...; go test ./...

# Code for other systems is compiled and vetted, but not run.
.PHONY: vet-others
vet-others: ## Vet the code for Windows and macOS
	for system in windows/amd64 darwin/arm64; do \
		GOOS=$${system%/*} GOARCH=$${system#*/} CGO_ENABLED=0 go vet ./... || exit 1; \
	done

# npm installs the versions in package-lock.json.
.PHONY: test-peers
test-peers: ## Test blazetest with Mixin's SDK for Node; npm installs it
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "NOT RUN: npm or node is not installed"; exit 0; }; \
	set -ex; mkdir -p bin/peers; cp internal/peers/node/* internal/peers/node/.npmrc bin/peers; \
	(cd bin/peers && npm ci --no-audit --no-fund --ignore-scripts); \
	NODE_PEER="$(CURDIR)/bin/peers" go test -count=1 -v -run TestNodeSDK ./internal/peers

TIME := 1m

.PHONY: fuzz
fuzz: ## Run every fuzz target in sequence: make fuzz TIME=10m
	.ci/fuzz $(TIME)

# This runs without the race detector, with which some of these tests are shorter: only without it is a connection
# broken after every byte. go test prints the output of a passing package only if it is run in the directory of that
# package.
.PHONY: faults
faults: ## Run the fault tests, and print how often each fault happened
	cd internal/faults && go test -count=1

# Size of make soak, which begins with LIVES short runs in virtual time. SEED=0 is a random seed, which is printed.
# REPORT is the file of the results.
MESSAGES := 20000000
SEED := 0
LIVES := 2000
REPORT := bin/soak/$(shell date -u +%Y%m%dT%H%M%SZ).json

.PHONY: soak
soak: ## Check for about an hour that no message is lost: make soak MESSAGES=1000000 SEED=7 LIVES=100
	LIVES=$(LIVES) go test -count=1 -timeout=1h -run '^TestLives$$' ./internal/soak
	go build -buildvcs=auto -o bin/soak-test ./internal/soak/cmd/soak
	bin/soak-test -messages $(MESSAGES) -seed $(SEED) -json $(REPORT)

# Each run writes its report into SOAK_JSON.
SOAK_SHORT := cd internal/soak && SOAK_JSON="$(CURDIR)/bin/soak-short" go test -count=1 -tags soak

.PHONY: soak-short soak-plain soak-race
soak-short: soak-plain $(if $(RACE),soak-race) ## Run the soak for two minutes, with and without the race detector

soak-plain: # runs all hundred lives; go test -race ./... runs fewer
	$(SOAK_SHORT) -run '^TestLives$$'
	$(SOAK_SHORT) -v -run '^TestSoak'

soak-race: race-works
	$(SOAK_SHORT) $(RACE) -v -run '^TestSoak'

.PHONY: soak-table
soak-table: ## Write the reports in internal/soak/reports into the tables of docs/reliability.md
	go run ./internal/soak/cmd/soak -table docs/reliability.md internal/soak/reports/*.json

# go test ./... runs a third of the attacks. Memory is measured without the race detector.
.PHONY: hostile
hostile: ## Run all attacks of a hostile server, storage host, user or file; takes two minutes
	cd internal/hostile && HOSTILE=all go test -count=1

# The commit that bench-diff and apidiff compare with.
BASE = $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null)

# Size of make bench. SCALE multiplies counts and times. REPORT=internal/bench/reports/DATE.json keeps a report.
ROUNDS := 5
SCALE := 1

.PHONY: bench
bench: REPORT := bin/bench/$(shell date -u +%Y%m%dT%H%M%SZ).json
bench: ##! Compare with a naive client and with the upper bound; takes ten minutes: make bench ROUNDS=1 SCALE=0.1
	go build -buildvcs=auto -o bin/bench-run ./internal/bench/cmd/bench
	bin/bench-run -rounds $(ROUNDS) -scale $(SCALE) -json $(REPORT)

.PHONY: bench-table
bench-table: ## Write the newest report in internal/bench/reports into docs/performance.md
	go run ./internal/bench/cmd/bench -table docs/performance.md -chart internal/bench/chart.svg internal/bench/reports/*.json

BENCH_PARTS := go test -run '^$$' -bench . -benchmem . ./internal/link ./internal/wire

.PHONY: bench-parts
bench-parts: ## Benchmark frames, gzip, JSON, base64 and payloads; compare the JSON decoder with others (downloaded)
	$(BENCH_PARTS)
	cd internal/bench/decoders && go test -run . -bench . -benchmem

# Benchmarks of both commits alternate, so that a slow minute of the machine affects both.
RUNS := 6

.PHONY: bench-diff
bench-diff: $(BENCHSTAT) ## Compare the benchmarks of the parts with another commit by benchstat: make bench-diff BASE=v0.1.0
	@test -n "$(BASE)" || { echo "there is no tag yet: make bench-diff BASE=COMMIT" >&2; exit 1; }
	@rm -rf bin/base bin/base.txt bin/here.txt && mkdir -p bin/base && git archive $(BASE) | tar -x -C bin/base
	@for run in $$(seq $(RUNS)); do 		(cd bin/base && $(BENCH_PARTS)) >> bin/base.txt && $(BENCH_PARTS) >> bin/here.txt || exit 1; 	done
	@$(BENCHSTAT) $(BASE)=bin/base.txt here=bin/here.txt; rm -rf bin/base

.PHONY: mutants
mutants: ## Apply deliberate bugs to the library, one at a time, and check that a test fails; takes half an hour
	go run ./internal/mutants/cmd/mutants

.PHONY: model
model: ## Search a model of the delivery for violations, in every order of events; needs spin, takes a minute
	go run ./internal/model/cmd/model

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters; check the format and go.mod
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run
	go mod tidy -diff
	@set -ex; for module in $(MODULES); do (cd $$module; go vet ./...; go mod tidy -diff); done

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code
	$(GOLANGCI_LINT) fmt

.PHONY: fmt-check
fmt-check: $(GOLANGCI_LINT) ## Show the changes of fmt, and fail if there are any
	$(GOLANGCI_LINT) fmt --diff

# Tests in internal/arch and blazetest compare these files with the code.
.PHONY: api
api: ## Write the public API into testdata/api and llms.txt, and the HTTP API of blazetest into docs; commit the files
	mkdir -p testdata/api
	go doc -all . >testdata/api/blaze.txt
	go doc -all ./blazetest >testdata/api/blazetest.txt
	go doc -all ./dialog >testdata/api/dialog.txt
	go doc -all ./ledger >testdata/api/ledger.txt
	BLAZE_UPDATE=1 go test -count=1 -run '^TestTheOpenAPIFile$$' ./blazetest
	BLAZE_UPDATE=1 go test -count=1 -run '^TestLLMsText$$' ./internal/arch

.PHONY: apidiff
apidiff: $(APIDIFF) ## Show how the public API differs from another commit: make apidiff BASE=v0.1.0
	@test -n "$(BASE)" || { echo "there is no tag yet: make apidiff BASE=COMMIT" >&2; exit 1; }
	@rm -rf bin/base && mkdir -p bin/base && git archive $(BASE) | tar -x -C bin/base
	@for package in . ./blazetest ./dialog ./ledger; do \
		(cd bin/base && "$(CURDIR)/$(APIDIFF)" -w "$(CURDIR)/bin/base.api" $$package) && \
		echo "$$package since $(BASE):" && $(APIDIFF) bin/base.api $$package || exit 1; \
	done; rm -rf bin/base bin/base.api

# The coverage counts the packages that users import and the layers below them. It excludes the examples, blazetest, and
# the packages that test and measure: the tests use those, and they have few tests of their own.
TOOLS := arch bench faultproxy faults gauge leak model mutants openapi peers report soak testkit wspeer
COVERED := . ./dialog ./ledger $(filter-out $(TOOLS:%=./internal/%),$(wildcard ./internal/*))
FLOOR := 90

.PHONY: cover
cover: ## Show the coverage of all tests together; fails below the floor. go tool cover -html=cover.out shows lines
	@mkdir -p bin
	LIVES=10 go test -coverpkg="$$(echo $(COVERED) | tr ' ' ',')" -coverprofile=cover.out ./... >bin/cover.txt 2>&1 || \
		{ cat bin/cover.txt; exit 1; }
	@awk -v floor=$(FLOOR) -f .ci/cover.awk cover.out

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Look for known vulnerabilities of the dependencies; needs access to the Go vulnerability database
	@$(GOVULNCHECK) ./... >bin/vuln.txt 2>&1; status=$$?; cat bin/vuln.txt; \
	! grep -q 'govulncheck: fetching vulnerabilities' bin/vuln.txt || \
		{ echo "NOT CHECKED: the vulnerability database cannot be reached"; exit 0; }; \
	exit $$status

.PHONY: clean
clean: ## Remove the files made by this Makefile
	rm -rf bin cover.out

# The race detector needs cgo. Without this check the error does not name the cause.
.PHONY: race-works
race-works:
ifneq ($(RACE),)
	@if [ "$$(go env CGO_ENABLED)" != 1 ] || ! command -v $$(go env CC | cut -d ' ' -f 1) >/dev/null; then \
		echo "The race detector needs cgo and a C compiler: install gcc or clang (and set CGO_ENABLED=1 if it is 0)," >&2; \
		echo "or run 'make test RACE=' to test without it." >&2; \
		exit 1; \
	fi
endif

# The tools are built from source with the installed Go, in a temporary directory, so that only complete builds are
# kept. The file name has the version, so that another version is another file.
define install
	@echo "Building $(notdir $@), once."
	@rm -rf bin/new-$(1) && mkdir -p bin/new-$(1)
	GOBIN="$(CURDIR)/bin/new-$(1)" GOFLAGS=-mod=readonly go install $(2)
	@rm -f bin/$(1)-*
	@mv bin/new-$(1)/$(1) $@ && rmdir bin/new-$(1)
endef

$(GOLANGCI_LINT):
	$(call install,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))

$(GOVULNCHECK):
	$(call install,govulncheck,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))

$(APIDIFF):
	$(call install,apidiff,golang.org/x/exp/cmd/apidiff@$(APIDIFF_VERSION))

$(BENCHSTAT):
	$(call install,benchstat,golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION))
