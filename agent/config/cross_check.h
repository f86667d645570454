/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_CROSS_CHECK_H
#define TENURE_CONFIG_CROSS_CHECK_H

#include "config/loader.h"

/* The rules that need all groups: names and units that appear twice, triggered units; then sorts.
 * For when all files are read. */
void load_finish(struct loader *l);

#endif
