/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_OWN_JOB_H
#define TENURE_HOST_OWN_JOB_H

/* What kind of job PID 1 has for the agent itself: see host_ask_own_job(). */

struct host;

/* Asks, if that is wanted. */
void own_job_send(struct host *h);
/* Fails the question if it was not sent yet: after a reconnect it is not wanted any more. */
void own_job_fail_waiting(struct host *h, int error);

#endif
