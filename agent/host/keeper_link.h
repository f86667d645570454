/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_KEEPER_LINK_H
#define TENURE_HOST_KEEPER_LINK_H

/* What the agent says to a keeper, without PID 1: tickets and datagrams. See host_write_ticket()
 * and host_extend_keeper(). */

struct host;

/* Returns 0 or negative errno. */
int keeper_link_open(struct host *h);
void keeper_link_close(struct host *h);

#endif
