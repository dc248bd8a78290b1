# make run     set up everything, then segment the sample CT (or CT=path, into OUT=folder)
# make review  look at the last result, or that in OUT, and correct it in the browser
# make test    linters, types and all tests
# make env     the environment alone, in .venv

PYTHON ?= python3
VENV ?= .venv
# A plain "torch" pulls gigabytes of CUDA on Linux; set TORCH to another build where a GPU is to be used.
TORCH ?= torch==2.13.0
CT ?= MSKSegmentLib/Resources/SampleCT/sample_ct.nii.gz
OUT ?=
ARGS ?=
# Test processes side by side; each needs up to 2.5 GB.
PROCESSES ?= 2

BIN := $(VENV)/bin
# Debian packages: offscreen rendering with VTK, which the review needs too; for the tests Qt's offscreen platform, a font for its
# widgets, a browser, a validator of DICOM files, and a PACS;
# Pango, which lays out the report's PDF, a Japanese font for it, and pdftotext.
WEB_PACKAGES := libegl1 libgl1 libgl1-mesa-dri libopengl0
TEST_PACKAGES := $(WEB_PACKAGES) libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0 fonts-dejavu-core chromium \
  dicom3tools orthanc orthanc-dicomweb libpango-1.0-0 libpangoft2-1.0-0 fonts-ipafont-gothic poppler-utils

.PHONY: run review test env clean

run: $(VENV)/.ready
	@name=$$(basename "$(CT)"); out="$(OUT)"; \
	$(BIN)/python -m MSKSegmentLib segment "$(CT)" -o "$${out:-out/$${name%%.*}}" --keep-ct $(ARGS)
	@echo "Look at it, and correct it, in the browser: make review$(if $(OUT), OUT=\"$(OUT)\")"

review: $(VENV)/.ready-web
	@last=$$(ls -t out/*/result.json 2>/dev/null | head -n 1); out="$(OUT)"; out="$${out:-$${last%/result.json}}"; \
	$(BIN)/python -m MSKSegmentLib review $${out:+"$$out"} --results out $(ARGS)

env: $(VENV)/.ready

test: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder --durations 15 $(ARGS)

$(VENV)/.ready: pyproject.toml Tools/prepare.sh
	sh Tools/prepare.sh environment "$(PYTHON)" "$(VENV)"
	$(BIN)/python -m pip install -qq "$(TORCH)"
	$(BIN)/python -m pip install -qq --editable ".[torch]"
	@$(BIN)/python -m pip install -qq --only-binary openvino --editable ".[openvino]" || \
	  echo "OpenVINO could not be installed here; PyTorch computes alone, which takes longer." >&2
	@$(BIN)/python -m pip install -qq --editable ".[scene]" || \
	  echo "slicer-core could not be installed here; --scene and the review will not work." >&2
	@touch $@

$(VENV)/.ready-web: $(VENV)/.ready
	sh Tools/prepare.sh packages $(WEB_PACKAGES)
	$(BIN)/python -m pip install -qq --editable ".[web]"
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	sh Tools/prepare.sh packages $(TEST_PACKAGES)
	$(BIN)/python -m pip install -qq --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) out build *.egg-info
