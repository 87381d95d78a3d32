# Read by the CMakeLists.txt of a tree in C++ (hank-ai/darknet), before it sorts its
# sources: the plugin's files, their flags, and oneDNN where it is present
# (-DCPU_FAST=OFF leaves it out).

FILE (GLOB SNN_SOURCES snn_*.c selu_layer.c alpha_dropout_layer.c local_whitening_layer.c)
LIST (APPEND LIBHOSTSRC ${SNN_SOURCES})

# The host's -Ofast, its -funsafe-math-optimizations and its -ffp-contract=fast fold NaN
# checks away and round otherwise on each machine; the plugin's files keep IEEE
# arithmetic, and out of a link-time optimization that would forget it.
SET (SNN_FLAGS -O3 -fno-fast-math -fno-unsafe-math-optimizations -fno-math-errno -ffp-contract=off -fno-lto
	-Wno-switch)
SET_SOURCE_FILES_PROPERTIES (${SNN_SOURCES} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${SNN_FLAGS}")

OPTION (CPU_FAST "Attempt to find oneDNN for training and inference on the CPU" ON)
FIND_PATH (SNN_DNNL_INCLUDE dnnl.h)
FIND_LIBRARY (SNN_DNNL dnnl)
IF (CPU_FAST AND SNN_DNNL_INCLUDE AND SNN_DNNL AND DARKNET_USE_OPENMP)
	MESSAGE (STATUS "Found oneDNN: ${SNN_DNNL}")
	SET_SOURCE_FILES_PROPERTIES (${SNN_SOURCES} PROPERTIES COMPILE_DEFINITIONS SNN_CPU_FAST)
	INCLUDE_DIRECTORIES (${SNN_DNNL_INCLUDE})
	# The command line's program links what the folder above says.
	LIST (APPEND DARKNET_LINK_LIBS ${SNN_DNNL})
	SET (DARKNET_LINK_LIBS ${DARKNET_LINK_LIBS} PARENT_SCOPE)
ENDIF ()

# Kernels as well: results are those of the CPU, bit for bit where no sums are taken in
# another order.
FILE (GLOB SNN_KERNELS snn_*_kernels.cu selu_kernels.cu alpha_dropout_kernels.cu local_whitening_kernels.cu activation_kernels.cu)
IF (DARKNET_USE_CUDA)
	SET_SOURCE_FILES_PROPERTIES (${SNN_KERNELS} PROPERTIES COMPILE_OPTIONS -fmad=false)
ENDIF ()
