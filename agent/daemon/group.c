/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/group.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/clock_rate.h"
#include "daemon/group_units.h"
#include "daemon/journal.h"
#include "daemon/messages.h"
#include "daemon/notes.h"

/* ---- life ---- */

int group_new(struct daemon *d, const struct config_group *config, struct group **ret)
{
    assert(d);
    assert(config);
    assert(ret);

    struct group *g = calloc(1, sizeof *g);

    if (!g)
        return -ENOMEM;
    g->daemon = d;
    g->config = config;
    g->units = calloc(config->n_units, sizeof *g->units);
    if (!g->units) {
        (void)group_free(g);
        return -ENOMEM;
    }
    member_init(&g->member, d->owner);
    /* What its first request is compared with. */
    rate_read(&d->clock);
    if (d->clock.sharp)
        (void)drift_judge(&g->drift, &d->clock.reading);
    int r = host_add_group(d->host, config->name, (const char *const *)config->units,
                           config->n_units, config->budget.stop);
    if (r < 0) {
        (void)group_free(g);
        return r;
    }
    (void)host_require_watchdog(d->host, config->name, config->watchdog);
    *ret = g;
    return 0;
}

struct group *group_free(struct group *g)
{
    if (!g)
        return NULL;
    free(g->units);
    free(g);
    return NULL;
}

/* ---- what the member wants done ---- */

void group_unlink_ticket(struct group *g)
{
    int r = host_unlink_ticket(g->daemon->host, g->config->name);

    if (r < 0 && !g->ticket_stuck)
        log_error("%s: cannot withdraw the ticket: %s; nothing is given back before that succeeds",
                  g->config->name, strerror(-r));
    g->ticket_stuck = r < 0;
    g->unlinked_at = clock_boottime();
}

/* Of the term that is held. */
static struct ticket ticket_of(const struct group *g)
{
    const struct member *m = &g->member;
    struct ticket t = {
        .version = m->term.cover.fixed ? TICKET_VERSION_FIXED : TICKET_VERSION,
        .term = m->term.number,
        .lease = m->term.cover.lease,
        .stop = m->term.stop,
        .duration = m->term.cover.duration,
        .deadline = m->term.deadline,
    };

    (void)snprintf(t.group, sizeof t.group, "%s", g->config->name);
    (void)snprintf(t.node, sizeof t.node, "%s", g->daemon->config->node);
    (void)snprintf(t.owner, sizeof t.owner, "%s", m->owner);
    return t;
}

static int hand_out_ticket(struct group *g)
{
    const struct ticket t = ticket_of(g);

    g->trouble[0] = '\0';
    int r = host_write_ticket(g->daemon->host, &t);
    if (r < 0) {
        (void)snprintf(g->trouble, sizeof g->trouble, "the ticket cannot be written to %s: %s",
                       TENURE_TICKETS_DIR, strerror(-r));
        return r;
    }
    r = host_start_keeper(g->daemon->host, g->config->name);
    if (r < 0)
        (void)snprintf(g->trouble, sizeof g->trouble, "PID 1 cannot be asked for it: %s",
                       strerror(-r));
    return r;
}

/* In the order in which the actions are numbered. Returns an error if there is no ticket, which is
 * another event. */
static int act(struct group *g, unsigned actions)
{
    struct host *h = g->daemon->host;
    const char *group = g->config->name;
    const struct ticket t = ticket_of(g);
    int r = 0;

    if (actions & ACTION_UNLINK) {
        group_unlink_ticket(g);
        host_end_term(h, group);
    }
    /* The poll that follows shows whether these reached the keeper; they are repeated. */
    if (actions & ACTION_END)
        (void)host_end_keeper(h, &t);
    if (actions & ACTION_STOP_KEEPER) {
        (void)host_stop_keeper(h, group);
        stray_stopped(&g->stray, clock_boottime());
    }
    if (actions & ACTION_TICKET)
        r = hand_out_ticket(g);
    /* A keeper that does not receive it ends in time. */
    if ((actions & ACTION_EXTEND) && host_extend_keeper(h, &t) < 0)
        actions |= ACTION_POLL;
    if (actions & ACTION_POLL)
        host_poll(h, group);
    return r;
}

/* Returns whether it is under way: for all groups, so it is logged once. */
static bool heal(const struct group *g)
{
    int r = host_heal(g->daemon->host);

    if (r > 0)
        log_info("restoring lost guards (tenure-reload.service)");
    return r >= 0;
}

static uint32_t random_number(void)
{
    uint32_t n;

    return getrandom(&n, sizeof n, GRND_NONBLOCK) == (ssize_t)sizeof n ? n : 0;
}

bool group_step(struct group *g, struct member_event *event, struct request *ret_request)
{
    assert(g);
    assert(event);
    assert(ret_request || event->type != EVENT_SEND);

    uint64_t term = g->member.term.number;
    struct update update;

    event->now = clock_boottime();
    event->random = random_number();
    member_step(&g->member, event, &update);
    g->changed = true;
    notes_write(g, update.note, term);
    int r = act(g, update.actions);
    daemon_wake(g->daemon);
    if (update.actions & ACTION_REQUEST) {
        assert(ret_request);
        *ret_request = update.request;
        ret_request->group = g->config->name;
        ret_request->method = g->config->method;
    }
    if (r < 0) {
        struct member_event failed = {.type = EVENT_STARTED, .error = r};

        (void)group_step(g, &failed, NULL);
    }
    if ((update.actions & ACTION_HEAL) && !heal(g)) {
        struct member_event unasked = {.type = EVENT_HEALED, .asked_at = event->now};

        (void)group_step(g, &unasked, NULL);
    }
    return (update.actions & ACTION_REQUEST) != 0;
}

void group_event(struct group *g, enum member_event_type type)
{
    struct member_event event = {.type = type};

    if (type == EVENT_RESUME)
        event.budget = &g->config->budget;
    (void)group_step(g, &event, NULL);
}

/* ---- what runs without a term ---- */

static void end_strays(struct group *g, usec_t now)
{
    struct journal_context c = {
        .message_id = MESSAGE_STRAY, .node = g->daemon->config->node, .group = g->config->name};
    char left[REASON_MAX];

    if (g->stray.asked == now) {
        g->stray_trouble[0] = '\0';
        describe_left(g, left);
        c.reason = left;
        journal_write(LOG_ALERT, &c,
                      "%s: what runs here without leadership has not ended by the stop of its "
                      "keeper (%s): ending it by name, with SIGKILL if need be",
                      c.group, left);
    }
    int r = host_end_strays(g->daemon->host, g->config->name);
    if (r < 0 && r != -EALREADY)
        stray_refused(&g->stray, now);
}

void group_judge_strays(struct group *g)
{
    struct journal_context c = {
        .message_id = MESSAGE_STRAY, .node = g->daemon->config->node, .group = g->config->name};
    usec_t now = clock_boottime();

    switch (stray_judge(&g->stray, &g->member, now)) {
    case STRAY_NONE:
        return;
    case STRAY_END:
        end_strays(g, now);
        return;
    case STRAY_GONE:
        journal_write(LOG_NOTICE, &c, "%s: nothing of it runs here without leadership any more",
                      c.group);
        return;
    }
}

usec_t group_strays_due(const struct group *g)
{
    usec_t due = stray_due(&g->stray);

    return due == g->stray_polled ? USEC_INFINITY : due; /* the poll is on its way */
}

void group_watch_strays(struct group *g, usec_t now)
{
    usec_t due = group_strays_due(g);

    if (due > now)
        return;
    g->stray_polled = due;
    host_poll(g->daemon->host, g->config->name);
}
