# Read by the CMakeLists.txt of a tree in C++ (hank-ai/darknet), before it sorts its
# sources: the plugin's files as a library of objects, their flags, oneDNN where it is
# present (-DCPU_FAST=OFF leaves it out), MPI (-DMPI=ON), and the host's link-time
# optimization (-DLTO=OFF leaves it out).

FILE (GLOB SNN_SOURCES snn_*.c selu_layer.c alpha_dropout_layer.c local_whitening_layer.c)
SET_SOURCE_FILES_PROPERTIES (${SNN_SOURCES} PROPERTIES LANGUAGE CXX)
ADD_LIBRARY (snnobjlib OBJECT ${SNN_SOURCES})

# The host's -Ofast, its -funsafe-math-optimizations and its -ffp-contract=fast fold NaN
# checks away and round otherwise on each machine; the plugin's files keep IEEE
# arithmetic, and out of a link-time optimization that would forget it.
TARGET_COMPILE_OPTIONS (snnobjlib PRIVATE -O3 -fno-fast-math -fno-unsafe-math-optimizations -fno-math-errno
	-ffp-contract=off -Wno-switch)
SET_TARGET_PROPERTIES (snnobjlib PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF POSITION_INDEPENDENT_CODE ON)

# The host sets it for all of its targets, past what a command line can say, and takes
# minutes to link after a change of any file.
OPTION (LTO "The host's own link-time optimization" ON)
IF (NOT LTO)
	SET (CMAKE_INTERPROCEDURAL_OPTIMIZATION FALSE)
	SET (CMAKE_INTERPROCEDURAL_OPTIMIZATION FALSE PARENT_SCOPE)
ENDIF ()

# The host's one header has all of OpenCV: read once, not by each file.
TARGET_PRECOMPILE_HEADERS (snnobjlib PRIVATE darknet_internal.hpp)

OPTION (CPU_FAST "Attempt to find oneDNN for training and inference on the CPU" ON)
FIND_PATH (SNN_DNNL_INCLUDE dnnl.h)
FIND_LIBRARY (SNN_DNNL dnnl)
IF (CPU_FAST AND SNN_DNNL_INCLUDE AND SNN_DNNL AND DARKNET_USE_OPENMP)
	MESSAGE (STATUS "Found oneDNN: ${SNN_DNNL}")
	TARGET_COMPILE_DEFINITIONS (snnobjlib PRIVATE SNN_CPU_FAST)
	TARGET_INCLUDE_DIRECTORIES (snnobjlib PRIVATE ${SNN_DNNL_INCLUDE})
	LIST (APPEND DARKNET_LINK_LIBS ${SNN_DNNL})
ENDIF ()

OPTION (MPI "Training on several processes, by MPI" OFF)
IF (MPI)
	FIND_PACKAGE (MPI REQUIRED COMPONENTS C)
	TARGET_COMPILE_DEFINITIONS (snnobjlib PRIVATE SNN_MPI)
	TARGET_INCLUDE_DIRECTORIES (snnobjlib PRIVATE ${MPI_C_INCLUDE_DIRS})
	LIST (APPEND DARKNET_LINK_LIBS ${MPI_C_LIBRARIES})
ENDIF ()

IF (DARKNET_USE_OPENMP)
	TARGET_COMPILE_DEFINITIONS (snnobjlib PRIVATE DARKNET_OPENMP)
	TARGET_LINK_LIBRARIES (snnobjlib PRIVATE OpenMP::OpenMP_CXX)
ENDIF ()
TARGET_LINK_LIBRARIES (snnobjlib PRIVATE ${DARKNET_LINK_LIBS})
# The command line's program links what the folder above says.
SET (DARKNET_LINK_LIBS ${DARKNET_LINK_LIBS} PARENT_SCOPE)

# Kernels as well: results are those of the CPU, bit for bit where no sums are taken in
# another order.
FILE (GLOB SNN_KERNELS snn_*_kernels.cu selu_kernels.cu alpha_dropout_kernels.cu local_whitening_kernels.cu activation_kernels.cu)
IF (DARKNET_USE_CUDA)
	SET_SOURCE_FILES_PROPERTIES (${SNN_KERNELS} PROPERTIES COMPILE_OPTIONS -fmad=false)
ELSEIF (DARKNET_USE_ROCM)
	SET_SOURCE_FILES_PROPERTIES (${SNN_KERNELS} PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
ENDIF ()
