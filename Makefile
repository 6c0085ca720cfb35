# Everything goes into .venv; nothing is assumed but python3 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAVA := lava-nc==0.10.0
SINABS := sinabs==3.1.3
NEUROBENCH := neurobench==2.3.0
RUN := runs/demo
# Lava runs a process for each layer: two BLAS threads each would only fight over the cores
export OMP_NUM_THREADS ?= 2

.PHONY: install install-qemu demo test fuzz fuzz-c fuzz-readers docs lint audit clean

install: $(VENV)/.tools

# What a user has: the package with Lava
$(VENV)/.package: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[lava]'
	# Lava's own metadata admits Python 3.10 only; converters/lava/compat.py cures what breaks above it
	$(BIN)/python -m pip install --quiet --no-deps --ignore-requires-python $(LAVA)
	touch $@

# What the tests want besides: their tools, and the frameworks that our reading of NIR is compared with
$(VENV)/.tools: $(VENV)/.package
	$(BIN)/python -m pip install --quiet --editable '.[lava,events,docs,test]'
	# sinabs asks for nir<=1.0.4 and for samna, a driver of its chips; neither is needed to read and write NIR
	$(BIN)/python -m pip install --quiet --no-deps $(SINABS)
	# NeuroBench asks for numba and torchaudio, which its count of operations does not touch
	$(BIN)/python -m pip install --quiet --no-deps $(NEUROBENCH)
	touch $@

# Trains on real handwritten digits, exports, runs in Lava, reports energy. Each command is printed as it runs.
demo: $(VENV)/.package
	rm -rf $(RUN)
	$(BIN)/dalif-train --dataset digits --arch cnn --steps 4 --out $(RUN)/trained
	$(BIN)/dalif-export $(RUN)/trained/model.pt --target nir -o $(RUN)/nir
	$(BIN)/dalif-simulate $(RUN)/nir --data digits:test --engine torch --check
	$(BIN)/dalif-export $(RUN)/trained/model.pt --target lava --chip loihi2 -o $(RUN)/loihi2
	$(BIN)/dalif-simulate $(RUN)/loihi2 --data digits:test --engine fast
	$(BIN)/dalif-simulate $(RUN)/loihi2 --data digits:test --engine lava --check --limit 100
	$(BIN)/dalif-energy $(RUN)/loihi2 --data digits:test
	$(BIN)/dalif-export $(RUN)/trained/model.pt --target lava --chip loihi1 -o $(RUN)/loihi1
	$(BIN)/dalif-simulate $(RUN)/loihi1 --data digits:test --engine lava --check --limit 100
	$(BIN)/dalif-energy $(RUN)/loihi1 --data digits:test

# Two files at a time; one BLAS thread each, or they would fight over the cores. Coverage has its floor in pyproject.toml.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/test_lava_session.py --cov --cov-report=
	# alone: it stops and kills processes at chosen moments, and xdist's folders are too long for Lava's sockets
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/test_lava_session.py

# Random networks, simulator against Lava; other ones each time. SEED=... repeats what a mismatch names.
NETWORKS ?= 5000
fuzz: install
	$(BIN)/python -W ignore -m tests.fuzz --networks $(NETWORKS) $(if $(SEED),--seed $(SEED))

# The same for the generated C, against the simulator and the slow chip
fuzz-c: install
	$(BIN)/python -W ignore -m tests.fuzz_c --networks $(NETWORKS) $(if $(SEED),--seed $(SEED))

# Debian's cross compilers and qemu, for the tests of the C code on microcontrollers
install-qemu:
	apt-get install --yes gcc-arm-none-eabi libnewlib-arm-none-eabi gcc-riscv64-unknown-elf \
		picolibc-riscv64-unknown-elf qemu-system-arm qemu-system-misc

# Damaged files of every kind that is read: each is taken or refused in one line.
INPUTS ?= 100000
fuzz-readers: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz_readers --inputs $(INPUTS)

# The site, in site/; fetches nothing. A warning is an error.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The hooks of .pre-commit-config.yaml over every file. They take the list of files from git.
lint: install
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		PRE_COMMIT_HOME=$(VENV)/pre-commit PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files; \
	else \
		echo "not linted: there is no list of files without git and a clone that it trusts"; \
	fi

# Known vulnerabilities of the packages in .venv; asks PyPI. Their licences are a test of the suite.
audit: install
	$(BIN)/nox -s audit

clean:
	rm -rf $(VENV) runs site
