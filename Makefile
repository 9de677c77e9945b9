# Everything a person or CI runs here. Each target sets the machine up first; when all is there that takes half a second.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
ARGS ?=
# Most tests wait for servers: one process more than there are cores keeps the cores busy. Each process starts servers of its own.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
SIDE_BY_SIDE := -n $(WORKERS) --maxprocesses 6 --dist worksteal
# What fails beside others is tried once more, and named at the end (RERUN): a fault to be looked at, not one that stops everybody.
ONCE_MORE := --reruns 1 --rerun-show-tracebacks -r fER

.PHONY: help setup clients demo pictures up down clean status test unit lint format bench nightly lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## check the prerequisites, install what is missing, make .venv and .tools
	@sh infra/setup/setup.sh

demo: setup ## the whole thing, end to end, with an independent check (ARGS=... are passed on; report: .run/demo.json)
	@$(BIN)/python -m infra.demo $(ARGS)

pictures: setup ## the README's pictures anew, of what `make demo ARGS=--keep` has left running
	@TANDEM_DEMO=.run/demo $(BIN)/pytest -q tests/consumers/console/test_pictures.py

up: setup ## start everything in the background, with twenty people; then: ./tandem status
	@$(BIN)/python -m infra.stack up $(ARGS)

down: ## stop what `make up` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m infra.stack down; fi

clean: ## stop it and remove its data
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m infra.stack clean; fi

status: setup ## what runs
	@$(BIN)/python -m infra.stack status

lint: setup ## ruff, mypy --strict, the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## let ruff format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: setup ## the tests that start no server
	$(BIN)/pytest -q -m "not slow and not integration" $(ARGS)

clients: setup ## what only tests need: other people's clients in Node, a Chromium
	@sh infra/setup/setup.sh --tests

test: lint clients ## lint, and every test but the nightly ones
	$(BIN)/pytest $(SIDE_BY_SIDE) $(ONCE_MORE) -m "not slow" $(ARGS)

bench: setup ## the benchmarks (report: .run/bench.json)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

nightly: setup clients ## every test, with the long simulations
	TANDEM_NIGHTLY=1 $(BIN)/pytest $(ARGS)

lock: setup ## write the locked requirements anew
	@sh infra/requirements/lock.sh
