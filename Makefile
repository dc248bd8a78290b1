# make run   set up everything, then segment the sample CT (or CT=path, into OUT=folder)
# make test  linters, types and all tests
# make env   the environment alone, in .venv

PYTHON ?= python3
VENV ?= .venv
# A plain "torch" pulls gigabytes of CUDA on Linux; set TORCH to another build where a GPU is to be used.
TORCH ?= torch==2.13.0
CT ?= Resources/SampleCT/sample_ct.nii.gz
OUT ?=
ARGS ?=

BIN := $(VENV)/bin

.PHONY: run test env clean

run: $(VENV)/.ready
	@name=$$(basename "$(CT)"); out="$(OUT)"; \
	$(BIN)/python -m MSKSegmentLib segment "$(CT)" -o "$${out:-out/$${name%%.*}}" $(ARGS)

env: $(VENV)/.ready

test: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

$(VENV)/.ready: pyproject.toml Tools/prepare.sh
	sh Tools/prepare.sh environment "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install -qq "$(TORCH)"
	$(BIN)/python -m pip install -qq --editable ".[torch,dicom,scene]"
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	sh Tools/prepare.sh packages libegl1 libgl1-mesa-dri libopengl0
	$(BIN)/python -m pip install -qq --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
