/* Darknet includes it; nothing of ours needs it. */
typedef void *cublasHandle_t;
