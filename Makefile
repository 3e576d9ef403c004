# Two commands matter: `make rehearse` and `make test`. The rest is for those who change the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: rehearse test check format schema lock clean

rehearse: $(STAMP)
	$(BIN)/migrator rehearse habitcraft

# Everything: the check, then engines, crash tests and rehearsals, two files at a time, the longest first.
test: check
	$(BIN)/python -m pytest -m "engine or crash or rehearsal" -n 2 --dist loadfile --no-loadscope-reorder

# Fast: format, lint, types, import contracts, unit tests. Under two minutes.
check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -m "not engine and not crash and not rehearsal" -n 2 --dist worksteal

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "migrator needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

# The JSON Schema of runbooks, for editors.
schema: $(STAMP)
	$(BIN)/python -c "from migrator.loading.schema import schema, as_text; from migrator.runner.compose import catalogue; from pathlib import Path; Path('runbooks/runbook.schema.json').write_text(as_text(schema(catalogue())), encoding='utf-8')"

# Resolve the dependencies anew. Needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --extra lab --extra dev --extra postgres pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache
