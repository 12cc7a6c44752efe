# What a person runs here. Each target sets up what it needs by itself.
PYTHON := .venv/bin/python
CDK := node_modules/.bin/cdk
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: help demo up down test soak lint check e2e bench docs bootstrap deploy diff destroy set-up lock

help:
	@echo "make demo                the whole product in one go, on an embedded AWS"
	@echo "make up | down           keep that embedded AWS running, to try things | end it"
	@echo "make test                linters, types, unit tests, template tests, tests on the embedded AWS"
	@echo "make soak                500 refreshes with random faults while workers read, on the embedded AWS: minutes"
	@echo "make check               scanners on the synthesized templates: cfn-lint, cdk-nag, checkov"
	@echo "make e2e                 Airflow 2 and 3 pull a private image with a docker engine: on Linux, as root"
	@echo "make bench               what a refresh costs, what its readers see, how long a deploy takes"
	@echo "make bootstrap ENV=prod  prepare its AWS account and region for the CDK, once"
	@echo "make diff ENV=prod       what a deploy of environments/prod.toml would change on AWS"
	@echo "make deploy ENV=prod     deploy it, with the AWS credentials of your shell"
	@echo "make destroy ENV=prod    remove it; the repositories and their images stay"

demo up down: set-up
	@$(PYTHON) -m local $@

test: lint
	@$(PYTHON) -m pytest -q -n 3 --dist loadfile

soak: set-up
	@SOAK_REFRESHES=500 $(PYTHON) -m pytest -q -s tests/faults/test_soak.py

lint: set-up
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --quiet --check .
	@$(PYTHON) -m mypy
	@PYTHONPATH=.:lambda .venv/bin/lint-imports --no-logo

check:
	@python3 -m tools.set_up checkov
	@$(PYTHON) -m scanners

# In namespaces of its own. Where that cannot be it says why and skips its tests; with E2E_OPTIONS=--must-run it fails.
e2e: set-up
	@.ci/packages
	@$(PYTHON) -m tests.e2e $(E2E_OPTIONS)

# Writes docs/benchmarks.md; ten minutes.
bench:
	@python3 -m tools.set_up bench
	@$(PYTHON) -m bench

diff destroy: set-up environment-named
	@$(CDK) $@ $(CDK_OPTIONS) '$(ENV)/*'

deploy: set-up environment-named
	@$(CDK) deploy --import-existing-resources $(CDK_OPTIONS) '$(ENV)/*'

# The account and region of an environment, as the CDK CLI names them.
WHERE = $$($(PYTHON) -c 'import tomllib; e = tomllib.load(open("environments/$(ENV).toml", "rb")); print("aws://{account}/{region}".format(**e))')

bootstrap: set-up environment-named
	@$(CDK) bootstrap $(CDK_OPTIONS) "$(WHERE)"

.PHONY: environment-named
environment-named:
	@test -n "$(ENV)" || { echo "Which environment? For example: make deploy ENV=prod, for environments/prod.toml"; exit 2; }
	@test -f "environments/$(ENV).toml" || { echo "There is no environments/$(ENV).toml"; exit 2; }
	@test "$(ENV)" != local || { echo "local is for the embedded AWS: make demo, make up"; exit 2; }

set-up:
	@python3 -m tools.set_up

# After a change of tests/permissions/expected.py.
docs: set-up
	@$(PYTHON) -m tests.permissions.page

COMPILE = $(PYTHON) -m uv pip compile --quiet --universal --no-header --python-version 3.11

# After a change of requirements*.txt. The first one first: the bench has its versions.
lock: set-up
	$(COMPILE) requirements-dev.txt -o requirements.lock
	$(COMPILE) scanners/requirements-checkov.txt -o scanners/requirements-checkov.lock
	$(COMPILE) bench/requirements-lambda.txt -o bench/requirements-lambda.lock
	$(COMPILE) bench/requirements-airflow.txt -o bench/requirements-airflow.lock
	$(COMPILE) tests/e2e/requirements-airflow-2.txt -o tests/e2e/requirements-airflow-2.lock
	$(COMPILE) tests/e2e/requirements-airflow-3.txt -o tests/e2e/requirements-airflow-3.lock
