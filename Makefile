# Set-up and the everyday commands. `make refresh` and `make test` need git, make and Python 3.11, 3.12 or 3.13.

VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SPARK_INSTALLED := $(VENV)/.installed-spark

# Without this, an environment that sets the variable would make every process compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install java install-spark refresh check test suite smoke test-spark torture lint types unit dev reports benchmark docs dbt-docs lock audit-dependencies

install: $(INSTALLED)

# The file .installed is written last, so an interrupted install starts again.
$(INSTALLED): requirements.lock pyproject.toml
	@python=$${PYTHON:-$$(sh scripts/find_python.sh)} && [ -n "$$python" ] && "$$python" -m venv --clear $(VENV)
	@$(BIN)/python scripts/install.py requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m warehouse.transform.installed_project
	@touch $@

# Further packages, for SENDMART_ENGINE=spark only.
install-spark: java $(SPARK_INSTALLED)

$(SPARK_INSTALLED): requirements-spark.lock $(INSTALLED)
	@$(BIN)/python scripts/install.py requirements-spark.lock
	@touch $@

# Spark looks for Java in JAVA_HOME, then in PATH.
java:
	@version=$$("$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'); \
	[ "$${version:-0}" -ge 17 ] || { \
	  echo "Spark needs Java 17 or newer; found: $${version:-none}. On Debian: apt-get install openjdk-17-jre-headless" >&2; exit 1; }

# A refresh. Without log files, sample logs are written first.
refresh: install
	@$(BIN)/sendmart sample --first-run
	@$(BIN)/sendmart refresh

# Before each commit: lint, types and unit tests, in less than a minute.
check: install
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint unit

unit: install
	@$(BIN)/python -m pytest tests/unit --numprocesses 2

# Side by side, because mypy needs one core for a minute after a clone.
test: install
	@$(MAKE) --no-print-directory --jobs 2 lint suite

suite: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# A short suite for another Python: make smoke PYTHON=python3.13 VENV=.venv-3.13
smoke: install
	$(BIN)/python -m pytest tests/unit tests/pipeline/test_cases.py

# Not part of `make test`: starts a Spark cluster on this machine and runs the models on it.
test-spark: install-spark
	$(BIN)/python -m pytest tests/spark

# Not part of `make test`, takes long: property tests with ten times the examples, new ones each time; the tests marked
# `torture`; landing zones of an odd shape at a tenth of their size. Run times: benchmarks/README.md.
torture: install
	$(BIN)/python -m pytest tests/property --hypothesis-profile=torture --durations=5
	$(BIN)/python -m pytest -m torture --durations=0
	$(BIN)/python -m benchmarks.shapes --scale 0.1

lint: install types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports
	@$(BIN)/sqlfmt --check --quiet dbt_project quality

types: install
	@$(BIN)/mypy

# Dagster's UI on http://127.0.0.1:3000
dev: install
	@$(BIN)/sendmart dev

# The report pages on http://127.0.0.1:8501. If nothing is published yet, a refresh runs first.
reports: install
	@$(BIN)/sendmart reports --refresh-first

benchmark: install
	$(BIN)/python -m benchmarks

# Writes the files that are generated from contracts, settings and commands.
docs: install
	$(BIN)/python -m scripts.data_dictionary > docs/data-dictionary.md
	$(BIN)/python -m scripts.dbt_properties
	$(BIN)/python -m scripts.settings_docs
	$(BIN)/python -m scripts.cli_reference
	$(BIN)/python -m scripts.json_schemas

# dbt's docs site as one page, with lineage and exposures: data/dbt-docs.html
dbt-docs: install
	@$(BIN)/sendmart dbt-docs

# After a change of dependencies in pyproject.toml; needs uv. Both locks have the same versions of shared packages.
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-strip-extras --python-version 3.11 \
  --custom-compile-command "make lock" --quiet pyproject.toml
lock:
	$(LOCK) --extra postgres --extra s3 --extra dev --output-file requirements.lock
	$(LOCK) --extra spark --constraint requirements.lock --output-file requirements-spark.lock

# Known vulnerabilities of the pinned versions; needs uv, and PyPI or another service: make audit-dependencies SERVICE=osv
# A package that the service does not know is an error, since then nothing was found out about it.
SERVICE := pypi
audit-dependencies:
	uvx pip-audit --strict --disable-pip --require-hashes --vulnerability-service $(SERVICE) \
	  --requirement requirements.lock --requirement requirements-spark.lock
