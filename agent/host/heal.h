/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_HEAL_H
#define TENURE_HOST_HEAL_H

/* The job that has PID 1 read the guards again: see host_heal(). */

#include "base/usec.h"

struct host;

void heal_send(struct host *h, usec_t now);
usec_t heal_wake(const struct host *h);
void heal_fail(struct host *h, int error, const char *text);
/* By Result and ExecMainStatus of the job: 0; -EAGAIN when it did nothing, as an apply is under
 * way; else -EIO. */
int heal_judge(const char *result, int status);

#endif
