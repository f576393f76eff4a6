# The commands of the project. Only python3 (3.11 or newer, with venv) and make are assumed.
PYTHON ?= python3
BIN := .venv/bin
TESTS := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --durations 40
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# What runs here stays here: nothing is reported to anybody, no token is asked for on one machine.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: help demo test fast lint setup debian docs sbom clean up down status smoke

help: ## say what each command does
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('mapmerge needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv
	@echo "installing packages into .venv (a minute or two) ..."
	$(PIP) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) --editable ".[dev]"
	@touch $@

setup: .venv/.installed-dev ## make .venv with everything a developer needs

debian: ## as root on Debian: install the browser and the database that tests use; without them those are skipped
	@missing=""; \
	command -v chromium >/dev/null || missing="chromium fonts-dejavu-core"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "tests of pages or databases are skipped: $$missing"; exit 0; fi; \
	echo "installing $$missing ..."; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $$missing >/dev/null \
		|| echo "could not be installed; tests of pages or databases are skipped"

demo: .venv/.installed ## build real models, find their Pareto front, write its report
	@test -f demo/zoo/study.yaml || $(BIN)/mapmerge zoo build vision --experts 4 --out demo/zoo
	@$(BIN)/mapmerge run demo/zoo/study.yaml --output demo/output

up: .venv/.installed-dev ## start the servers of one machine: S3, PostgreSQL, Prefect, Ray; OPTIONS="--prefect-port 4300"
	@$(BIN)/python -m infra.up $(OPTIONS)

down: .venv/.installed-dev ## stop them; what they keep, in .mapmerge, stays
	@$(BIN)/python -m infra.down $(OPTIONS)

status: .venv/.installed-dev ## say which of them run
	@$(BIN)/python -m infra.status $(OPTIONS)

smoke: .venv/.installed-dev ## with the servers up: ask for a run by REST, see it finish, read its front from S3
	@test -f demo/zoo/study.yaml || $(BIN)/mapmerge zoo build vision --experts 4 --out demo/zoo
	@$(BIN)/python -m infra.smoke --study demo/zoo/study.yaml $(OPTIONS)

lint: .venv/.installed-dev ## style, types and the import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: .venv/.installed-dev ## the tests that need no server, no Ray and no training
	$(TESTS) -m "not slow"

docs: .venv/.installed-dev ## build the documentation as a site, in build/docs; a link that leads nowhere fails
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs/site -b html . build/docs
	@echo "build/docs/docs/index.html"

# In an environment of its own: what it brings makes every import of jsonschema, and so of Prefect, slower.
build/cyclonedx: constraints.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt cyclonedx-bom
	@touch $@

sbom: .venv/.installed-dev build/cyclonedx ## list every package in .venv, with version and licence, as CycloneDX in build/sbom.json
	build/cyclonedx/bin/cyclonedx-py environment --output-reproducible -o build/sbom.json .venv

test: lint debian ## everything: style, types, import rule, all tests
	$(TESTS)

clean: ## remove what the commands above made, but not what servers keep
	rm -rf .venv demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis
