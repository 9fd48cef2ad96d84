# Everything runs inside .venv, which `install` makes; no activated environment is assumed.
# Needs Python 3.11 or newer, pip, make and a C compiler.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: install demo test check format bench lock clean

install: $(STAMP)

$(STAMP): requirements.lock requirements-torch.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "pointsman needs Python 3.11 or newer; name it with make PYTHON=..." >&2; exit 1; }
	test -x $(PY) || "$(PYTHON)" -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	$(PY) -m pointsman.demo

# Two workers, one thread each: more would wait for each other.
test: install
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -q -n 2

check: install
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy src

format: install
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

bench: install
	$(VENV)/bin/pointsman bench program

# Needs `uv` on the PATH; the only target that does.
lock:
	UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile pyproject.toml --extra native --extra local --extra solve --extra dev \
		--universal --excludes requirements-torch.txt --python-version 3.11 --generate-hashes --no-annotate --quiet \
		--output-file requirements.lock

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
