# Every recipe is a line that calls Python. Without make (on Windows, say) run the same by hand:
#   python ci/bootstrap.py
#   .venv\Scripts\python ci\engine.py       then one of
#   .venv\Scripts\python ci\demo.py | -m pytest | ci\lint.py | bench\build.py
# What Windows does can be tried on Linux, too: ci/wine.py.
.POSIX:

PYTHON = python3
VENV_PYTHON = .venv/bin/python

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: setup  ## build and deploy the example stack on a real engine
	$(VENV_PYTHON) ci/demo.py

# Three files of tests at a time, also on two cores: they often wait for containers. In the order of their names:
# the quick ones, tests/unit, come last and fill the gaps.
# Where an engine is missing and can't be had, the tests that need one are skipped, and fail if CI is set.
test: setup  ## run all tests (gets a Docker engine first where that is possible)
	-$(VENV_PYTHON) ci/engine.py
	$(VENV_PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=20

lint: setup  ## check format, style, types and layers
	$(VENV_PYTHON) ci/lint.py

bench: setup  ## measure builds against bake and Compose
	$(VENV_PYTHON) bench/build.py

setup:  ## make .venv with everything in it (PYTHON=... chooses the Python)
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) on PATH; homeport needs Python 3.10 or newer" >&2; exit 2; }
	@$(PYTHON) ci/bootstrap.py

clean:  ## remove .venv and all caches
	@$(PYTHON) ci/bootstrap.py --clean

.PHONY: help demo test lint bench setup clean
