/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_STATUS_H
#define TENURE_CTL_STATUS_H

/* What the agent shows, for people and for programs. */

#include <stdio.h>

#include "ctl/agent.h"
#include "ctl/systemd.h"

/* All groups as a table. */
void status_print_all(FILE *f, const struct agent_view *v, const struct watchdog *w);

/* Everything about one group. */
void status_print_group(FILE *f, const struct agent_view *v, const struct watchdog *w,
                        const struct agent_group *g);

/* All groups, or only one. The keys are described in tenurectl(8) and stay. Returns 0, -ENOMEM or
 * -EIO. */
int status_print_json(FILE *f, const struct agent_view *v, const struct watchdog *w,
                      const struct agent_group *only);

#endif
