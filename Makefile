# Everything a person or a machine does with Gatehouse. `make help` lists it.
#
# All you need beforehand is Python 3.11 and make. Every target installs what it needs first, once.

PYTHON ?= $(or $(shell command -v python3.11),python3)
VENV   := .venv
BIN    := $(VENV)/bin

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# pip's own report of a hundred libraries is long; this counts them on one line, and keeps errors.
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
  --require-hashes $(1) | awk '/^Collecting /{printf "\r    %d libraries", ++n; fflush()} END {if (n) print ""}'

# The image model's licence (AGPL-3.0) differs from ours; `make run VISION=0` leaves it out.
VISION ?= 1
# Videos and sounds need 100 MB more; `make run VIDEO=1` takes them.
VIDEO  ?= 0
SECONDS ?= 300
EXAMPLES ?= 120
PYTEST_JOBS ?= 2

# Services for `make test-services`, `make test-faults` has its own.
SERVICES_DATABASE_URL ?= postgres://root@127.0.0.1:5432/test
SERVICES_REDIS_URL    ?= redis://127.0.0.1:6379/11
SERVICES_AMQP_URL     ?= amqp://guest:guest@127.0.0.1:5672//

.DEFAULT_GOAL := help
.PHONY: help setup run test test-services test-browser test-contract test-schema test-faults chaos test-redis-broker lint format docs lock bench clean
.DELETE_ON_ERROR:

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Installing: each stamp file says which list is already installed -------------------------------

setup: $(VENV)/.dev  ## Install everything that development needs into .venv

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Gatehouse needs Python 3.11, and $(PYTHON) was not found." \
	       "Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "Gatehouse needs Python 3.11; $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; exit 1; }
	@echo "  · Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(BIN)/python
	@echo "  · Installing Gatehouse's libraries (about a minute, once) …"
	@$(call PIP_INSTALL,-r requirements.txt)
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(BIN)/python
	@echo "  · Installing Gatehouse's libraries and tools (about two minutes, once) …"
	@$(call PIP_INSTALL,-r requirements-dev.txt)
	@touch $@ $(VENV)/.run

# Without dependencies: the classifier is run directly, so its wish list (a second OpenCV, and the
# client of a web service) stays out.
$(VENV)/.vision: requirements-vision.txt | $(VENV)/.run
	@echo "  · Installing the image model."
	@echo "    NudeNet is licensed under the AGPL-3.0, unlike Gatehouse (Apache-2.0). It is installed"
	@echo "    into your own environment and is no part of Gatehouse. make run VISION=0 leaves it out;"
	@echo "    images are then \"not judged\", and the community's policy says what that means."
	@$(call PIP_INSTALL,--no-deps -r requirements-vision.txt)
	@touch $@

# Videos and sounds are opened with FFmpeg's libraries; without them they are refused.
$(VENV)/.video: requirements-video.txt | $(VENV)/.run
	@echo "  · Installing what opens videos and sounds (PyAV, with FFmpeg inside; 100 MB) …"
	@$(call PIP_INSTALL,--no-deps -r requirements-video.txt)
	@touch $@

$(VENV)/.kafka: requirements-kafka.txt | $(VENV)/.run
	@echo "  · Installing what reads and writes Kafka's topics (librdkafka) …"
	@$(call PIP_INSTALL,--no-deps -r requirements-kafka.txt)
	@touch $@

$(VENV)/.tracing: requirements-tracing.txt | $(VENV)/.run
	@echo "  · Installing what writes traces (OpenTelemetry) …"
	@$(call PIP_INSTALL,--no-deps -r requirements-tracing.txt)
	@touch $@

$(VENV)/.sentry: requirements-sentry.txt | $(VENV)/.run
	@echo "  · Installing what reports errors (Sentry) …"
	@$(call PIP_INSTALL,--no-deps -r requirements-sentry.txt)
	@touch $@

$(VENV)/.s3: requirements-s3.txt | $(VENV)/.run
	@echo "  · Installing what keeps attachments in a bucket (boto3) …"
	@$(call PIP_INSTALL,--no-deps -r requirements-s3.txt)
	@touch $@

