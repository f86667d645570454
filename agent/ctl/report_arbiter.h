/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_REPORT_ARBITER_H
#define TENURE_CTL_REPORT_ARBITER_H

#include "ctl/report.h"
#include "ctl/trial.h"

/* What an attempt at the arbiter has found, once it is finished. Pure. */
void report_arbiter(struct report *r, const struct trial *t, bool require_sync);

#endif
