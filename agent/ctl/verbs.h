/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_VERBS_H
#define TENURE_CTL_VERBS_H

/* The program: its verbs by their names. */

#include "ctl/ctl.h"

/* The whole program less its defaults: options, then the verb. argv[0] is the program's name. Takes
 * libpq's variables out of the environment. Returns the exit status. */
int ctl_run(const struct ctl *ctl, int argc, char *argv[]);

#endif
