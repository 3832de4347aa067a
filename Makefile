# Sextant. `make help` lists what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN := build/sextant
GO ?= go
export CGO_ENABLED ?= 0
export SEXTANT_CORPORA ?= $(abspath ../shared/corpora)
DEMO ?=
SOAK ?= 10
DB ?= sqlite
KILLS ?= 40
PAUSES ?= 20
SEEDS ?= 100000
HISTORIES ?= 500
CUTS ?= 20000
KEY ?=
PASSWORD ?=
RELEASE := build/release
DEMO_ARGS := $(if $(filter ci,$(DEMO)),--ci,)

.PHONY: help release release-stage build console demo run dev test bench browser chaos sabotage soak lint gen check clean packages unit engine databases chaos-stage demo-stage

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: console ## the program with its console, build/sextant
	@mkdir -p build
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/sextant

# The console is built where there is npm; without it the program says so itself.
WEB_SOURCES := $(shell git ls-files web/src web/public web/index.html web/vite.config.ts web/package-lock.json 'web/build.*' 2>/dev/null)

console: ## the console, web/dist
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/dist/index.html; else echo "npm is not here: the program is built without its console"; fi

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

release: console ## archives, packages, images, bill of materials and check sums, in build/release (KEY=secret.key PASSWORD=file sign it)
	@rm -rf $(RELEASE)
	cd release && $(GO) run . make -root .. -out ../$(RELEASE) -version $(VERSION) -key "$(if $(KEY),$(abspath $(KEY)))" -password "$(if $(PASSWORD),$(abspath $(PASSWORD)))"

# The image and the package are started, where there is an engine and root.
release-stage:
	@.ci/packages docker.io minisign iproute2
	cd release && $(GO) test -count=1 -timeout 9m ./...

demo: ## the main job: a rolling release over real hosts; DEMO=ci checks everything and ends
	@if [ "$(DEMO)" = ci ]; then .ci/packages openssh-server nginx; fi
	@$(MAKE) --no-print-directory build
	$(BIN) demo $(DEMO_ARGS)

run: build ## the server on embedded parts, in ./data
	$(BIN) server

dev: ## the server with a verbose log
	$(GO) run ./cmd/sextant server --log.level debug

test: ## everything that proves that it works, with a budget for each stage
	@.ci/stages

packages:
	@.ci/packages openssh-server openssh-client nginx

check: lint ## quick: formatted, vetted, tidy, unit tests without the race detector
	$(GO) test . ./internal/... ./plugins/... ./sdk/... ./examples/...

lint: web/node_modules/.package-lock.json ## formatted, vetted, types and texts of the console, generated files true
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	cd release && $(GO) vet ./...
	$(GO) build ./...
	GOOS=windows $(GO) build ./internal/cli
	$(GO) test -count=1 . ./api/... ./test/sabotage
	@$(GO) test -count=1 -v -run TestTheShareOfTests . | grep 'lines of tests'
	cd web && npx prettier --check --log-level warn . && npm run --silent check && npm run --silent test
	@cd web && begun=$$(date +%s) && npm run --silent lint && echo "eslint: $$(($$(date +%s) - begun)) s"
	@[ -z "$(CI)" ] || { $(MAKE) --no-print-directory gen && git diff --exit-code -- api sdk/go/client web/src/api/schema.ts; }

unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 9m $$($(GO) list ./... | grep -v -e /test/ -e /internal/engine)

engine:
	CGO_ENABLED=1 $(GO) test -race -timeout 9m ./internal/engine/...
	@.ci/fuzz 10s
	$(GO) test -count=1 -timeout 5m ./test/feelin

# What touches SQL. With SQLite the other stages run it.
SQL := ./internal/kit/api ./internal/kit/bus ./internal/kit/db/... ./internal/domain/... ./internal/engine/durable ./internal/server ./sdk/go/objectstore ./plugins/...

databases: ## what touches SQL, on PostgreSQL and MariaDB (E2E=yes: the way of a user through them, too)
	@.ci/packages postgresql mariadb-server
	$(GO) test -count=1 -timeout 5m ./sdk/go/sqldb/...
	@for kind in postgres mysql; do \
	  echo "── $$kind"; export SEXTANT_TEST_DATABASE=$$kind; \
	  $(GO) test -count=1 -timeout 9m $(SQL) || exit 1; \
	  [ -z "$(E2E)" ] || $(GO) test -count=1 -timeout 15m ./test/e2e || exit 1; \
	done

browser: build ## the console in a real browser
	@.ci/packages chromium-headless-shell fonts-noto-cjk
	cd web && SEXTANT_BIN=$(abspath $(BIN)) npm run --silent browser

chaos: ## the server killed and paused under load and in the middle of releases (DB=sqlite, postgres or mysql; KILLS, PAUSES)
	@[ $(DB) = sqlite ] || .ci/packages postgresql mariadb-server
	SEXTANT_TEST_DATABASE=$(DB) SEXTANT_CHAOS_KILLS=$(KILLS) SEXTANT_CHAOS_PAUSES=$(PAUSES) $(GO) test -count=1 -timeout 15m -v ./test/chaos/...

chaos-stage:
	$(GO) test -count=1 -p 1 -timeout 6m ./test/e2e ./test/stream ./test/trust ./test/guide ./test/chaos/...

demo-stage:
	@$(MAKE) --no-print-directory demo DEMO=ci

sabotage: ## proof that tests can fail: one line broken at a time (ONLY=word for some)
	@$(GO) run ./test/sabotage $(ONLY)

bench: build ## figures of this machine, build/bench.json; then what people feel in the console
	$(GO) run ./test/bench
	@.ci/packages chromium-headless-shell fonts-noto-cjk
	@cd web && SEXTANT_BIN=$(abspath $(BIN)) npm run --silent measure || echo "the console could not be measured"

soak: build ## releases and kills for SOAK minutes, then SEEDS seeds of the engine, CUTS of power and HISTORIES of locks and leases; appends to build/soak.txt
	SEXTANT_SOAK_MINUTES=$(SOAK) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./test/chaos | tee -a build/soak.txt
	SEXTANT_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 0 -v -run TestSimulation ./internal/engine | tee -a build/soak.txt
	SEXTANT_CUTS=$(CUTS) $(GO) test -count=1 -timeout 0 -v -run Power ./internal/kit/db | tee -a build/soak.txt
	$(GO) test -count=$(HISTORIES) -timeout 0 -run Linearizable ./internal/domain/control ./internal/domain/job | tee -a build/soak.txt

gen: web/node_modules/.package-lock.json ## api/openapi.yaml and the types of both clients
	$(GO) run ./api/gen
	cd web && npm run --silent gen

clean: ## what was built
	rm -rf build web/node_modules web/dist
	@mkdir -p web/dist && touch web/dist/.gitkeep
