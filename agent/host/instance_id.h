/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_INSTANCE_ID_H
#define TENURE_HOST_INSTANCE_ID_H

#include "host/host.h"

/* host_instance_id() with its directories as arguments, for the tests' sake. root: where etc and
 * proc are. *ret_lock_fd is the lock: it holds until that is closed. */
int instance_id_in(const char *dir, const char *root, char ret[static INSTANCE_ID_LEN + 1],
                   int *ret_lock_fd);

#endif
