# make sim    the main job: a simulated robot learns its reward from demonstrations, over a real ROS 2 graph
# make test   all tests       make check   linters, types, import rules
# make venv   .venv from constraints.txt, and the system libraries it needs
# make clean  removes .venv and everything that was built; runs/ stays

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
STAMP := $(VENV)/.made
ARGS ?=
export PYTHONUNBUFFERED := 1
# Empty: compiled modules are kept, whatever the machine says. Each node of a graph is a process that imports a hundred of them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: venv sim test check clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

venv: $(STAMP)

$(STAMP): constraints.txt setup.py setup.cfg tools/make_venv.sh
	@sh tools/make_venv.sh $(VENV)
	@touch $@

sim: $(STAMP)
	@$(PYTHON_IN) -m rewardbot demo --task lift $(ARGS)

# A few files of tests at a time, see tests/conftest.py; ARGS="-n 0" runs one after the other.
test: $(STAMP)
	$(PYTHON_IN) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP)
	$(VENV)/bin/ruff check rewardbot tests examples setup.py
	$(VENV)/bin/basedpyright
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) build install log *.egg-info .pytest_cache .hypothesis .ruff_cache .import_linter_cache
	find rewardbot tests -name __pycache__ -prune -exec rm -rf {} +
