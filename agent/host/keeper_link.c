/* SPDX-License-Identifier: Apache-2.0 */
#include "host/keeper_link.h"

#include <unistd.h>

#include "base/clock.h"
#include "host/groups.h"
#include "host/keeper_files.h"
#include "host/state.h"
#include "host/ticket_files.h"

#define TICKETS_INTERVAL_USEC (1 * USEC_PER_SEC)

int keeper_link_open(struct host *h)
{
    h->socket_fd = datagram_socket();
    return h->socket_fd < 0 ? h->socket_fd : 0;
}

void keeper_link_close(struct host *h)
{
    if (h->socket_fd >= 0)
        (void)close(h->socket_fd);
}

int host_write_ticket(struct host *h, const struct ticket *t)
{
    struct watched_group *g = group_find(h, t->group);

    if (g)
        g->view.stops_term = t->term;
    return ticket_publish(TENURE_TICKETS_DIR, t);
}

const char *host_ticket_problem(struct host *h)
{
    usec_t now = clock_boottime();

    if (h->tickets_at == 0 || usec_sub(now, h->tickets_at) >= TICKETS_INTERVAL_USEC) {
        h->tickets_at = now;
        (void)tickets_try(TENURE_TICKETS_DIR, h->tickets_text);
    }
    return h->tickets_text;
}

int host_unlink_ticket(struct host *h, const char *group)
{
    (void)h;
    return ticket_withdraw(TENURE_TICKETS_DIR, group);
}

int host_clear_tickets(void)
{
    return tickets_clear(TENURE_TICKETS_DIR);
}

static int send_to_keeper(const struct host *h, enum keeper_verb verb, const struct ticket *t)
{
    struct keeper_message message = {
        .magic = keeper_message_magic(t->version),
        .verb = verb,
        .term = t->term,
        .deadline = t->deadline,
        .lease = t->lease,
        .duration = t->duration,
    };

    return datagram_send(h->socket_fd, TENURE_GROUPS_DIR, t->group, &message,
                         keeper_message_size(t->version));
}

int host_extend_keeper(struct host *h, const struct ticket *t)
{
    return send_to_keeper(h, KEEPER_EXTEND, t);
}

int host_end_keeper(struct host *h, const struct ticket *t)
{
    return send_to_keeper(h, KEEPER_END, t);
}
