# Jiaofei. `make help` lists the targets; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV ?= uv
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
PEERS := wechatpayv3 python-alipay-sdk alipay-sdk-python

.PHONY: help demo run test check lint new-adapter adapter-cost states simulate machines mutants chaos bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.ready: requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# SM2 for the shared account and for banks that sign with it; where no wheel is to be had, the rest works without.
$(VENV)/sm.ready: requirements/sm.txt $(VENV)/runtime.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/sm.txt || echo "no wheel for SM2 here: without the shared account"
	@touch $@

$(VENV)/dev.ready: requirements/dev.txt $(VENV)/runtime.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/sm.ready ## one order through every provider and method, against the simulators
	$(BIN)/python -m sandbox.demo

run: $(VENV)/sm.ready ## the same installation, kept running on ports 8300 and 8400
	$(BIN)/python -m sandbox.demo --keep

test: $(VENV)/dev.ready ## the whole suite, on SQLite and a real PostgreSQL
	$(BIN)/python -m pytest -p tests.guard -n 2 tests

lint: $(VENV)/dev.ready ## style, types, import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## everything that must hold before a commit

build/bench/peers/%: requirements/bench-%.txt $(VENV)/dev.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --target $@ -r $<
	@touch $@

new-adapter: $(VENV)/dev.ready ## begin a new bank with an adapter that works: make new-adapter NAME=bank_x
	@$(BIN)/python -m scaffold "$(NAME)"

adapter-cost: $(VENV)/dev.ready ## count what each adapter costs in files and lines
	@$(BIN)/python -m scaffold.cost

states: $(VENV)/dev.ready ## write docs/states.md anew from what the code does
	$(BIN)/python -m tests.states

SEEDS ?= 1..2
PAYERS ?= 4600
simulate: $(VENV)/dev.ready ## seeded runs of the whole gateway: make simulate SEEDS=1..8 PAYERS=4600
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --payers $(PAYERS)

EXAMPLES ?= 1000
SEED ?= 1
machines: $(VENV)/dev.ready ## random histories against the banks' books: make machines EXAMPLES=1000 SEED=2
	$(BIN)/python -m tests.services.machines --examples $(EXAMPLES) --seed $(SEED)

MODULE ?= all
SAMPLE ?= 0
mutants: $(VENV)/dev.ready ## which small changes no test notices: make mutants MODULE=gateway/domain/money.py
	$(BIN)/python -m tests.mutation $(MODULE) --sample $(SAMPLE) --seed $(SEED)

ENGINE ?= both
CHAOS_SEEDS ?= 1..3
SECONDS ?= 30
chaos: $(VENV)/dev.ready ## real processes killed and halted at every named point, and at random: make chaos CHAOS_SEEDS=1..3 ENGINE=both SECONDS=30
	$(BIN)/python -m tests.chaos --seeds $(CHAOS_SEEDS) --engine $(ENGINE) --seconds $(SECONDS)

planted: $(VENV)/dev.ready ## plant defects one by one; the simulation must find each
	$(BIN)/python -m tests.simulation --planted --seeds 1..3 --payers 250

bench: $(VENV)/dev.ready $(PEERS:%=build/bench/peers/%) ## throughput and cost, as ratios in one run
	$(BIN)/python -m bench

lock: ## pin every dependency anew, with hashes (needs uv)
	$(COMPILE) --upgrade requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/runtime.in -c requirements/dev.txt -o requirements/runtime.txt
	$(COMPILE) requirements/sm.in -c requirements/dev.txt -o requirements/sm.txt
	for peer in $(PEERS); do $(COMPILE) --upgrade requirements/bench-$$peer.in -o requirements/bench-$$peer.txt; done

clean: ## forget the environment and what demo and run left behind
	rm -rf $(VENV) var build
