/* Batch normalization folded into weights and biases. */
#ifndef SNN_FOLD_H
#define SNN_FOLD_H

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_FOLD_AS_SEEN, SNN_FOLD_ANEW };

/* Reads `cfg` with its weights, folds, sees that the outputs for an image of
 * noise stay the same to 1e-4, and writes the weights of the same net without
 * batch normalization; of a backbone (`darknet partial`) alone where the file holds
 * no more: the layers behind it begin as the cfg says. SNN_FOLD_ANEW: as if no image
 * had been seen, so that a training begins with them. 0 and a message where that fails;
 * nothing is written then. Ends the process with status 1 where the host cannot read
 * the files. */
int snn_fold_weights(const char *cfg, const char *in_weights,
                     const char *out_weights, int mode);

#ifdef __cplusplus
}
#endif
#endif
