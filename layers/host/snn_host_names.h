/* The host's own names, and which family it is: what any file of ours that uses
 * `layer`, `network` or `image` includes first. hank-ai/darknet is C++ and has them
 * in a namespace; it alone has a header darknet_internal.hpp. */
#ifndef SNN_HOST_NAMES_H
#define SNN_HOST_NAMES_H

#if defined(__cplusplus) && defined(__has_include)
#if __has_include("darknet_internal.hpp")
#include "snn_host_hank_names.h"
#endif
#endif

#ifndef SNN_HANK
#include "darknet.h"
#endif

#endif
