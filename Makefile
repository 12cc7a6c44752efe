# Every target installs what it needs.
PYTHON := .venv/bin/python
CDK := node_modules/.bin/cdk
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.PHONY: help demo up down settings bootstrap diff deploy destroy preflight status doctor lifecycle \
	unit test rehearse lint check soak e2e bench docs \
	generate actions lock set-up set-up-to-deploy set-up-to-operate cdk-options

help:
	@echo "Try it, without an AWS account"
	@echo "  make demo                Show everything once, on an AWS emulator"
	@echo "  make up                  Start the AWS emulator, deploy to it, and keep it running"
	@echo "  make down                Stop it"
	@echo "  ENV=prod                 Deploy environments/prod.toml there instead of local.toml, with make up"
	@echo
	@echo "Deploy environments/<name>.toml, with the AWS credentials of your shell"
	@echo "  make settings ENV=prod   Check all settings files, and print what one means; without credentials"
	@echo "  make bootstrap ENV=prod  Prepare the AWS account and region for the CDK, once"
	@echo "  make diff ENV=prod       Show what a deployment would change"
	@echo "  make deploy ENV=prod     Deploy"
	@echo "  make destroy ENV=prod    Remove the deployment; repositories and their images stay"
	@echo "  CDK_OPTIONS='...'        Options for the CDK CLI, with any of the last four"
	@echo "  PREFLIGHT=off            Deploy without asking AWS first what would stop the deployment"
	@echo
	@echo "Operate what is deployed; .venv/bin/ecr-login --help shows every command"
	@echo "  make preflight ENV=prod  Check before a deployment what AWS would refuse"
	@echo "  make status ENV=prod     Show whether the docker logins are fresh, and the images"
	@echo "  make doctor ENV=prod     Check that everything is as deployed, and works"
	@echo "  make lifecycle ENV=prod  Show which images the lifecycle rules would delete today"
	@echo
	@echo "Develop"
	@echo "  make unit                Run the tests that need no AWS emulator"
	@echo "  make test                Run the linters, the unit tests and the tests on the AWS emulator"
	@echo "  make rehearse            Run the long tests: demo, upgrade, emulator, largest settings"
	@echo "  make lint                Check style, formatting, types and imports"
	@echo "  make check               Scan the templates (cfn-lint, cdk-nag, checkov) and build the docs"
	@echo "  make soak                Refresh 500 times with random faults; takes minutes"
	@echo "  make e2e                 Run the example DAGs in Airflow 2 and 3 with Docker; Linux, as root"
	@echo "  make bench               Measure refreshes and deployments, and write docs/benchmarks.md"
	@echo "  make docs                Build the documentation site"
	@echo "  make generate            Write the generated files again: settings reference, JSON schema, permission tables"
	@echo "  make actions             Write the list of the newest AWS actions again, for the permission tests"
	@echo "  make lock                Write the lock files again, after a change of a requirements file"
	@echo "  make set-up              Install everything for development; the other targets do this themselves"

demo down: set-up
	@$(PYTHON) -m local $@

up: set-up
	@$(PYTHON) -m local up $(ENV)

OPERATE := preflight status doctor lifecycle

# An error in ENV is reported before anything is installed.
ifneq ($(filter bootstrap diff deploy destroy $(OPERATE),$(MAKECMDGOALS)),)
  ifeq ($(ENV),)
    $(error ENV is missing. Example: make deploy ENV=prod, for environments/prod.toml)
  else ifeq ($(ENV)$(filter https://127.0.0.1:%,$(AWS_ENDPOINT_URL)),local)
    $(error ENV=local is for the AWS emulator. Use make demo or make up, or point AWS_ENDPOINT_URL at the emulator)
  else ifneq ($(wildcard environments/$(ENV).toml),environments/$(ENV).toml)
    $(error environments/$(ENV).toml does not exist. Copy a file from examples/ and edit it)
  endif
endif

# Without ENV, it prints a line for each environment.
settings: set-up-to-deploy
	@$(PYTHON) -m settings $(if $(ENV),'$(ENV)')

diff destroy: set-up-to-deploy
	@$(CDK) $@ $(CDK_OPTIONS) '$(ENV)/*'

# A repository that an earlier deployment left behind becomes part of the stack again.
# PREFLIGHT=off skips the checks before the deployment. Exit code 2 means that the deployment would fail. With the other
# exit codes, the checks found only notices or could not run, and the deployment starts.
deploy: set-up-to-deploy
	@$(if $(filter off,$(PREFLIGHT)),,.venv/bin/ecr-login preflight '$(ENV)' -- $(CDK_OPTIONS) || test $$? -ne 2)
	@$(CDK) deploy --import-existing-resources $(CDK_OPTIONS) '$(ENV)/*'

# OPTIONS='--json' adds options.
$(OPERATE): set-up-to-operate
	@.venv/bin/ecr-login $@ $(OPTIONS) '$(ENV)'

bootstrap: set-up-to-deploy
	@target="$$($(PYTHON) -m settings.target $(ENV))" && $(CDK) bootstrap $(CDK_OPTIONS) "$$target"

unit: set-up
	@$(PYTHON) -m pytest -q -n 2 -m "not emulator and not rehearsal"

test: lint
	@$(PYTHON) -m pytest -q -n 4 -m "not rehearsal" --durations=10

rehearse: set-up
	@$(PYTHON) -m pytest -q -n 2 -m rehearsal --durations=5

lint: set-up
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --quiet --check .
	@$(PYTHON) -m mypy
	@PYTHONPATH=.:lambda .venv/bin/lint-imports --no-logo

check:
	@python3 -m tools.set_up checkov
	@$(PYTHON) -m scanners
	@$(MAKE) --no-print-directory docs

soak: set-up
	@SOAK_REFRESHES=500 $(PYTHON) -m pytest -q -s tests/faults/test_soak.py

# Runs in Linux namespaces. Where these are not possible, it says why and skips the tests; E2E_OPTIONS=--must-run makes
# that a failure.
e2e: set-up
	@.ci/packages
	@$(PYTHON) -m tests.e2e $(E2E_OPTIONS)

bench:
	@python3 -m tools.set_up bench
	@$(PYTHON) -m bench

docs:
	@python3 -m tools.set_up docs
	@.venv-docs/bin/sphinx-build -W --keep-going -n -q -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

generate: set-up
	@$(PYTHON) -m settings.reference
	@$(PYTHON) -m tests.permissions.permission_table
	@$(PYTHON) -m ops.permissions

actions: set-up
	@$(PYTHON) -m tests.permissions.newest_actions

lock: set-up
	@python3 -m tools.lock

set-up:
	@python3 -m tools.set_up dev

# Refuses options of the CDK CLI that break the promise of a deployment.
cdk-options:
	@python3 -m tools.cdk_options '$(MAKECMDGOALS)' $(CDK_OPTIONS)

set-up-to-operate:
	@python3 -m tools.set_up ops

set-up-to-deploy: cdk-options
	@python3 -m tools.set_up deploy
