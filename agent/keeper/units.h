/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_UNITS_H
#define TENURE_KEEPER_UNITS_H

#include <stdbool.h>

struct units_look {
    bool up;       /* PID 1 holds one of them for up, stopping ones included */
    bool unlinked; /* of one nothing can be seen here: its name leaves no room for a link */
};

/* names: separated by spaces, as the generator's drop-in hands them over; NULL: none.
 *
 * A service that left no process behind (a oneshot with RemainAfterExit=) has no cgroup, but what
 * it runs to stop will have one. PID 1 is not asked: as long as a unit that ever ran something is
 * not inactive, it keeps the link "invocation:UNIT" in units_dir, for the journal. A file that is
 * not there, or a systemd that keeps none, says "no". */
struct units_look units_look(const char *units_dir, const char *names);

#endif
