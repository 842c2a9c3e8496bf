# Everything here works on a machine that has only Python >= 3.11, pip and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS ?= geant4,jets,onnx,root,tensorboard,mlflow,sweep,anomaly,remote,dask,dev
OUT ?= runs/demo

.PHONY: install demo test lint docs release-check clean help

help:
	@echo "make install   create $(VENV) and install facsim with the extras $(EXTRAS)"
	@echo "make demo      simulate, train, evaluate, report and export into $(OUT) (10 to 20 minutes on 2 cores)"
	@echo "make test      run the tests"
	@echo "make lint      ruff, mypy --strict, import-linter"
	@echo "make docs      build the documentation into docs/_build"
	@echo "make release-check   build the distributions and try the wheel in a fresh environment (a minute or two)"
	@echo "make clean     remove $(VENV) and the caches (runs/ is kept)"

install: $(STAMP)

# torch first, as its own step: a bare resolve would take a CUDA build of several GB.
# Where a pinned version cannot be had, the newest one that pyproject.toml allows is taken.
$(STAMP): pyproject.toml constraints/ci.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "facsim needs Python >= 3.11, not $$($(PYTHON) --version): run make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints/ci.txt torch || \
	  $(BIN)/python -m pip install --quiet "torch>=2.6"
	$(BIN)/python -m pip install --quiet -c constraints/ci.txt -e ".[$(EXTRAS)]" || \
	  $(BIN)/python -m pip install --quiet -e ".[$(EXTRAS)]"
	@touch $@

demo: $(STAMP)
	$(BIN)/facsim demo --out $(OUT)

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs docs/_build

release-check: $(STAMP)
	.ci/release $(abspath $(BIN))/python

clean:
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
