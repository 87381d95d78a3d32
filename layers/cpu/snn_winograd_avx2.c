#if defined(__x86_64__) && defined(__GNUC__)

#define LANES 8
#define TARGET "avx2,fma"
#define MOST_ROWS 6
#define CACHE (1 << 20)
#define LEAST_SUMMED 12
#define TILES snn_winograd_avx2
#include "snn_winograd_lanes.h"

#endif
