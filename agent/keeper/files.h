/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_FILES_H
#define TENURE_KEEPER_FILES_H

/* The keeper's files: the ticket it consumes, the env and state it publishes, and reading a state
 * that another process left. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/stops.h"
#include "base/ticket.h"

/* Takes the ticket of this instance out of tickets_dir, for good, and reads it. Any other
 * process that wants the same ticket fails, and what is read is what was taken. Returns 0; -ENOENT
 * when there is none (any more); -EPERM for one that is neither uid's nor our own; -EBADMSG for
 * what is no ticket; another negative errno. */
int ticket_consume(const char *tickets_dir, const char *instance, uid_t uid, struct ticket *ret);

/* Writes the file `env` in the group's directory, for EnvironmentFile= of the group's units. */
int env_write(int dir_fd, const struct ticket *t);

/* A state file, first under another name: it is not seen before state_publish(). */
struct state_file {
    int live_fd; /* the directory live/, owned by the keeper's user */
    int fd;      /* the file, ours: only this descriptor can write it */
    off_t tail_offset;
};

#define STATE_FILE_NONE ((struct state_file){.live_fd = -1, .fd = -1})

/* Creates live/ and the unpublished state in it, then gives live/ (not the state) to uid and gid.
 * What an earlier term has left there is replaced. Returns 0 or a negative errno. */
int state_create(int dir_fd, const struct ticket *t, uid_t uid, gid_t gid, struct state_file *ret);
int state_publish(const struct state_file *s);
/* Rewrites in place what may change of a term; a reader of the running keeper's state may see
 * digits of before and after. */
int state_update(const struct state_file *s, const struct ticket *t);
/* Returns 0 also when there is none. */
int state_remove(const struct state_file *s);

/* The state that a dead keeper of this group left below the group's directory. The live directory
 * is the agent's user's, so only a file of our own (root's) is believed. Returns 0; -ENOENT when
 * there is none; -EPERM, -EBADMSG or another negative errno when it cannot be believed. */
int state_read(const char *groups_dir, const char *group, struct ticket *ret);

/* Is this group about to be led here? A ticket lies there whose deadline has not passed, or a
 * keeper has begun and not published its state yet. Once it has, state_read()
 * says so. What cannot be read may be one. */
bool term_begins(const char *tickets_dir, const char *groups_dir, const char *instance,
                 const char *group, usec_t now);

/* Did a keeper that left no state publish one before, so that units may have begun? Of one that
 * never got so far nothing is to be stopped. */
bool state_was_there(const char *groups_dir, const char *group);

/* What the agent says of the group's stops in this term; term 0: in whichever it says. What cannot
 * be read says nothing: STOPS_UNKNOWN. */
enum stops stops_read(const char *stops_dir, const char *group, uint64_t term);

#endif
