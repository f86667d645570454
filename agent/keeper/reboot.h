/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_REBOOT_H
#define TENURE_KEEPER_REBOOT_H

/* How a host is restarted at once: without PID 1, which may hang, and without writing back to
 * disks, which may be what everything hangs on. */

#include <stdbool.h>

/* Where one byte restarts the machine, or NULL when that is not ours to do: in a container the file
 * may be there, and is the button of the machine around it. Opening it needs root, writing does
 * not. */
const char *reboot_sysrq_trigger(void);

/* reboot(2): of the machine, whose drivers are asked to shut down first, or of the container this
 * is in. Not really: only whether it would be allowed. Returns 0 or a negative errno. */
int reboot_host(bool really);

/* From now on, also for a user other than root: the capability to do so, and no other. To be called
 * between prctl(PR_SET_KEEPCAPS) with the change of user, and anything else. */
int reboot_keep_right(void);

#endif
