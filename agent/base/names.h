/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_NAMES_H
#define TENURE_BASE_NAMES_H

/* Names of groups and of everything that is named after them: keeper units, slices, files. */

#include <stdbool.h>
#include <stddef.h>

#define GROUP_NAME_MAX 64
/* Every byte of a name may be escaped as \xNN. */
#define GROUP_ESCAPED_MAX (GROUP_NAME_MAX * 4)
#define NODE_NAME_MAX 64
#define INSTANCE_ID_LEN 32                              /* 128 bits in lower-case hex */
#define OWNER_MAX (NODE_NAME_MAX + 1 + INSTANCE_ID_LEN) /* NODE/INSTANCE_ID */
#define UNIT_NAME_LEN_MAX 255                           /* systemd's UNIT_NAME_MAX less the NUL */

#define TENURE_USER "tenure"
#define TENURE_RUN_DIR "/run/tenure"
#define TENURE_TICKETS_DIR TENURE_RUN_DIR "/tickets"   /* tenure's: TICKETS/GROUP */
#define TENURE_INSTANCE_DIR TENURE_RUN_DIR "/instance" /* tenure's: the id of this boot */
#define TENURE_GROUPS_DIR TENURE_RUN_DIR "/groups"     /* root's: GROUPS/GROUP/ per keeper */
#define TENURE_UNITS_DIR TENURE_RUN_DIR "/units"       /* root's: keepers' drop-ins as applied */
#define TENURE_APPLY_LOCK TENURE_RUN_DIR "/apply.lock" /* root's: one apply at a time */
#define TENURE_CGROUP_ROOT "/sys/fs/cgroup"

/* Below TENURE_GROUPS_DIR/GROUP: */
#define KEEPER_ENV_FILE "env"  /* root's: TENURE_GROUP, TENURE_TERM, TENURE_NODE */
#define KEEPER_SOCKET "extend" /* datagrams of base/ticket.h */
#define KEEPER_LIVE_DIR "live" /* tenure's */
#define KEEPER_STATE_FILE "live/state"

/* What the generator gives a keeper: the units of its group, separated by spaces. */
#define KEEPER_UNITS_ENV "TENURE_UNITS"
/* And, with fence = "reboot" alone: after how many microseconds of SIGKILL in vain this host is
 * restarted. */
#define KEEPER_REBOOT_ENV "TENURE_REBOOT_USEC"
#define KEEPER_UNITS_DIR                                                                           \
    "/run/systemd/units" /* PID 1's: "invocation:UNIT" of what is not inactive */

/* Where the copies of keepers' drop-ins are: the generator's, the one on the root file system, and
 * what was applied since the boot. */
#define KEEPER_DROP_IN_DIRS "/run/systemd/generator.early", "/etc/systemd/system", TENURE_UNITS_DIR

/* How a group is elected. */
enum method {
    METHOD_LEASE,    /* by its row */
    METHOD_ADVISORY, /* by its row and a lock of the database session */
};

/* "lease", "advisory". */
const char *method_name(enum method method);

/* 1 to GROUP_NAME_MAX of [A-Za-z0-9_.-], the first a letter or digit. */
bool group_name_valid(const char *name);

/* 1 to NODE_NAME_MAX of [A-Za-z0-9_.-], the first a letter or digit. */
bool node_name_valid(const char *name);

/* Writes the group's name as it is in the slice's name into ret: '-' becomes \x2d, because
 * tenure-a-b.slice would lie inside tenure-a.slice. Returns 0, -EINVAL for a name that is not
 * valid, -ENOBUFS when size is too small (GROUP_ESCAPED_MAX + 1 always does). */
int group_escaped(const char *group, char *ret, size_t size);

/* The group of an instance of tenure@.service or tenure-stop@.service: its name as it is, or
 * escaped, as earlier versions named their keepers. -EINVAL for anything else. */
int group_from_instance(const char *instance, char *ret, size_t size);

/* "tenure@GROUP.service", as operators type it, "tenure-stop@GROUP.service", "tenure-ESCAPED.slice"
 * and the slice's path below the cgroup root, "tenure.slice/tenure-ESCAPED.slice". Same errors as
 * group_escaped(). */
int group_keeper_unit(const char *group, char *ret, size_t size);
int group_stop_unit(const char *group, char *ret, size_t size);
int group_slice_unit(const char *group, char *ret, size_t size);
int group_slice_cgroup(const char *group, char *ret, size_t size);

/* The group of "tenure@INSTANCE.service", as of group_from_instance(); unit: so many characters.
 * Same errors. */
int group_of_keeper_unit(const char *unit, size_t length, char *ret, size_t size);

/* "tenure@ESCAPED.service": the keeper's name in earlier versions; -ENOENT when that was the same.
 */
int group_earlier_keeper_unit(const char *group, char *ret, size_t size);

#endif
