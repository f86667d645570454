/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_CGROUP_H
#define TENURE_KEEPER_CGROUP_H

/* The cgroup of a group's slice, held open: killing through a descriptor needs neither PID 1 nor
 * privileges nor a path walk once the keeper has dropped to its user. */

#include <stdbool.h>
#include <stdint.h>

struct slice {
    int kill_fd;   /* cgroup.kill */
    int stat_fd;   /* cgroup.stat */
    int events_fd; /* cgroup.events */
};

#define SLICE_CLOSED ((struct slice){.kill_fd = -1, .stat_fd = -1, .events_fd = -1})

/* Opens tenure.slice/tenure-ESCAPED.slice below cgroup_root. Returns 0 or a negative errno:
 * -ENOENT when there is no such slice (or no cgroup v2), -ENODEV when it was removed meanwhile (or
 * the kernel has no cgroup.kill). ret is then left alone. */
int slice_open(const char *cgroup_root, const char *group, struct slice *ret);

void slice_close(struct slice *s);

/* Counts the cgroups below the slice. Returns 0; -ENODEV when the slice was removed since it was
 * opened; -EBADMSG for a file that is no cgroup.stat; another negative errno. */
int slice_children(const struct slice *s, uint64_t *ret);

/* Whether there is a process below the slice, at any depth: cgroups may be empty. Same returns. */
int slice_populated(const struct slice *s, bool *ret);

/* SIGKILL to every process below the slice, forks in progress included. Returns 0; -ENODEV as
 * above; another negative errno. */
int slice_kill(const struct slice *s);

#endif
