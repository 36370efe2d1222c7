# Two commands are all a newcomer needs: `make run` and `make test`. `make help` lists the rest.
# Everything is installed into .venv; a stamp there says what is, so that pip runs again only when metadata changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
METADATA := setup.cfg pyproject.toml
PLUGIN_METADATA := $(wildcard plugins/*/setup.cfg plugins/*/pyproject.toml)
PLUGINS := $(sort $(dir $(PLUGIN_METADATA)))
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=
# Each is a process with a store of its own: what is stored goes there, and what stores nothing is tested as always.
# That of a part nothing is selected, which is pytest's status 5, is no failure; one that fails keeps none from its turn.
STORES ?= s3 azure
STORED := $(sort $(dir $(wildcard tests/*/test_*.py))) $(wildcard tests/test_*.py) \
	plugins/registry-wsgi-redis plugins/registry-wsgi-opentelemetry

.PHONY: help run test soak test-stores lint docs bench bench-s3 profile clean

help: ## list these commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile

run: $(VENV)/serve.stamp ## serve a registry on 127.0.0.1:5000 with its storage in ./data
	@exec $(BIN)/registry-wsgi serve

test: $(VENV)/test.stamp ## run all tests but the long ones; ARGS="-k words" is handed to pytest
	$(BIN)/python -m pytest -m "not soak" $(ARGS)

soak: $(VENV)/test.stamp ## run the long tests
	$(BIN)/python -m pytest -m soak --timeout=3600 $(ARGS)

test-stores: $(VENV)/test.stamp ## run all tests over S3 (SeaweedFS) and over Azure (Azurite); STORES=s3 is one of them
	failed=; for store in $(STORES); do for part in $(STORED); do \
		$(BIN)/python -m pytest -m "not soak" --storage-driver $$store $(ARGS) $$part || [ $$? = 5 ] || \
			failed="$$failed $$store:$$part"; \
	done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

lint: $(VENV)/lint.stamp ## check style, form and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

docs: $(VENV)/serve.stamp ## write docs/configuration-reference.md anew, which is made from the code
	$(BIN)/python -m registry_wsgi.config.reference > docs/configuration-reference.md

bench: $(VENV)/test.stamp ## measure against Debian's docker-registry and nginx; ARGS="--rows get-tag patch" is less of it
	$(BIN)/python -m benchmarks $(ARGS)

profile: $(VENV)/test.stamp ## show where a request's time goes, as an SVG; ARGS="--row patch" is another request
	$(INSTALL) --editable '.[profile]'
	$(BIN)/python -m benchmarks.profile $(ARGS)

bench-s3: $(VENV)/test.stamp ## measure on S3, against docker-registry on the same store
	$(BIN)/python -m benchmarks.s3 $(ARGS)

clean: ## remove what these commands made, ./data apart
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf ./*.egg-info plugins/*/*.egg-info plugins/*/build

# An environment whose Python was removed from the machine is none, and its stamps with it.
$(shell test -x $(BIN)/python || rm -rf $(VENV))

# A half-made environment would be taken for a whole one the next time.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/serve.stamp: $(METADATA) | $(BIN)/python
	@echo "Installing into $(VENV); the first time this takes a moment."
	$(INSTALL) --editable '.[serve]'
	@touch $@

$(VENV)/test.stamp: $(METADATA) $(PLUGIN_METADATA) | $(BIN)/python
	@echo "Installing into $(VENV) with what the tests need; the first time this takes a moment."
	$(INSTALL) --editable '.[serve,test]' $(addprefix --editable ./,$(PLUGINS))
	@touch $@ $(VENV)/serve.stamp

# The type checker reads what the tests import too.
$(VENV)/lint.stamp: $(VENV)/test.stamp
	$(INSTALL) --editable '.[serve,test,lint]'
	@touch $@
