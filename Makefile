# Every command a person needs. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONWARNINGS ?= ignore::RuntimeWarning:platformdirs

PYTHON  := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PACKAGES := $(wildcard libs/* services/*) deploy/gateway deploy/local
SOURCES  := libs services deploy tools benchmarks tests-e2e conftest.py
SERVICE  ?=
STACK    ?= embedded
WORKERS  ?= auto
READY    := .venv/.ready

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## play the story on real PostgreSQL, NATS and Envoy, from nothing
	@hazina demo

up: $(READY)  ## start the whole house in the background; `hazina status` shows it
	@hazina up --detach

down: $(READY)  ## stop it
	@hazina down

test: $(READY)  ## run every test, or one service's: make test SERVICE=ledger
	@pytest -n $(WORKERS) --dist loadgroup -m "not e2e and not compose" $(if $(SERVICE),services/$(SERVICE)) $(ARGS)
	@$(if $(SERVICE),,$(MAKE) --no-print-directory e2e)

check: $(READY)  ## format, lint, types, imports, manners, gateway config (no change is made)
	@ruff format --check -q $(SOURCES)
	@ruff check -q $(SOURCES)
	@mypy --no-error-summary $(addsuffix /src,$(PACKAGES)) tools
	@lint-imports --no-cache >/tmp/hazina-imports.$$$$ 2>&1 || { cat /tmp/hazina-imports.$$$$; rm /tmp/hazina-imports.$$$$; exit 1; }; rm -f /tmp/hazina-imports.$$$$
	@python -m tools.tidy
	@python -m tools.lock
	@python -m hazina_gateway validate

fix: $(READY)  ## format and mend what can be mended
	@ruff format -q $(SOURCES)
	@ruff check -q --fix $(SOURCES)

e2e: $(READY)  ## play the stories on a whole house: make e2e STACK=embedded|compose
	@pytest tests-e2e deploy/local -n0 -m $(if $(filter compose,$(STACK)),compose,"e2e and not compose") $(ARGS)

chaos: $(READY)  ## kill everything, lose everything, count: make chaos SECONDS=150 SEED=1
	@python -m tools.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(READY)  ## measure a bar: make bench BAR=outbox_relay (all when BAR is empty)
	@python -m benchmarks $(BAR)

contracts: $(READY)  ## write what is generated anew: OpenAPI, problems, AsyncAPI, gateway, broker
	@python -m hazina.standard.contracts
	@python -m hazina_gateway render > deploy/gateway/envoy.yaml
	@python -c 'from hazina.embedded.nats import nats_config; from hazina.pg.roles import SERVICES; print(nats_config(SERVICES), end="")' > deploy/nats.conf

new: $(READY)  ## start a capability: make new SERVICE=ledger NAME=moneybox
	@python -m tools.scaffold $(SERVICE) $(NAME)

lock: $(READY)  ## resolve the dependencies anew into requirements.lock (hashes, no addresses)
	@env -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_INDEX uv lock -q
	@uv export --frozen --all-packages --all-groups --no-emit-workspace --no-header --no-annotate -q -o requirements.lock

$(READY): requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(PACKAGES))
	@test -n "$(PYTHON)" || { echo "Hazina needs Python 3.11 or newer; none was found."; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version) …"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { echo "Python's venv module is missing (Debian: python3-venv)."; exit 1; }
	@python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

.PHONY: help demo up down test check fix e2e chaos bench contracts new lock
