/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_VERB_CHECK_H
#define TENURE_CTL_VERB_CHECK_H

#include "ctl/ctl.h"

/* argv[0] is the verb. Prints what went wrong. Returns the exit status. */
int verb_check(const struct ctl *ctl, int argc, char *argv[]);

#endif
