/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_GROUP_H
#define TENURE_DAEMON_GROUP_H

/* A group's events for its member, and what the member wants done about them. */

#include "daemon/state.h"

/* config is borrowed. Returns 0, -ENOMEM or an error of host_add_group(). */
int group_new(struct daemon *d, const struct config_group *config, struct group **ret);
/* NULL is fine. Returns NULL. */
struct group *group_free(struct group *g);

/* event->now and .random are filled in. ret_request may be NULL but for EVENT_SEND. Returns whether
 * there is a request. */
bool group_step(struct group *g, struct member_event *event, struct request *ret_request);
/* The same of an event that has nothing but its type. */
void group_event(struct group *g, enum member_event_type type);

/* Withdraws the ticket, or remembers that this failed: ticket_stuck. */
void group_unlink_ticket(struct group *g);

/* What runs here without a term, by the last poll: ends it if need be. */
void group_judge_strays(struct group *g);
/* When group_watch_strays() has something to do; USEC_INFINITY: never. */
usec_t group_strays_due(const struct group *g);
/* Polls PID 1 when strays are due. */
void group_watch_strays(struct group *g, usec_t now);

#endif
