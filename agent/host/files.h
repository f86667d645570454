/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_FILES_H
#define TENURE_HOST_FILES_H

/* The files and the socket between agent and keeper, and the cgroup of a slice. Synchronous: all
 * of it is in memory (tmpfs, cgroupfs). Directories are arguments for the tests' sake. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/stops.h"
#include "base/ticket.h"
#include "host/host.h"
#include "host/stops.h"

/* See host_write_ticket(). */
int ticket_publish(const char *tickets_dir, const struct ticket *t);
int ticket_withdraw(const char *tickets_dir, const char *group);
/* Writes a ticket for nobody, without a name. Returns 0, or a negative errno with the reason and
 * what to do about it in text. */
int tickets_try(const char *tickets_dir, char text[static HOST_TEXT_MAX]);

/* See host_clear_tickets(). */
int tickets_clear(const char *tickets_dir);

/* One reading of a whole small file. Returns its length or negative errno. */
typedef ssize_t (*small_reader)(const void *from, char *ret, size_t size);

/* What somebody may be writing just now: believed when two readings in a row agree. -EAGAIN: not
 * even of three, so nothing is known; or what the reader said last. size: at most that of a ticket
 * and one more. */
ssize_t read_settled(small_reader reader, const void *from, char *ret, size_t size);

/* The state of the group's keeper. Returns 0; -ENOENT when there is none; -EAGAIN when it changes
 * too fast to be read; -EBADMSG, or another negative errno. */
int state_load(const char *groups_dir, const char *group, struct ticket *ret);

/* Reads "nr_descendants N" out of a cgroup.stat. Returns 0 or -EBADMSG. */
int cgroup_stat_parse(const char *text, uint64_t *ret);

/* Reads "populated 0|1" out of a cgroup.events. Returns 0 or -EBADMSG. */
int cgroup_events_parse(const char *text, bool *ret);

/* Has the group's slice no child cgroups, or, if empty ones do not count, no processes (or does not
 * exist)? Returns 0 or negative errno. */
int slice_look(const char *cgroup_root, const char *group, bool empty_counts, bool *ret_empty);

/* How a group's units stop: what keeper and fence read (base/stops.h), and what an agent that was
 * restarted has to know of each unit. */
struct stops_file {
    uint64_t term;
    enum stops stops;
    size_t n;
    const char *const *units; /* their names; borrowed */
    struct stop_began *began; /* of each */
};

/* Replaces the file, whole or not at all. Returns 0 or negative errno. */
int stops_save(const char *dir, const char *group, const struct stops_file *f);
/* Fills in what the file says of the units that are named in f; of others nothing. Returns 0,
 * -ENOENT when there is none, -EBADMSG, or another negative errno; f is then left alone. */
int stops_load(const char *dir, const char *group, struct stops_file *f);

/* Is the guards' drop-in of this unit there, below this directory of units: a file of its own, and
 * not empty? Returns 0, or negative errno when that cannot be seen, in a directory that not
 * everybody may look into for one. */
int drop_in_look(const char *dir, const char *unit, bool *ret_there);

/* An unbound datagram socket, non-blocking. Returns the descriptor or negative errno. */
int datagram_socket(void);

/* Sends so many bytes of it to the group's keeper; see host_extend_keeper() for the errors. */
int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message, size_t length);

#endif
