# Everything that a user or CI runs. `make help` lists it.

# A line of two hashes is the variable's line in `make help`.
## DARKNET=dir       a tree in place of the fetched one; the tree that install and uninstall change
DARKNET ?=
## GPU=1             with CUDA; host: the same, with every kernel run on the processor (tests/gpu/cuda_host)
GPU ?= 0
## NVCC=file         CUDA's compiler, where it is neither in PATH nor in /usr/local/cuda/bin
NVCC ?= $(firstword $(shell command -v nvcc 2> /dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
## ARCH=options      the processors to build CUDA code for, as nvcc's -gencode options
## CUDNN=1           with cuDNN
CUDNN ?= 0
## OPENMP=1          with OpenMP in the host's own loops
OPENMP ?= 0
## DEBUG=1           for a debugger: -O0 -g
DEBUG ?= 0
## SANITIZE=address,undefined   with these sanitizers
SANITIZE ?=
## WITHOUT="fix-.."  without these fixes of upstream's bugs (patches/README.md)
WITHOUT ?=
## OPENCV=0          without OpenCV; default: used where it is installed
OPENCV ?= $(shell pkg-config --exists opencv4 2> /dev/null && echo 1 || echo 0)
## BLAS=0            with upstream's own matrix product; default: OpenBLAS where it is installed
BLAS ?= $(shell pkg-config --exists openblas 2> /dev/null && echo 1 || echo 0)
## CPU_FAST=0        with upstream's own loops; default: oneDNN where it is installed
CPU_FAST ?= $(shell $(CC) -E -include dnnl.h -x c /dev/null > /dev/null 2>&1 && echo 1 || echo 0)
PYTHON ?= /usr/bin/python3
## V=1               print every command
## MPI=1             with MPI: a training on several processes or machines (scripts/README.md)
MPI ?= 0
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

.DEFAULT_GOAL := all

# ---------------------------------------------------------------- the build

# One tree for each set of options, so that going back and forth is cheap.
comma := ,
CONFIG := $(if $(filter 1,$(BLAS)),,-noblas)$(if $(filter 1,$(CPU_FAST)),,-nofast)$(if $(filter 1,$(OPENCV)),,-noopencv)$(if $(filter 1,$(GPU)),-gpu$(if $(filter 1,$(CUDNN)),-cudnn)$(if $(ARCH),-$(shell printf %s "$(ARCH)" | cksum | cut -d' ' -f1)))$(if $(filter host,$(GPU)),-gpuhost$(if $(filter 1,$(CUDNN)),-cudnn))$(if $(filter 1,$(MPI)),-mpi)$(if $(filter 1,$(DEBUG)),-debug)$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(WITHOUT),-without-$(subst $() ,-,$(WITHOUT)))
UPSTREAM := $(if $(DARKNET),$(DARKNET),build/upstream/darknet)
BUILD := $(CONFIG)$(if $(DARKNET),-$(shell printf %s "$(DARKNET)" | cksum | cut -d' ' -f1))
TREE := build/tree$(BUILD)
TESTS := build/tests$(BUILD)
STOCK := build/stock$(if $(filter 1,$(OPENCV)),,-noopencv)

SANITIZER := $(if $(SANITIZE),-g -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# CUDA's own, or what stands in for it.
CUDA_HOST := $(CURDIR)/tests/gpu/cuda_host
CUDA_HOST_LIB := $(CURDIR)/build/cuda_host$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
CUDA_HOST_CXX := g++ -O1 -g -fPIC -ffp-contract=off -fno-math-errno $(SANITIZER) -I$(CUDA_HOST) -include cuda_runtime.h
CUDA_INCLUDE = $(if $(filter host,$(GPU)),-I$(CUDA_HOST),-I/usr/local/cuda/include)
CUDA_LIB = $(if $(filter host,$(GPU)),-L$(CUDA_HOST_LIB),-L/usr/local/cuda/lib64 -L/usr/local/cuda/lib64/stubs)
ifeq ($(GPU),host)
NVCC := $(CUDA_HOST)/nvcc
export CUDA_HOST_CXX
endif
ifeq ($(GPU)$(NVCC),1)
$(error GPU=1: expected nvcc in PATH or in /usr/local/cuda/bin)
endif

HOST_FLAGS = $(SANITIZER) $(if $(filter host,$(GPU)),$(CUDA_INCLUDE) $(CUDA_LIB))
HOST_OPTIONS = GPU=$(if $(filter 0,$(GPU)),0,1) $(if $(filter 0,$(GPU)),,NVCC="$(NVCC)") CUDNN=$(CUDNN) OPENMP=$(OPENMP) DEBUG=$(DEBUG) OPENCV=$(OPENCV) BLAS=$(BLAS) CPU_FAST=$(CPU_FAST) MPI=$(MPI) LIBSO=1 \
	$(if $(ARCH),ARCH="$(ARCH)") \
	$(if $(strip $(HOST_FLAGS)),CC="gcc $(HOST_FLAGS)" CPP="g++ -std=c++11 $(HOST_FLAGS)")
LAYER_FOLDERS := layers $(patsubst %/,%,$(wildcard layers/*/))
LAYERS := $(wildcard layers/*.* layers/*/*.*)

all: build/darknet  ## fetch upstream if absent, patch it, build build/darknet and build/libdarknet.so

build/upstream/darknet:
	$(Q)scripts/fetch_upstream.sh build/upstream

# The patcher writes only what changed, and the host's make builds only that. What
# was made of a file that is no longer there would be linked still.
$(TREE)/snn.manifest: $(LAYERS) $(wildcard patches/*) scripts/patch.py | $(UPSTREAM)
	$(Q)if [ ! -d $(TREE) ]; then mkdir -p build && cp -a "$(UPSTREAM)" $(TREE).new && mv $(TREE).new $(TREE); fi
	$(Q)$(PYTHON) scripts/patch.py $(TREE) $(addprefix --without ,$(WITHOUT)) > build/patch.log
	$(Q)cd $(TREE) && rm -f libdarknet.a && for o in obj/snn_*.o; do n=$${o#obj/}; ls src/$${n%.o}.c* > /dev/null 2>&1 || rm -f $$o; done
	$(Q)touch $@

$(TREE)/darknet: $(TREE)/snn.manifest $(if $(filter host,$(GPU)),$(CUDA_HOST_LIB)/libcudart.a)
	@echo "building $(TREE): BLAS=$(BLAS) OPENCV=$(OPENCV) GPU=$(GPU)"
	$(Q)mkdir -p $(TREE)/obj
	$(Q)$(MAKE) --no-print-directory -C $(TREE) $(HOST_OPTIONS) $(if $(filter 1,$(V)),,> $(TREE).log 2>&1 || { tail -20 $(TREE).log; exit 1; })
	$(Q)touch $@

.PHONY: build/darknet
build/darknet: $(TREE)/darknet
	$(Q)ln -sf $(notdir $(TREE))/darknet build/darknet
	$(Q)if [ -f $(TREE)/libdarknet.so ]; then ln -sf $(notdir $(TREE))/libdarknet.so build/libdarknet.so; fi

# All of it in one library, where the linker asks for five.
$(CUDA_HOST_LIB)/libcudart.a: $(wildcard tests/gpu/cuda_host/*)
	$(Q)mkdir -p $(@D)
	$(Q)for f in cuda cudnn; do $(CUDA_HOST_CXX) -c tests/gpu/cuda_host/$${f}_host.cpp -o $(@D)/$${f}_host.o || exit 1; done
	$(Q)for l in cuda cublas curand cudnn; do rm -f $(@D)/lib$$l.a; $(AR) rcs $(@D)/lib$$l.a; done
	$(Q)$(AR) rcs $@ $(@D)/cuda_host.o $(@D)/cudnn_host.o

# Unpatched, for comparison.
$(STOCK)/darknet: | $(UPSTREAM)
	@echo "building stock Darknet"
	$(Q)rm -rf $(STOCK) && mkdir -p build && cp -a "$(UPSTREAM)" $(STOCK)
	$(Q)$(MAKE) --no-print-directory -C $(STOCK) OPENCV=$(OPENCV) > $(STOCK).log 2>&1 || { tail -20 $(STOCK).log; exit 1; }

.PHONY: stock
stock: $(STOCK)/darknet  ## build upstream unpatched, for comparison

# ----------------------------------------------------------------- packages

PACKAGES := gcc g++ make pkg-config dpkg-dev libopencv-dev libopenblas-dev libdnnl-dev valgrind \
	python3 python3-venv python3-numpy python3-opencv python3-skimage python3-matplotlib \
	dataset-fashion-mnist

# Some tests alone need these: processes, a browser that draws pages, and what builds hank-ai's tree.
TEST_PACKAGES := libopenmpi-dev openmpi-bin chromium cmake

deps:  ## install the Debian packages needed (root or sudo)
	$(Q)scripts/install_deps.sh $(PACKAGES)

# From PyPI: what Debian has not, or not new enough.
build/venv/ready: tests/requirements.txt
	$(Q)$(PYTHON) -m venv --system-site-packages build/venv
	$(Q)build/venv/bin/pip install -q -r $<
	$(Q)touch $@

# Its own check of Python, from PyPI too.
# cuDNN for the test that builds with it, where CUDA has none: PyPI's, of the same CUDA.
CUDNN_PACKAGE = nvidia-cudnn-cu$(shell $(NVCC) --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
build/cudnn/ready: build/venv/ready
	$(Q)build/venv/bin/pip install -q --no-deps --upgrade --target $(@D) $(CUDNN_PACKAGE)
	$(Q)cd $(@D)/nvidia/cudnn/lib && ln -sf libcudnn.so.[0-9]* libcudnn.so
	$(Q)touch $@

build/venv/bin/ruff: build/venv/ready
	$(Q)build/venv/bin/pip install -q ruff
	$(Q)touch $@

# ---------------------------------------------------------------- main jobs

# Options such as OPENCV are found by pkg-config, which deps may just have
# installed: these targets start a make of their own after it.
demo: deps  ## the main job: train the parents and the variant, table of mAP, picture
	$(Q)$(MAKE) --no-print-directory demo-run

demo-run: build/darknet build/data
	$(Q)$(PYTHON) scripts/demo.py

build/data:
	$(Q)$(PYTHON) scripts/scenes.py build/data --lighting both

demo-unet: deps  ## the same for segmentation: table of Dice and mIoU, picture of masks
	$(Q)$(MAKE) --no-print-directory demo-unet-run

demo-unet-run: build/darknet build/data-unet
	$(Q)$(PYTHON) scripts/demo.py segmenter

build/data-unet:
	$(Q)$(PYTHON) scripts/scenes.py build/data-unet --lighting uneven --size 64 --train 1300 --test 300

thread: deps  ## the failures that people reported with SELU, each as a cfg, and their cures
	$(Q)$(MAKE) --no-print-directory thread-run

thread-run: build/darknet build/data build/data-unet
	$(Q)$(PYTHON) scripts/thread.py

## REPORT="--only stride"   options of scripts/report.py for make report
report: deps  ## the full comparison of nets, hours of training; goes on where it was; REPORT="--only stride"
	$(Q)$(MAKE) --no-print-directory report-run

report-run: build/darknet build/data build/data-unet
	$(Q)$(PYTHON) scripts/report.py $(REPORT)

# The same comparison in small, against what was measured before: a change that
# costs accuracy fails.
## EXPECT=--expect-these     for make regress-quick: writes the expectation anew
QUICK_CFGS := cfg/tiny-yolo.cfg cfg/tiny-yolo-snn.cfg
QUICK_DATA := build/data-quick/uneven/scenes.data
QUICK_OPTIONS := --set batch=16 --set burn_in=20 --iterations 300 --seeds 1,2,3 --out build/regress-quick
QUICK_EXPECTATION := tests/golden/regress_quick.json

regress-quick: deps  ## parent and variant in a few minutes, against the committed expectation
	$(Q)$(MAKE) --no-print-directory regress-quick-run

regress-quick-run: build/darknet build/data-quick
	$(Q)$(PYTHON) scripts/regress.py $(QUICK_DATA) $(QUICK_CFGS) $(QUICK_OPTIONS) --expect $(QUICK_EXPECTATION) $(EXPECT)

build/data-quick:
	$(Q)$(PYTHON) scripts/scenes.py build/data-quick --lighting uneven --train 800 --test 200

corpus: deps  ## the converter over every cfg of the tree and of tests/cfg_forms: parse, shapes, moments, 20 steps
	$(Q)$(MAKE) --no-print-directory corpus-run

corpus-run: build/darknet $(TESTS)/corpus_driver build/data
	$(Q)$(PYTHON) scripts/corpus.py --driver $(TESTS)/corpus_driver --cfgs $(UPSTREAM)/cfg,tests/cfg_forms

# ------------------------------------------------------------------- patching

install:  ## put the plugin into your own tree: DARKNET=dir
	$(Q)test -n "$(DARKNET)" || { echo "make install: expected DARKNET=dir, the tree to patch" >&2; exit 2; }
	$(Q)$(PYTHON) scripts/patch.py "$(DARKNET)" $(addprefix --without ,$(WITHOUT))

uninstall:  ## take it out again, without a trace: DARKNET=dir
	$(Q)test -n "$(DARKNET)" || { echo "make uninstall: expected DARKNET=dir, the tree to restore" >&2; exit 2; }
	$(Q)$(PYTHON) scripts/patch.py "$(DARKNET)" --reverse

# FAMILY: options of scripts/family.py, such as --iterations 600.
family: build/data-quick  ## all that a tree of any family must do, in a copy: DARKNET=dir; table and build/family.json
	$(Q)test -n "$(DARKNET)" || { echo "make family: expected DARKNET=dir, a Darknet tree" >&2; exit 2; }
	$(Q)$(PYTHON) scripts/family.py "$(DARKNET)" $(FAMILY)

# ---------------------------------------------------------------------- tests

# Programs of C, found by their names.
TEST_FOLDERS := tests/unit tests/gpu tests/bench tests/system

UNIT := math activations layers gradients whitening init centre noise residual lsuv ap segmentation $(if $(filter 1,$(CPU_FAST)),fast bf16) watch overflow
UNIT_TESTS := $(UNIT:%=$(TESTS)/test_%)
UNIT_PROGRAMS := $(UNIT_TESTS) $(TESTS)/ap_driver
UNIT_FLAGS := -O2 -g -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Werror=implicit-function-declaration $(SANITIZER)
CUDA_LIBRARIES = $(CUDA_LIB) -lcuda -lcudart -lcublas -lcurand $(if $(filter 1,$(CUDNN)),-lcudnn)
CUDA_FLAGS = -DGPU $(CUDA_INCLUDE) $(if $(filter 1,$(CUDNN)),-DCUDNN)
LIBRARIES = $(if $(filter 0,$(GPU)),,$(CUDA_LIBRARIES)) -lstdc++ -lm -lpthread $(if $(filter 1,$(CPU_FAST)),-ldnnl -lgomp) $(if $(filter 1,$(BLAS)),$(shell pkg-config --libs openblas)) \
	$(if $(filter 1,$(OPENCV)),$(shell pkg-config --libs opencv4))

# Where the gate is to be out of the way, and each array ends before a page that nobody may touch.
$(TESTS)/gate_against_tree: UNIT_FLAGS += -Wl,--wrap=snn_gate_open,--wrap=snn_check_step,--wrap=calloc,--wrap=free,--wrap=realloc

# Where arrays hold NaN until they are written.
$(TESTS)/test_gpu_net: UNIT_FLAGS += -Wl,--wrap=cuda_make_array

# AlexeyAB's tree makes no static library: its objects without main, then.
$(TESTS)/%: %.c tests/unit/test.h tests/unit/net.h $(TREE)/darknet
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_FLAGS) $(if $(filter 0,$(GPU)),,$(CUDA_FLAGS)) $(if $(filter 1,$(OPENCV)),-DOPENCV) -I$(TREE)/include -I$(TREE)/src -I$(TREE)/3rdparty/stb/include $(TEST_FOLDERS:%=-I%) $< \
		$$(ls $(TREE)/libdarknet.a 2> /dev/null || ls $(TREE)/obj/*.o | grep -v /darknet.o) $(LIBRARIES) -o $@

# The kernels, compiled for the host (tests/gpu/cuda_host), and the layers with GPU
# callbacks: no Darknet, whose own kernels are nvcc's alone.
KERNEL_LAYERS := selu_layer alpha_dropout_layer local_whitening_layer snn_standardize snn_whiten snn_layers \
	snn_cfg snn_family snn_files snn_messages snn_keys snn_gate snn_gate_host snn_gate_shapes snn_gate_images snn_gate_joins snn_gate_losses snn_upstream snn_graph snn_init snn_filters \
	snn_clip snn_centre snn_step snn_noise snn_sums snn_loss snn_device snn_mem snn_threads snn_scratch snn_fast snn_plan snn_gradients
KERNEL_SOURCES := $(notdir $(wildcard layers/*/*_kernels.cu))
KERNEL_OBJECTS := $(addprefix $(TESTS)/kernels/,$(KERNEL_LAYERS:%=%.o) $(KERNEL_SOURCES:%=%.o) host_stubs.o cuda_host.o)
KERNEL_CC = $(CC) -O1 -g -Wall -Wextra -Wno-unused-parameter -ffp-contract=off -fno-math-errno $(SANITIZER) -DGPU -DSNN_SIMD= \
	-Itests/gpu/cuda_host -include tests/gpu/cuda_host/cuda_runtime.h -I$(TREE)/include -I$(TREE)/src $(LAYER_FOLDERS:%=-I%) $(TEST_FOLDERS:%=-I%)
KERNEL_NEEDS := $(LAYERS) $(wildcard tests/gpu/cuda_host/*) $(TREE)/snn.manifest
VPATH = $(LAYER_FOLDERS) $(TEST_FOLDERS) tests/gpu/cuda_host

ifeq ($(GPU),0)
$(TESTS)/kernels/%.o: %.c $(KERNEL_NEEDS)
	$(Q)mkdir -p $(@D)
	$(Q)$(KERNEL_CC) -c $< -o $@

$(TESTS)/kernels/%.cu.o: %.cu $(KERNEL_NEEDS)
	$(Q)mkdir -p $(@D)
	$(Q)$(KERNEL_CC) -x c++ -c $< -o $@

$(TESTS)/kernels/%.o: %.cpp $(KERNEL_NEEDS)
	$(Q)mkdir -p $(@D)
	$(Q)$(KERNEL_CC) -c $< -o $@

$(TESTS)/test_kernels: tests/gpu/test_kernels.c tests/unit/test.h $(KERNEL_OBJECTS)
	$(Q)$(KERNEL_CC) $< $(KERNEL_OBJECTS) -lstdc++ -lm -lpthread -o $@
endif

# The pool of threads, without Darknet; the second one under the thread sanitizer.
THREADS_TESTS := build/tests/test_threads build/tests-thread/test_threads
$(THREADS_TESTS): tests/unit/test_threads.c tests/unit/test.h $(wildcard layers/base/*)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fsanitize=%,$(UNIT_FLAGS)) $(if $(findstring -thread,$(@D)),-fsanitize=thread) -Ilayers/base -Itests/unit \
		tests/unit/test_threads.c layers/base/snn_threads.c layers/base/snn_mem.c -lpthread -o $@

# What the unit tests are compiled with to run mutants of the CPU's loops.
MUTANTS_CC = $(CC) -g -std=gnu99 $(if $(filter 1,$(OPENCV)),-DOPENCV) -I$(TREE)/include -I$(TREE)/src $(TEST_FOLDERS:%=-I%)

# What upstream allocates it does not free before it ends.
export ASAN_OPTIONS := detect_leaks=0

check: build/darknet $(UNIT_PROGRAMS) $(TESTS)/test_kernels $(THREADS_TESTS)  ## unit tests, under a minute once built
	$(Q)$(PYTHON) tests/run.py $(UNIT_TESTS) $(TESTS)/test_kernels $(THREADS_TESTS) \
		"tests/system/test_gate.py build/darknet" \
		"tests/system/test_gate_of_families.py" \
		"tests/system/test_structure.py --tree $(TREE)" \
		"tests/system/test_map.py $(TESTS)/ap_driver"

LINT_PACKAGES := clang-format-14 cppcheck shellcheck python3-venv

lint:  ## formatting and static checks, under a minute
	$(Q)scripts/install_deps.sh $(LINT_PACKAGES)
	$(Q)$(MAKE) --no-print-directory build/venv/bin/ruff
	$(Q)$(PYTHON) tests/lint.py --ruff build/venv/bin/ruff

test: deps lint  ## everything that CI runs
	$(Q)scripts/install_deps.sh $(TEST_PACKAGES)
	$(Q)$(MAKE) --no-print-directory test-run

# The unit tests of the other builds, as commands for tests/run.py.
VARIANTS := noblas noopencv noopencv-address-undefined
VARIANT_PROGRAMS := $(foreach v,$(VARIANTS),$(UNIT:%=build/tests-$(v)/test_%))

test-run: build/darknet build/data-quick $(UNIT_PROGRAMS) $(TESTS)/outputs_driver $(TESTS)/test_kernels $(THREADS_TESTS) build/venv/ready
	$(Q)$(MAKE) --no-print-directory -j2 BLAS=0 $(UNIT:%=build/tests-noblas/test_%)
	$(Q)$(MAKE) --no-print-directory -j2 OPENCV=0 $(UNIT:%=build/tests-noopencv/test_%) build/tests-noopencv/corpus_driver
	$(Q)$(MAKE) --no-print-directory -j2 OPENCV=0 SANITIZE=address,undefined $(patsubst %,build/tests-noopencv-address-undefined/test_%,$(UNIT) kernels)
	$(Q)$(MAKE) --no-print-directory -j2 MPI=1 build/tree-mpi/darknet
	$(Q)$(MAKE) --no-print-directory -j2 GPU=host gpu-programs
	$(Q)$(MAKE) --no-print-directory -j2 GPU=host CUDNN=1 build/tests-gpuhost-cudnn/test_gpu_net
	$(Q)$(PYTHON) scripts/bench_gpu.py build/tests-gpuhost/bench_gpu --elements 20000 --json build/bench-gpu-host.json > /dev/null
	$(Q)build/venv/bin/python tests/run.py "make --no-print-directory gpu-build" \
		'tests/system/test_mutants.py --kernels $(TESTS)/kernels --compile "$(KERNEL_CC)" --test tests/gpu/test_kernels.c' \
		'tests/system/test_mutants.py --cpu $(TREE) --make "$(HOST_OPTIONS)" --compile "$(MUTANTS_CC)" --libraries "$(LIBRARIES)"' \
		$(UNIT_TESTS) $(VARIANT_PROGRAMS) \
		$(TESTS)/test_kernels build/tests-noopencv-address-undefined/test_kernels \
		build/tests-gpuhost/test_gpu_net build/tests-gpuhost-cudnn/test_gpu_net build/tests-gpuhost/test_launches "make --no-print-directory gpu-check" \
		"env ONEDNN_MAX_CPU_ISA=AVX2 $(TESTS)/test_fast" "env ONEDNN_MAX_CPU_ISA=SSE41 $(TESTS)/test_fast" \
		"tests/system/test_gate.py build/darknet" \
		"tests/system/test_gate_of_families.py" \
		"tests/system/test_structure.py --tree $(TREE)" \
		"tests/system/test_convert.py build/tree-noopencv/darknet build/tests-noopencv/corpus_driver" \
		"tests/system/test_hostile.py build/tree-noopencv/darknet" \
		"tests/system/test_segmenter.py build/darknet" \
		"tests/system/test_segmenter.py build/tree-noopencv/darknet" \
		"tests/system/test_verbs.py build/darknet" \
		"tests/system/test_export.py $(TESTS)/outputs_driver --darknet build/darknet" \
		"tests/system/test_field.py build/darknet" \
		"tests/system/test_field.py build/tree-noopencv/darknet --every 25" \
		"tests/system/test_field.py build/tree-noopencv-address-undefined/darknet --every 25" \
		"tests/system/test_strip.py build/darknet" \
		"tests/system/test_family.py build/upstream/darknet" \
		"tests/system/test_finite.py build/darknet" \
		"tests/system/test_finite.py build/tree-gpuhost/darknet --late" \
		"tests/system/test_gpus.py build/tree-gpuhost/darknet --plain build/darknet --cudnn build/tree-gpuhost-cudnn/darknet" \
		"tests/system/test_documents.py build/darknet" \
		"tests/system/test_scenes.py" \
		"tests/system/test_pictures.py" \
		"tests/system/test_import.py" \
		"tests/system/test_patch.py build/upstream/darknet" \
		"tests/system/test_training.py build/darknet" \
		"tests/system/test_valgrind.py build/tree-noopencv/darknet" \
		"tests/system/test_thread.py build/darknet" \
		"tests/system/test_regress.py --darknet build/darknet --data $(QUICK_DATA) --cfgs '$(QUICK_CFGS)' --options '$(QUICK_OPTIONS)' --expect $(QUICK_EXPECTATION)" \
		"tests/system/test_map.py $(TESTS)/ap_driver --darknet build/darknet" \
		"tests/system/test_host.py build/darknet --library build/libdarknet.so --tree $(TREE) --upstream $(UPSTREAM) --opencv $(OPENCV)" \
		"tests/system/test_host.py build/tree-noopencv/darknet --tree build/tree-noopencv --upstream $(UPSTREAM) --opencv 0 --only train" \
		--then $(THREADS_TESTS) \
		"tests/system/test_mpi.py build/tree-mpi/darknet" \
		"tests/system/test_watch.py build/darknet" \
		"tests/system/test_resume.py build/darknet"

# -------------------------------------------------------------------- fuzzing

# libFuzzer; only here is clang needed.
FUZZ_TARGETS := gate convert masks labels lists pictures weights
FUZZ := build/fuzz
FUZZ_CC := clang-14 -g -O1 -w -fsanitize=fuzzer-no-link,address \
	-Dexit=fuzz_exit -D_exit=fuzz_exit -I$(TREE)/include -I$(TREE)/src $(LAYER_FOLDERS:%=-I%) -Itests/fuzz
## SECONDS=60        of make fuzz, for each target
SECONDS ?= 60

fuzz: deps  ## fuzz each reader of the user's files for SECONDS=60
	$(Q)scripts/install_deps.sh clang-14 libclang-rt-14-dev
	$(Q)$(MAKE) --no-print-directory fuzz-run

# Of what the host has built, that of src/. Undefined behaviour that crashes
# nothing is looked for in our files alone.
$(FUZZ)/tree.a: $(TREE)/darknet
	$(Q)test -z "$$(find $(TREE)/src $(TREE)/include -name '*.h' -newer $@ 2> /dev/null)" || rm -rf $(FUZZ)/obj
	$(Q)mkdir -p $(FUZZ)/obj
	$(Q)ls $(TREE)/obj/*.o | xargs -P 2 -I{} sh -c \
		'n=$$(basename {} .o); c=$(TREE)/src/$$n.c; o=$(FUZZ)/obj/$$n.o; \
		ls layers/$$n.c layers/*/$$n.c > /dev/null 2>&1 && u="-fsanitize=undefined -fno-sanitize-recover=undefined"; \
		[ ! -f $$c ] || [ $$o -nt $$c ] || $(FUZZ_CC) $$u -c $$c -o $$o'
	$(Q)rm -f $@ && ar rcs $@ $(FUZZ)/obj/*.o

$(FUZZ)/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(FUZZ)/tree.a
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,undefined $< $(FUZZ)/tree.a -lm -lpthread -o $@

fuzz-build: $(addprefix $(FUZZ)/,$(FUZZ_TARGETS))

fuzz-run: fuzz-build
	$(Q)$(PYTHON) tests/fuzz/seeds.py $(FUZZ)/seeds
	$(Q)set -e; for t in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZ)/found/$$t; \
		case $$t in gate|convert) more="-dict=$(FUZZ)/seeds/cfg.dict cfg tests/cfg_bad";; *) more=;; esac; \
		echo "$$t: $(SECONDS) s"; \
		ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 $(FUZZ)/$$t -max_total_time=$(SECONDS) -timeout=20 \
			-rss_limit_mb=4096 -malloc_limit_mb=16384 -max_len=4096 -close_fd_mask=3 -print_final_stats=1 -artifact_prefix=$(FUZZ)/$$t- \
			$(FUZZ)/found/$$t $(FUZZ)/seeds/$$t $$more > $(FUZZ)/$$t.log 2>&1 || { tail -40 $(FUZZ)/$$t.log; exit 1; }; \
		grep -o "#[0-9]*[[:space:]]*DONE.*" $(FUZZ)/$$t.log; \
	done
	$(Q)$(PYTHON) tests/fuzz/anchors.py $(SECONDS)

# ----------------------------------------------------------------------- CUDA

# What tests build for unless ARCH says otherwise: the cards of three generations,
# and what the driver compiles for any other; without those that nvcc does not know.
GPU_CARDS := 80 90 120
GPU_KNOWN = $(patsubst compute_%,%,$(shell $(NVCC) --list-gpu-arch))
GPU_ARCH = $(foreach n,$(filter $(GPU_KNOWN),$(GPU_CARDS)),-gencode arch=compute_$(n),code=sm_$(n)) \
	$(foreach n,$(firstword $(GPU_KNOWN)),-gencode arch=compute_$(n),code=compute_$(n))
GPU_MAKE = $(MAKE) --no-print-directory GPU=$(if $(filter host,$(GPU)),host,1 ARCH="$(or $(ARCH),$(GPU_ARCH))")
NO_NVCC = @echo "SKIP $@: no nvcc in PATH or in /usr/local/cuda/bin"; echo "0 passed, 0 failed, 1 skipped"

# Programs that a GPU runs; GPU=host: the processor in its place.
gpu-check:  ## kernels and whole nets on the first GPU against the CPU; SKIP where there is none
ifeq ($(NVCC),)
	$(NO_NVCC)
else
	$(Q)$(GPU_MAKE) gpu-check-run
endif

gpu-check-run: $(TESTS)/test_kernels $(TESTS)/test_gpu_net
	$(Q)$(PYTHON) tests/run.py $^

gpu-bench:  ## the kernels' GB/s on the first GPU, against its own copy and PyTorch; SKIP where there is none
ifeq ($(NVCC),)
	@echo "SKIP $@: no nvcc in PATH or in /usr/local/cuda/bin"
else
	$(Q)$(GPU_MAKE) gpu-bench-run
endif

gpu-bench-run: $(TESTS)/bench_gpu
	$(Q)$(PYTHON) scripts/bench_gpu.py $< $(if $(CASES),--only $(CASES))

$(TESTS)/bench_gpu: tests/gpu/layer_on_gpu.h tests/bench/bench.h
$(TESTS)/test_kernels: tests/gpu/layer_on_gpu.h

# Needs no GPU. The build takes two processes, as what it is part of may have to
# do with two cores.
gpu-build:  ## build with CUDA, and check what is in the executable
ifeq ($(NVCC),)
	$(NO_NVCC)
else
	$(Q)$(GPU_MAKE) -j2 gpu-programs
	$(Q)$(GPU_MAKE) gpu-build-run
endif

gpu-programs: $(TREE)/darknet $(TESTS)/test_kernels $(TESTS)/test_gpu_net $(TESTS)/bench_gpu $(if $(filter host,$(GPU)),$(TESTS)/test_launches)

gpu-build-run:
	$(Q)$(PYTHON) tests/run.py "tests/system/test_cuda_build.py $(TREE) --nvcc $(NVCC) --arch 80,90,120" \
		"tests/system/test_registers.py $(TREE) --nvcc $(NVCC)"

# -------------------------------------------------------------------- timings

# PyTorch is the peer that upstream is not; only here is it needed.
bench-deps:
	$(Q)scripts/install_deps.sh $(PACKAGES) python3-torch

## ROUNDS=3          of make bench; 1 is quicker
ROUNDS ?= 3
## TORCH_PYTHON=file of make bench: the Python that has PyTorch (a venv with PyPI's: python3 -m venv DIR; DIR/bin/pip install torch numpy)
## CASES=whitening   of make bench and gpu-bench: those alone, or training, inference, scaling, split, memory, cores, whole
CASES ?=

bench: bench-deps  ## timings against memcpy, stock Darknet and PyTorch in the same run
	$(Q)$(MAKE) --no-print-directory bench-run

STOCK_TESTS := build/tests-stock
bench-run: build/darknet build/data-quick build/venv/ready $(TESTS)/bench_layers $(TESTS)/bench_training $(TESTS)/bench_peak $(STOCK_TESTS)/bench_stock $(STOCK_TESTS)/bench_training
	$(Q)$(PYTHON) scripts/bench.py $(TESTS) $(STOCK_TESTS) --rounds $(ROUNDS) $(if $(CASES),--only $(CASES))

$(TESTS)/bench_layers $(TESTS)/bench_training $(TESTS)/bench_peak: tests/bench/bench.h

$(STOCK_TESTS)/%: tests/bench/%.c tests/bench/bench.h $(STOCK)/darknet
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -std=gnu99 -Wall -Wextra -Wno-unused-parameter -I$(STOCK)/include -I$(STOCK)/src -Itests/bench $< \
		$(STOCK)/libdarknet.a -lm -lpthread $(if $(filter 1,$(OPENCV)),$(shell pkg-config --libs opencv4) -lstdc++) -o $@

clean:  ## remove build/
	rm -rf build

help:  ## this text
	@echo "Targets:"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s @
	@echo "Variables:"
	@sed -n 's/^## \([A-Z_]*=\)/  \1/p' Makefile

.PHONY: all family lint bench bench-deps bench-run clean help deps demo demo-run install regress-quick regress-quick-run \
	report report-run corpus corpus-run demo-unet demo-unet-run uninstall check test test-run thread thread-run \
	fuzz fuzz-build fuzz-run gpu-build gpu-build-run gpu-bench gpu-bench-run gpu-check gpu-check-run gpu-programs
