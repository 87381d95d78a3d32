# Read by the host's Makefile. What the plugin adds to the build: its objects,
# their flags, OpenBLAS where it is present (BLAS=0 leaves it out) and oneDNN.

SNN_OBJ = $(patsubst src/%.c,%.o,$(wildcard src/snn_*.c)) \
	selu_layer.o alpha_dropout_layer.o local_whitening_layer.o
OBJ += $(SNN_OBJ)

BLAS ?= $(shell pkg-config --exists openblas 2> /dev/null && echo 1 || echo 0)
ifeq ($(BLAS), 1)
SNN_FLAGS = -DSNN_BLAS $(shell pkg-config --cflags openblas)
LDFLAGS += $(shell pkg-config --libs openblas)
endif

# The fast CPU path, by oneDNN where it is present (CPU_FAST=0 leaves it out).
CPU_FAST ?= $(shell echo '\#include <dnnl.h>' | $(CC) -E - > /dev/null 2>&1 && echo 1 || echo 0)
ifeq ($(CPU_FAST), 1)
SNN_FLAGS += -DSNN_CPU_FAST
LDFLAGS += -ldnnl
endif

SNN_FLAGS += -fopenmp
LDFLAGS += -fopenmp

# The host's -Ofast folds NaN checks away and makes the process flush denormal
# numbers; the plugin's files keep IEEE arithmetic.
$(addprefix $(OBJDIR), $(SNN_OBJ)): CFLAGS += -O3 -fno-fast-math -fno-math-errno -ffp-contract=off $(SNN_FLAGS)
