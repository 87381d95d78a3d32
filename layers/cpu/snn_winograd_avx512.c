#if defined(__x86_64__) && defined(__GNUC__)

#define LANES 16
#define TARGET "avx512f"
#define MOST_ROWS 14
#define CACHE (1 << 19)
#define LEAST_SUMMED 32
#define TILES snn_winograd_avx512
#include "snn_winograd_lanes.h"

#endif
