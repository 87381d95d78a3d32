/* `layer` and `network` without what is in them: for headers that take pointers to them, so
 * that who includes these needs no header of the host's. */
#ifndef SNN_HOST_FORWARD_H
#define SNN_HOST_FORWARD_H

#if defined(__cplusplus) && defined(__has_include)
#if __has_include("darknet_internal.hpp")
#define SNN_FORWARDS_HANK
#endif
#endif

#ifdef SNN_FORWARDS_HANK
namespace Darknet
{
struct Layer;
struct Network;
} // namespace Darknet
typedef Darknet::Layer layer;
typedef Darknet::Network network;
/* As snn_host_hank_names.h, which who includes this alone does not see. */
#ifdef DARKNET_GPU
#define GPU
#endif
#else
struct layer;
typedef struct layer layer;
struct network;
typedef struct network network;
#endif

#endif
