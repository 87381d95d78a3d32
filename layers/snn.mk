# Read by the host's Makefile. What the plugin adds to the build: its objects,
# their flags, OpenBLAS where it is present (BLAS=0 leaves it out) and oneDNN.

SNN_OBJ = $(patsubst src/%.c,%.o,$(wildcard src/snn_*.c)) \
	selu_layer.o alpha_dropout_layer.o local_whitening_layer.o
OBJ += $(SNN_OBJ)
ifeq ($(GPU), 1)
SNN_KERNELS = $(patsubst src/%.cu,%.o,$(wildcard src/snn_*_kernels.cu)) \
	selu_kernels.o alpha_dropout_kernels.o local_whitening_kernels.o
OBJ += $(SNN_KERNELS)
endif

BLAS ?= $(shell pkg-config --exists openblas 2> /dev/null && echo 1 || echo 0)
ifeq ($(BLAS), 1)
SNN_FLAGS = -DSNN_BLAS $(shell pkg-config --cflags openblas)
LDFLAGS += $(shell pkg-config --libs openblas)
endif

# The fast CPU path, by oneDNN where it is present (CPU_FAST=0 leaves it out).
CPU_FAST ?= $(shell $(CC) -E -include dnnl.h -x c /dev/null > /dev/null 2>&1 && echo 1 || echo 0)
ifeq ($(CPU_FAST), 1)
SNN_FLAGS += -DSNN_CPU_FAST
# oneDNN's threads are OpenMP's: how many there are is set through libgomp.
LDFLAGS += -ldnnl -lgomp
endif

# Training on several processes, by MPI (MPI=1).
ifeq ($(MPI), 1)
SNN_FLAGS += -DSNN_MPI $(shell mpicc --showme:compile 2> /dev/null || mpicc -compile_info 2> /dev/null | cut -d' ' -f2-)
LDFLAGS += $(shell mpicc --showme:link 2> /dev/null || mpicc -link_info 2> /dev/null | cut -d' ' -f2-)
endif

# The host's -Ofast folds NaN checks away and makes the process flush denormal
# numbers; the plugin's files keep IEEE arithmetic. C takes a function that no header
# declares for one of doubles, and floats would get there as something else.
$(addprefix $(OBJDIR), $(SNN_OBJ)): CFLAGS += -O3 -fno-fast-math -fno-math-errno -ffp-contract=off \
	-Werror=implicit-function-declaration $(SNN_FLAGS)

ifeq ($(GPU), 1)
# Kernels as well: results are those of the CPU, bit for bit where no sums are
# taken in another order.
$(addprefix $(OBJDIR), $(SNN_KERNELS) activation_kernels.o): COMMON += -fmad=false
# The driver's library comes with the driver; a stub is enough to link.
LDFLAGS += -L/usr/local/cuda/lib64/stubs

# Where the tree's own ARCH names what this nvcc no longer knows: its oldest, as
# code that a card's driver compiles for anything newer.
ifeq ($(origin ARCH), file)
SNN_COMMA := ,
SNN_KNOWN := $(shell $(NVCC) --list-gpu-arch 2> /dev/null)
SNN_NAMED := $(filter compute_%, $(subst ], , $(subst $(SNN_COMMA), , $(subst arch=, , $(ARCH)))))
ifneq ($(and $(SNN_KNOWN), $(filter-out $(SNN_KNOWN), $(SNN_NAMED))), )
ARCH := -gencode arch=$(firstword $(SNN_KNOWN)),code=$(firstword $(SNN_KNOWN))
$(info ARCH: this nvcc does not know $(sort $(filter-out $(SNN_KNOWN), $(SNN_NAMED))); building for $(firstword $(SNN_KNOWN)) and newer)
endif
endif
endif
