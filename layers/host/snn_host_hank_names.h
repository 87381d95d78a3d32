/* The names that C has for what hank-ai/darknet's C++ has in a namespace. A type of
 * layer that this family lacks gets a number that no layer has. */
#ifndef SNN_HOST_HANK_NAMES_H
#define SNN_HOST_HANK_NAMES_H

#include "darknet_internal.hpp"

#define SNN_HANK 1
#define SNN_CXX_HOOKS 1     /* snn_hooks_hank.c */

#ifdef DARKNET_GPU
#define GPU
#endif

typedef Darknet::Layer layer;
typedef Darknet::Network network;
typedef Darknet::NetworkState network_state;
typedef Darknet::ELayerType LAYER_TYPE;

#define SNN_SAME_TYPE(name) constexpr LAYER_TYPE name = LAYER_TYPE::name
SNN_SAME_TYPE(CONVOLUTIONAL);
SNN_SAME_TYPE(CONNECTED);
SNN_SAME_TYPE(MAXPOOL);
SNN_SAME_TYPE(LOCAL_AVGPOOL);
SNN_SAME_TYPE(SOFTMAX);
SNN_SAME_TYPE(DROPOUT);
SNN_SAME_TYPE(ROUTE);
SNN_SAME_TYPE(COST);
SNN_SAME_TYPE(AVGPOOL);
SNN_SAME_TYPE(SHORTCUT);
SNN_SAME_TYPE(SCALE_CHANNELS);
SNN_SAME_TYPE(SAM);
SNN_SAME_TYPE(RNN);
SNN_SAME_TYPE(LSTM);
SNN_SAME_TYPE(CRNN);
SNN_SAME_TYPE(REGION);
SNN_SAME_TYPE(YOLO);
SNN_SAME_TYPE(GAUSSIAN_YOLO);
SNN_SAME_TYPE(REORG);
SNN_SAME_TYPE(UPSAMPLE);
SNN_SAME_TYPE(BLANK);
SNN_SAME_TYPE(CONTRASTIVE);
#undef SNN_SAME_TYPE

#define SNN_NO_TYPE(name, number) constexpr LAYER_TYPE name = (LAYER_TYPE)(-(number))
SNN_NO_TYPE(ACTIVE, 1);
SNN_NO_TYPE(BATCHNORM, 2);
SNN_NO_TYPE(CONV_LSTM, 3);
SNN_NO_TYPE(CROP, 4);
SNN_NO_TYPE(DECONVOLUTIONAL, 13);
SNN_NO_TYPE(DETECTION, 5);
SNN_NO_TYPE(GRU, 6);
SNN_NO_TYPE(HISTORY, 7);
SNN_NO_TYPE(IMPLICIT, 8);
SNN_NO_TYPE(ISEG, 9);
SNN_NO_TYPE(LOCAL, 10);
SNN_NO_TYPE(LOGXENT, 11);
SNN_NO_TYPE(NORMALIZATION, 12);
#undef SNN_NO_TYPE

using Darknet::crop_image;
using Darknet::letterbox_image;
using Darknet::load_image;
using Darknet::resize_image;

#endif
