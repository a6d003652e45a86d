# Everything happens in .venv; nothing is installed elsewhere. With another Python: make test PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --build-constraint constraints.txt
TEST_OPTIONS ?=
# Three for two cores: many tests wait for other processes most of their time.
TEST_WORKERS ?= $(shell expr 3 '*' $$(getconf _NPROCESSORS_ONLN) / 2)

.PHONY: help install install-demo install-heif install-keras install-onnx install-ray install-s3 install-serve install-train install-dev demo test lint clean

help:
	@echo 'make demo            installs what it takes and shows facepipe on two photographs; the results are in out/demo/'
	@echo 'make test            installs everything and runs every test but the longest'
	@echo 'make system-packages the browser, the screen and the tools that some tests need; Debian, as root'
	@echo 'make test-long       runs the tests that take minutes, and those on random data with many times as much of it'
	@echo 'make test-network    cuts cables between three machines, for minutes; needs Linux, root and iproute2'
	@echo 'make image-test      builds the image of the Dockerfile and runs it; needs root, buildah, crun and debootstrap'
	@echo 'make install         what the pipeline needs to run'
	@echo 'make install-demo    and the photographs of the demo'
	@echo 'make install-keras   and TensorFlow, for models in .keras, .h5, .hdf5 or SavedModel'
	@echo 'make install-heif    and pillow-heif, for photographs in HEIC'
	@echo 'make install-onnx    and onnxruntime, for models in .onnx'
	@echo 'make install-tables  and what tables in Parquet take, 170 MB'
	@echo 'make install-mqtt    and what events to an MQTT broker take, 0.7 MB'
	@echo 'make install-ray     and what archives of films take, on one machine or many, 490 MB'
	@echo 'make install-s3      and what archives in S3 take, 50 MB'
	@echo 'make install-serve   and what answering over HTTP takes, 5 MB'
	@echo 'make install-train   and what training takes'
	@echo 'make install-dev     and what the tests take'
	@echo 'make lint            checks the style of the code'
	@echo 'make pictures        draws the pictures and figures of the documentation anew, and runs its notebook'
	@echo 'make screenshots     takes the screenshots of the web page and the report, and the film of the page'
	@echo 'make site            builds the documentation as a site, with search, into out/site'
	@echo 'make chaos           kills stages all along for CHAOS_MINUTES (3), and compares the results'
	@echo 'make soak            an hour with a kill a minute: whether memory, descriptors and threads stay flat'
	@echo 'make bench           measures what the pipeline costs, against plain loops; draws out/speeds.png'
	@echo 'make peer            installs the package fer into /tmp/peer-fer (PEER), for make bench to compare with'
	@echo 'make clean           removes .venv and caches; results, in out/, stay'
	@echo 'With another Python: make test PYTHON=python3.12'

demo: install-demo
	$(BIN)/python run_pipeline.py --config pipeline.yaml --source demo
	@echo 'The results are in the folder that is named above; make a page of them with: $(BIN)/python -m stages.report'

test: install-demo install-train install-dev
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_OPTIONS)

# What the tests press, look at and cut: without one of them, the tests that need it are skipped and say so.
SYSTEM_PACKAGES := chromium chromium-driver xvfb xauth xdotool iproute2 iptables systemd mosquitto openssl ffmpeg \
    $(if $(shell command -v kubectl),,kubernetes-client)
