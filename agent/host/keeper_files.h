/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_KEEPER_FILES_H
#define TENURE_HOST_KEEPER_FILES_H

/* What a keeper has in its folder: its state, and the socket at which it takes datagrams.
 * Synchronous: it is in memory. The directory of all groups is an argument for the tests' sake. */

#include <stddef.h>

#include "base/ticket.h"

/* The state of the group's keeper. Returns 0; -ENOENT when there is none; -EAGAIN when it changes
 * too fast to be read; -EBADMSG, or another negative errno. */
int state_load(const char *groups_dir, const char *group, struct ticket *ret);

/* An unbound datagram socket, non-blocking. Returns the descriptor or negative errno. */
int datagram_socket(void);

/* Sends so many bytes of it to the group's keeper; see host_extend_keeper() for the errors. */
int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message, size_t length);

#endif
