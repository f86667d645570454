/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_UNIT_FILES_H
#define TENURE_UNIT_FILES_H

/* The files and the socket between agent and keeper, and the cgroup of a slice. Synchronous: all
 * of it is in memory (tmpfs, cgroupfs). Directories are arguments for the tests' sake. */

#include <stdbool.h>

#include "base/ticket.h"

/* See host_write_ticket(). */
int ticket_publish(const char *tickets_dir, const struct ticket *t);
int ticket_withdraw(const char *tickets_dir, const char *group);

/* See host_clear_tickets(). */
int tickets_clear(const char *tickets_dir);

/* The state of the group's keeper. Returns 0; -ENOENT when there is none; -EBADMSG, or another
 * negative errno. */
int state_load(const char *groups_dir, const char *group, struct ticket *ret);

/* Reads "nr_descendants N" out of a cgroup.stat. Returns 0 or -EBADMSG. */
int cgroup_stat_parse(const char *text, uint64_t *ret);

/* Has the group's slice no child cgroups (or does not exist)? Returns 0 or negative errno. */
int slice_look(const char *cgroup_root, const char *group, bool *ret_empty);

/* An unbound datagram socket, non-blocking. Returns the descriptor or negative errno. */
int datagram_socket(void);

/* Sends to the group's keeper; see host_extend_keeper() for the errors. */
int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message);

#endif
