# `make demo` and `make test` do all of their own set-up in .venv; repeated calls skip it.
PYTHON ?= python3
BIN := .venv/bin
SECONDS ?= 30
READY := .venv/.ready
BENCH_READY := .venv/.bench-ready

.PHONY: demo test check bench chaos load format clean

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

demo: $(READY)  ## damage a portrait in several ways, restore it, draw a before/after sheet
	$(BIN)/face-recovery demo --out demo-output

test: $(READY)  ## every test
	$(BIN)/python -m pytest

check: $(READY)  ## lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $(BENCH_READY)

bench: $(BENCH_READY)  ## how fast it is on this machine, in short runs; bench/README.md has the full ones
	$(BIN)/python -m bench.local --images 50
	$(BIN)/python -m bench.overhead --jobs 2000 --repeats 3
	$(BIN)/python -m bench.peers --jobs 500 --latency-jobs 150 --latency lognormal:1:0.5 --repeats 1
	$(BIN)/python -m bench.in_flight --jobs 1000 10000 --latency-s 30
	$(BIN)/python -m bench.polling --quick
	$(BIN)/python -m bench.downloads --total-mb 1000 --repeats 1
	$(BIN)/python -m bench.rate_limit --phase-s 10 --repeats 1
	$(BIN)/python -m bench.resume --jobs 100000 --repeats 3
	$(BIN)/python -m bench.eta

chaos: $(READY)  ## kill engine and service 200 times over 2,000 jobs, then audit what is left
	$(BIN)/python -m bench.chaos

load: $(READY)  ## 500 clients against one service for half a minute: no unexpected 5xx, no leak; SECONDS=600 for ten
	$(BIN)/python -m bench.load --clients 500 --seconds $(SECONDS)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache demo-output
