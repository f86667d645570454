/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_UNITS_H
#define TENURE_KEEPER_UNITS_H

#include <stdbool.h>

/* Does PID 1 hold one of these units for up, stopping ones included? names: separated by spaces, as
 * the generator's drop-in hands them over; NULL: none.
 *
 * A service that left no process behind (a oneshot with RemainAfterExit=) has no cgroup, but what
 * it runs to stop will have one. PID 1 is not asked: as long as a unit that ever ran something is
 * not inactive, it keeps the link "invocation:UNIT" in units_dir, for the journal. A file that is
 * not there, or a systemd that keeps none, says "no". */
bool units_up(const char *units_dir, const char *names);

#endif
