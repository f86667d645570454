/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_VERB_CONFIRM_DEAD_H
#define TENURE_CTL_VERB_CONFIRM_DEAD_H

#include "ctl/ctl.h"

/* argv[0] is the verb. Prints what went wrong. Returns the exit status. */
int verb_confirm_dead(const struct ctl *ctl, int argc, char *argv[]);

#endif