# The services' own libraries stay apart from everything else.
CONTRACT_VENV := .venv-contract

$(CONTRACT_VENV)/.contract: requirements-contract.txt | $(BIN)/python
	@echo "  · Installing the services' official libraries into $(CONTRACT_VENV) (about two minutes, once) …"
	@$(PYTHON) -m venv $(CONTRACT_VENV)
	@$(subst $(BIN),$(CONTRACT_VENV)/bin,$(call PIP_INSTALL,-r requirements-contract.txt))
	@touch $@

# What makes the manual a site is no part of Gatehouse, nor of its tests.
DOCS_VENV := .venv-docs

$(DOCS_VENV)/.docs: requirements-docs.txt | $(BIN)/python
	@echo "  · Installing what makes the manual a site into $(DOCS_VENV) …"
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(subst $(BIN),$(DOCS_VENV)/bin,$(call PIP_INSTALL,-r requirements-docs.txt))
	@touch $@

# --- Running ----------------------------------------------------------------------------------------

run: $(VENV)/.run $(if $(filter 0 no false,$(VISION)),,$(VENV)/.vision) $(if $(filter 1 yes true,$(VIDEO)),$(VENV)/.video) $(if $(OTEL_EXPORTER_OTLP_ENDPOINT),$(VENV)/.tracing) $(if $(SENTRY_DSN),$(VENV)/.sentry)  ## Run Gatehouse here (PORT, GATEHOUSE_DATA, VISION=0, VIDEO=1)
	@exec $(BIN)/python -m platform_site.embedded

# --- Testing ----------------------------------------------------------------------------------------

# The suite says itself where its stack is; what your shell has set must not leak into it.
CLEAN_ENV := env -u DATABASE_URL -u REDIS_URL -u CELERY_BROKER_URL -u SECRET_KEY -u GATEHOUSE_URL \
             -u GATEHOUSE_DATA -u PORT -u DEBUG
PYTEST := $(BIN)/python -m pytest -n $(PYTEST_JOBS)

test: $(VENV)/.dev $(VENV)/.vision $(VENV)/.video $(VENV)/.kafka $(VENV)/.s3  ## Run the whole suite on the embedded stack
	$(CLEAN_ENV) $(PYTEST) $(ARGS)

# Plain Python, adapters, the embedded command and who may open what know no such services: once is
# enough.
ONCE := tests/access tests/deploy tests/docs tests/journeys/test_run.py tests/journeys/test_trace.py tests/providers tests/unit
SERVED := tests $(ONCE:%=--ignore=%)

# Whatever a broker has a part in; the rest does not know which one there is.
BROKERED := tests/delivery tests/journeys tests/live tests/operations

test-services: $(VENV)/.dev $(VENV)/.vision $(VENV)/.video $(VENV)/.kafka $(VENV)/.s3  ## Run it on PostgreSQL, Redis and RabbitMQ
	$(CLEAN_ENV) DATABASE_URL="$(or $(DATABASE_URL),$(SERVICES_DATABASE_URL))" \
	  REDIS_URL="$(or $(REDIS_URL),$(SERVICES_REDIS_URL))" \
	  CELERY_BROKER_URL="$(or $(CELERY_BROKER_URL),$(SERVICES_AMQP_URL))" $(PYTEST) $(or $(ARGS),$(SERVED))

test-redis-broker: $(VENV)/.dev $(VENV)/.vision $(VENV)/.video $(VENV)/.kafka $(VENV)/.s3  ## Run what a broker has a part in on PostgreSQL, with Redis as broker
	$(CLEAN_ENV) DATABASE_URL="$(or $(DATABASE_URL),$(SERVICES_DATABASE_URL))" \
	  REDIS_URL="$(or $(REDIS_URL),$(SERVICES_REDIS_URL))" $(PYTEST) $(or $(ARGS),$(BROKERED))

