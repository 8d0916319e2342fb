VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo run test test-cluster lint bench demo-model openapi sbom clean

## demo: install, serve the demo model, POST the sample article, print what comes back
demo: $(VENV)/installed
	@$(BIN)/python seeds/demo.py

## run: serve the standard profile (after: kortom models pull opus-mt-nl-en and distilbart-cnn-12-6)
run: $(VENV)/installed
	$(BIN)/kortom serve

## test: all tests and lint, without Ray's
test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --ignore tests/cluster

## test-cluster: Ray's tests, and the plain server's over Ray; installs kortom[ray], 600 MB
test-cluster: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	$(BIN)/python -m pytest tests/cluster

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/yamllint --strict .
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose/compose.yaml

## bench: the tables of docs/performance.md, on random weights of opus-mt-nl-en's and distilbart's
##        shapes; LIBRETRANSLATE=PYTHON names one that has LibreTranslate, to compare with it, too
bench: $(VENV)/installed
	$(BIN)/kortom bench $(if $(LIBRETRANSLATE),--libretranslate $(LIBRETRANSLATE))

## demo-model: train demo-nl-en again from seeds/
demo-model: $(VENV)/installed
	$(BIN)/python -m service.evaluation.demo_training

## openapi: write docs/openapi.json again, after a change of the interface
openapi: $(VENV)/installed
	WRITE_OPENAPI=1 $(BIN)/python -m pytest -q tests/api/test_openapi.py

## sbom: build/sbom.cdx.json, the bill of materials of what is installed here to run it
sbom: $(VENV)/installed
	$(BIN)/python deploy/sbom.py build/sbom.cdx.json

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV): a minute or two"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[client,dev,documents,evaluation,mcp,postgresql,tracing,web]'
	touch $@
