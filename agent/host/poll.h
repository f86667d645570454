/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_POLL_H
#define TENURE_HOST_POLL_H

/* Polls PID 1: one question for all groups that wait. */

#include "base/usec.h"

struct host;
struct watched_group;

/* A poll and up to four properties of the manager. */
#define POLL_CALLS 5

void poll_ask(struct host *h, usec_t now);
void poll_forget_group(struct host *h, const struct watched_group *g);

#endif