.PHONY: system-packages
system-packages:
	@missing=$$(for name in $(SYSTEM_PACKAGES); do dpkg-query -W -f='$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || echo $$name; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "As root: apt-get install --no-install-recommends" $$missing >&2; exit 1; fi; \
	echo "Installing with apt:" $$missing; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update && apt-get -qq install --no-install-recommends $$missing >/dev/null

.PHONY: test-long
test-long: install-demo install-train install-dev
	$(BIN)/python -m pytest -m 'long or hypothesis' --hypothesis-profile long $(TEST_OPTIONS)

# Machines are network namespaces here: needs Linux, root, iproute2, and iptables where the kernel has no netem.
.PHONY: test-network
test-network: install-demo install-train install-dev
	$(BIN)/python -m pytest -m 'long or not long' tests/network $(TEST_OPTIONS)

# Without Docker and its registry: the base is made of Debian's packages. Some minutes, and 3 GB meanwhile.
.PHONY: image-test
image-test: install-demo install-train install-dev
	$(BIN)/python -m pytest -m 'long or not long' tests/image $(TEST_OPTIONS)

# To be run on a machine that does nothing else. Quick: make bench BENCH_OPTIONS='--frames 200 --rounds 1'
# Against an older checkout, and another package: make bench BENCH_OPTIONS='--before ../before --peer /tmp/peer-fer'
BENCH_OPTIONS ?=
.PHONY: bench
bench: install-demo install-dev
	$(BIN)/python -m bench --chart out/speeds.png $(BENCH_OPTIONS)

# An environment of its own for the package that make bench compares with, outside the project: 5.4 GB.
PEER ?= /tmp/peer-fer
.PHONY: peer
peer:
	@$(PYTHON) -m venv $(PEER)
	@$(PEER)/bin/python -m pip --disable-pip-version-check install --quiet --requirement bench/peer.txt

# Longer, or with another clip: make chaos CHAOS_MINUTES=60 CHAOS_OPTIONS='--clip clip.mp4'
CHAOS_MINUTES ?= 3
CHAOS_OPTIONS ?=
.PHONY: chaos
chaos: install-demo install-dev
	$(BIN)/python -m tests.chaos --minutes $(CHAOS_MINUTES) $(CHAOS_OPTIONS)

# An hour of video at its own speed, with a kill a minute.
SOAK_OPTIONS ?=
.PHONY: soak
soak: install-demo install-dev
	$(BIN)/python -m tests.chaos.soak $(SOAK_OPTIONS)

# From the configuration, the demo and the model cards: what the documentation shows is what the program does.
.PHONY: pictures
pictures: install-demo install-dev
	$(BIN)/python -m docs.make_pictures
	$(BIN)/python -m docs.run_notebook

.PHONY: site
site: install-dev
	$(BIN)/python -m docs.make_site

# Of the web page and of the report, and the film of the page; needs chromium and three minutes on a quiet machine.
.PHONY: screenshots
screenshots: install-demo install-dev
	$(BIN)/python -m docs.web_picture
	$(BIN)/python -m docs.report_picture
	$(BIN)/python -m docs.live_picture

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(VENV)/.runtime
install-demo: $(VENV)/.demo
install-heif: $(VENV)/.heif
install-keras: $(VENV)/.keras
install-onnx: $(VENV)/.onnx
install-tables: $(VENV)/.tables
install-mqtt: $(VENV)/.mqtt
install-ray: $(VENV)/.ray
install-s3: $(VENV)/.s3
install-serve: $(VENV)/.serve
install-train: $(VENV)/.train
install-dev: $(VENV)/.dev

# What an extra of pyproject.toml adds, and not 'facepipe[…]': that would put opencv-python back beside the headless one.
EXTRA = $(BIN)/python -c 'import sys, tomllib; \
    print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")'

# One stamp for each extra: what is installed already is not looked at again.
$(VENV)/.demo $(VENV)/.heif $(VENV)/.keras $(VENV)/.onnx $(VENV)/.mqtt $(VENV)/.ray $(VENV)/.s3 $(VENV)/.serve $(VENV)/.tables $(VENV)/.train: $(VENV)/.%: $(VENV)/.runtime
	@echo 'Installing into $(VENV): $*.'
	@$(EXTRA) $* >$(VENV)/$*.txt
	@$(INSTALL) --requirement $(VENV)/$*.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.tables $(VENV)/.onnx $(VENV)/.heif $(VENV)/.mqtt $(VENV)/.ray $(VENV)/.s3 $(VENV)/.serve
	@echo 'Installing into $(VENV): dev.'
	@$(INSTALL) --group dev
	@touch $@

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing into $(VENV): 0.8 GB and some minutes the first time.'
	@$(PIP) install --quiet --constraint constraints.txt --upgrade pip
	@$(INSTALL) --editable .
	@# On a machine without libGL the headless build of the same version does all but open a window.
	@$(BIN)/python -c 'import cv2' 2>$(VENV)/cv2.log || { \
	    tail -n 1 $(VENV)/cv2.log; \
	    echo 'OpenCV cannot use the screen here: taking opencv-python-headless, which works all the same, without a window.'; \
	    version=$$(sed -n 's/^opencv-python==//p' constraints.txt); \
	    $(PIP) uninstall --quiet --yes opencv-python && \
	    $(PIP) install --quiet --no-deps --force-reinstall opencv-python-headless==$$version && \
	    $(BIN)/python -c 'import cv2'; }
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'facepipe needs Python 3.11 or newer, and $(PYTHON) is not; name another one: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo '$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu install python3-venv.' >&2; exit 1; }
