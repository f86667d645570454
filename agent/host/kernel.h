/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_KERNEL_H
#define TENURE_HOST_KERNEL_H

#include "host/host.h"

/* host_check_kernel() with its directory as an argument, for the tests' sake. */
int kernel_check_at(const char *cgroup_root, char text[static HOST_TEXT_MAX]);

#endif
