/* Makes plans (snn_plan.h). The hooks are snn_plan_net and snn_train_begin. */
#ifndef SNN_PLANNER_H
#define SNN_PLANNER_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From now on the net is planned for training by the host's own commands, which do not
 * look into it. */
void snn_plan_training(network *net);

/* Whether bf16=1 changes a step of the net, which is planned. */
int snn_plan_rounds(const network *net);

#ifdef __cplusplus
}
#endif
#endif
