# Set-up is part of every target: the virtual environment is made when it is missing or out of date.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
FEATURE ?= features/backtest_cancellation.feature
JOBS ?= 2
USERS ?= 200
SECONDS ?= 60
PROCESSES ?= 1

.PHONY: help run run-all report test lint targets storm bench peers gallery gallery-brief mutants sentences screenshots ci clean

help: ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 15

run: $(VENV)/.runs ## run the feature (FEATURE=...) and write the report
	@$(BIN)/python -m ktrdr_qa.tell.summary
	@status=0; $(BIN)/behave $(FEATURE) || status=$$?; $(BIN)/python -m ktrdr_qa.tell.report || true; exit $$status

run-all: ## run every feature on the embedded target, in one report
	@$(MAKE) --no-print-directory run FEATURE="-D target=embedded features"

report: $(VENV)/.runs ## write reports/report.html from the last run's results
	@$(BIN)/python -m ktrdr_qa.tell.report

targets: $(VENV)/.runs ## list the targets and tell which answers
	@$(BIN)/python -m ktrdr_qa.target

test: $(VENV)/.develops ## all tests but the gallery
	$(BIN)/python -m pytest -n $(JOBS)

lint: $(VENV)/.develops ## ruff, mypy, the features' form, the glossary and the README's table are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/reformat-gherkin --check features
	$(BIN)/python -m ktrdr_qa.tell.glossary --check
	$(BIN)/python -m tests.gallery.verified --check

storm: $(VENV)/.storms ## many users cancel at once, on Locust (USERS=200 SECONDS=60 PROCESSES=1, ARGS="-D target=... -D disturb=on")
	@$(BIN)/python -m storm --users $(USERS) --seconds $(SECONDS) --processes $(PROCESSES) $(ARGS)

gallery: $(VENV)/.develops ## every broken platform, every healthy one, every check taken out
	$(BIN)/python -m tests.gallery --healthy $(or $(HEALTHY),90) --checks

gallery-brief: $(VENV)/.develops ## the recipe's own broken platforms and some healthy ones, in five minutes
	$(BIN)/python -m tests.gallery preflight start running cancel after stability
	$(BIN)/python -m tests.gallery --no-faults --healthy 24

mutants: $(VENV)/.develops ## mutation testing of the judgements and the waiting verbs
	$(BIN)/python -m tests.judging.mutation

bench: $(VENV)/.runs ## the suite beside the recipe as it is written (needs bash, curl, jq), and beside the peers if they are there
	$(BIN)/python -m bench

peers: $(VENV)/.develops .venv-peers/.runs ## the peers and the suite against the whole gallery, counted (twenty minutes)
	$(BIN)/python -m bench.peers

sentences: $(VENV)/.runs ## write docs/sentences.md from the step definitions
	$(BIN)/python -m ktrdr_qa.tell.glossary

screenshots: $(VENV)/.runs ## make the pictures in docs/img from real runs (needs Node and Chromium)
	$(BIN)/python -m tools.screenshots

ci: ## what .ci/run does
	bash .ci/run

clean:
	rm -rf $(VENV) .venv-peers ktrdr_qa/tell/generator/node_modules

$(VENV)/.runs: requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found; name it with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.storms: storm/requirements.txt $(VENV)/.runs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r storm/requirements.txt
	@touch $@

$(VENV)/.develops: requirements-dev.txt storm/requirements.txt $(VENV)/.runs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv-peers/.runs: bench/peers/requirements.txt
	@test -x .venv-peers/bin/python || $(BIN)/python -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
	@touch $@
