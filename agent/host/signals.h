/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_SIGNALS_H
#define TENURE_HOST_SIGNALS_H

/* Signals of PID 1 only say which group to poll. */

struct host;

int signals_install(struct host *h);

#endif
