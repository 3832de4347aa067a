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
DEMO_ARGS := $(if $(filter ci,$(DEMO)),--ci,)

.PHONY: help build demo run dev test bench chaos soak lint gen check clean packages unit engine databases chaos-stage demo-stage

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## the program, build/sextant
	@mkdir -p build
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/sextant

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

lint: ## formatted, vetted, generated files true
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) build ./...
	$(GO) test -count=1 . ./api
	@[ -z "$(CI)" ] || { $(MAKE) --no-print-directory gen && git diff --exit-code -- api sdk/go/client; }

unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 9m $$($(GO) list ./... | grep -v -e /test/ -e /internal/engine)

engine:
	CGO_ENABLED=1 $(GO) test -race -timeout 9m ./internal/engine/...
	@.ci/fuzz 10s

databases:
	$(GO) test -count=1 -timeout 5m ./internal/kit/db/... ./sdk/go/sqldb/... ./sdk/go/objectstore/...

chaos: ## the server killed at random moments of a release
	$(GO) test -count=1 -timeout 10m -v -run . ./test/chaos

chaos-stage:
	$(GO) test -count=1 -p 1 -timeout 6m ./test/e2e ./test/chaos

demo-stage:
	@$(MAKE) --no-print-directory demo DEMO=ci

bench: ## figures of this machine, build/bench.json
	$(GO) run ./test/bench

soak: build ## releases and kills for SOAK minutes; appends to build/soak.txt
	SEXTANT_SOAK_MINUTES=$(SOAK) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./test/chaos | tee -a build/soak.txt

gen: ## api/openapi.yaml and the client's types
	$(GO) run ./api/gen

clean: ## what was built
	rm -rf build
