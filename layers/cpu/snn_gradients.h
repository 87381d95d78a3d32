/* Gradient buffers that are lent for a part of a training's backward pass.
 *
 * The gradient of a layer's output is there from its first writer's backward pass to the
 * layer's own. Buffers that are never there at the same time stand in the same memory, one
 * for all nets of the process, as a pass of one ends before that of another begins:
 *
 *     layer      0    1    2    3    4
 *     backward  <----<----<----<----<        [route] 4 reads 1 and 3: the buffer of 1
 *     of 3                     =====         is there as long as the others together
 *     of 2                ======
 *     of 1           ===============
 *
 * The host's own l.delta stays where it is, and is not touched: what is never written takes
 * no memory (snn_leave_memory). Lent are buffers that only layers of ours write and read; who has them is set
 * where the net is planned (snn_planner.c), and passes ask for it by snn_output_gradient and
 * snn_input_gradient (snn_host.h). In nets that do not train, and on a GPU, none are.
 */
#ifndef SNN_GRADIENTS_H
#define SNN_GRADIENTS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One buffer: floats, and the layers whose backward passes it is there from and to, which
 * come in falling order. */
typedef struct {
    size_t count;
    int from, to;
    size_t at;              /* where it stands */
} snn_loan;

/* Sets `at` of all, multiples of 16, so that no two that are there at the same time overlap.
 * Returns how many floats they take together. */
size_t snn_place_loans(snn_loan *loans, int count);

/* From now on there is memory for so many floats. */
void snn_reserve_gradients(size_t count);

#ifdef __cplusplus
}
#endif
#endif