test-browser: $(VENV)/.dev $(VENV)/.vision $(VENV)/.video $(VENV)/.kafka $(VENV)/.s3  ## Drive the pages in headless Chromium
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && \
	  { echo "  · Installing Chromium …"; apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }; } || \
	  { echo "These tests drive Chromium: install it as chromium on your PATH." >&2; exit 1; }
	$(CLEAN_ENV) $(PYTEST) --dist loadfile tests/browser $(ARGS)

test-contract: $(CONTRACT_VENV)/.contract  ## Hold the sandbox to the services' official libraries
	$(CLEAN_ENV) $(CONTRACT_VENV)/bin/python -m pytest tests/contract -p no:randomly -n $(PYTEST_JOBS) --dist loadfile $(ARGS)

test-schema: $(VENV)/.dev  ## Ask a running server 5,000 things and more that the OpenAPI document allows or forbids (EXAMPLES=120)
	$(CLEAN_ENV) SCHEMA_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/schema -s $(ARGS)

test-faults: $(VENV)/.dev $(VENV)/.kafka  ## Kill parts at random under load (SECONDS=300, SEED); nothing may be lost
	$(CLEAN_ENV) FAULT_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/faults -s -p no:randomly \
	  --timeout $$(($(SECONDS) + 240)) $(ARGS)

# What kills the machine's parts for hours is for the night; SEED repeats one.
CHAOS ?= full
CHAOS_TESTS := $(addprefix tests/faults/test_,bombardment.py frozen_broker.py zombie.py chaos_*.py)

chaos: $(VENV)/.dev $(VENV)/.kafka  ## The full faults, for the night (about two hours; CHAOS=short: 20 minutes; SEED)
	@echo "  · CHAOS=$(CHAOS): the full run takes about two hours and two idle cores, the short one 20 minutes."
	$(CLEAN_ENV) CHAOS=$(CHAOS) $(BIN)/python -m pytest $(or $(ARGS),$(CHAOS_TESTS)) -s -p no:randomly --timeout 7200

# Settings as in production; nothing is contacted.
PRODUCTION := SECRET_KEY=for-checks-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ \
              GATEHOUSE_URL=https://forum.example.org DATABASE_URL=postgres://gatehouse@db/gatehouse \
              REDIS_URL=redis://redis/0

lint: $(VENV)/.dev  ## Style, types, import contracts, migrations, production settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(CLEAN_ENV) GATEHOUSE_DATA=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run
	$(CLEAN_ENV) GATEHOUSE_DATA=$$(mktemp -d) $(BIN)/python manage.py lint_migrations
	$(CLEAN_ENV) $(PRODUCTION) $(BIN)/python -W error manage.py check --deploy --fail-level WARNING

format: $(VENV)/.dev  ## Lay the code out
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

docs: $(DOCS_VENV)/.docs  ## Make the manual a site in docs/_build/html, to be read without a network
	$(DOCS_VENV)/bin/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "  · docs/_build/html/README.html"

# --- Upkeep -----------------------------------------------------------------------------------------

LOCK := $(BIN)/uv pip compile -q --generate-hashes --custom-compile-command "make lock" \
        --python-version 3.11 $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.dev  ## Compile pyproject.toml's short lists into requirements*.txt (UPGRADE=1 for newer ones)
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --extra dev -o requirements-dev.txt
	$(LOCK) --group vision --no-deps -o requirements-vision.txt
	$(LOCK) --group video --no-deps -o requirements-video.txt
	$(LOCK) --group kafka --no-deps -o requirements-kafka.txt
	$(LOCK) --group s3 --no-deps -o requirements-s3.txt
	$(LOCK) --group sentry --no-deps -o requirements-sentry.txt
	$(LOCK) --group tracing --no-deps -o requirements-tracing.txt
	$(LOCK) --group training --no-deps -o requirements-training.txt
	$(LOCK) pyproject.toml --extra dev --group contract -o requirements-contract.txt
	$(LOCK) --group docs -o requirements-docs.txt

bench: $(VENV)/.dev  ## Measure against the naive peer on PostgreSQL and Redis
	$(BIN)/python -m benchmarks.run $(ARGS)

clean:  ## Remove the environments and caches; the data folder (var/) stays
	rm -rf $(VENV) $(CONTRACT_VENV) $(DOCS_VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
