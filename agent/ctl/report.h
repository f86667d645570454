/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_REPORT_H
#define TENURE_CTL_REPORT_H

/* What was checked, a line each: how it is, and what to do where it is not well. */

#include <stddef.h>
#include <stdio.h>

#include "ctl/ctl.h"

enum verdict {
    VERDICT_GOOD,
    VERDICT_WARNING, /* should be mended; the agent leads all the same */
    VERDICT_BAD,     /* keeps the agent from leading */
    VERDICT_UNKNOWN, /* could not be checked */
};

/* = {.f = …} is an empty one. */
struct report {
    FILE *f;
    size_t n[VERDICT_UNKNOWN + 1];
};

/* One line. what: a word or two. */
void report_line(struct report *r, enum verdict verdict, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As monitoring has it: what keeps the agent from leading first, then what is unknown. */
enum ctl_status report_status(const struct report *r);

/* How many of which, in words. Returns ret. */
const char *report_sum(const struct report *r, char *ret, size_t size);

#endif
