/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_OPTIONS_H
#define TENURE_CTL_OPTIONS_H

#include "ctl/ctl.h"

/* An option of a verb: a switch, or one with a value that may be given several times. */
struct ctl_option {
    const char *name; /* NULL ends a list of them */
    bool *flag;
    const char **values;
    size_t *n_values, room;
};

/* Options of a verb, besides --help; the first operand's index is in optind then. options: NULL for
 * none. Returns 0 to go on, or an exit status + 1 (help was asked for, or wrong use). */
int ctl_options(const struct ctl *ctl, int argc, char *argv[], const struct ctl_option options[]);

/* What `tenurectl --help` prints. */
void ctl_print_help(const struct ctl *ctl);

/* The option that getopt_long(3) has just refused, as it was written: "-x" or "--xyz". */
const char *ctl_offending_option(int argc, char *argv[]);

#endif
