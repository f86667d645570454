/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_STATUS_TEXT_H
#define TENURE_CTL_STATUS_TEXT_H

/* What the agent shows, human-readable. */

#include <stdio.h>

#include "ctl/agent.h"
#include "ctl/systemd.h"

/* All groups as a table. */
void status_print_all(FILE *f, const struct agent_view *v, const struct watchdog *w);

/* Everything about one group. */
void status_print_group(FILE *f, const struct agent_view *v, const struct watchdog *w,
                        const struct agent_group *g);

#endif
