/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_SLICE_H
#define TENURE_HOST_SLICE_H

/* The cgroup of a group's slice. The root is an argument for the tests' sake. */

#include <stdbool.h>
#include <stdint.h>

/* Reads "nr_descendants N" out of a cgroup.stat. Returns 0 or -EBADMSG. */
int cgroup_stat_parse(const char *text, uint64_t *ret);

/* Reads "populated 0|1" out of a cgroup.events. Returns 0 or -EBADMSG. */
int cgroup_events_parse(const char *text, bool *ret);

/* Is the group's slice empty: does it have no child cgroups or, if empty ones do not count, no
 * processes; or does it not exist? Returns 0 or negative errno. */
int slice_read(const char *cgroup_root, const char *group, bool empty_counts, bool *ret_empty);

#endif
