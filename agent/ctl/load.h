/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_LOAD_H
#define TENURE_CTL_LOAD_H

#include "ctl/ctl.h"

/* Loads and checks the configuration as `check` and `apply` do: all rules of config_load(), and
 * libpq's for conninfo. Prints every problem, and a warning for each file of the groups' directory
 * that is not read. Returns 0 or CTL_FAILED. */
int ctl_load(const struct ctl *ctl, const struct config_paths *paths, struct tenure_config **ret);

#endif
