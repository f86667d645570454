/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host_events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/group.h"

/* What PID 1 said, as this node has to take it. */
static struct host_state host_state_of(const struct group *g, const struct group_view *v)
{
    struct host_state state = v->state;

    state.keeper_ours = state.keeper_term > 0 && strcmp(v->keeper_owner, g->member.owner) == 0;
    /* A node that can start no keeper leaves the group to others. */
    state.guarded = state.guarded && !*host_ticket_problem(g->daemon->host);
    /* An answer that was asked for while a ticket was there proves nothing. */
    if (g->ticket_stuck || state.asked_at <= g->unlinked_at)
        state.keeper = KEEPER_UNKNOWN;
    return state;
}

void host_events_polled(void *userdata, const char *group)
{
    struct daemon *d = userdata;
    struct group *g = daemon_group(d, group);
    const struct group_view *v = host_view(d->host, group);
    struct host_state state;
    struct member_event event = {.type = EVENT_HOST, .host = &state};

    if (!g || !v)
        return;
    if (g->ticket_stuck) {
        group_unlink_ticket(g);
        if (!g->ticket_stuck)
            host_poll(d->host, group);
    }
    if (v->state.asked_at == 0)
        return; /* the guards were checked, PID 1 has not answered yet */
    state = host_state_of(g, v);
    (void)group_step(g, &event, NULL);
    group_judge_strays(g);
}

void host_events_start_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *g = daemon_group(userdata, group);
    struct member_event event = {.type = EVENT_STARTED, .error = error};

    if (!g)
        return;
    if (error < 0)
        (void)snprintf(g->trouble, sizeof g->trouble, "its keeper was not started: %s", text);
    (void)group_step(g, &event, NULL);
}

void host_events_stop_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *g = daemon_group(userdata, group);

    /* Asked again and again, logged once. */
    if (!g || error >= 0 || strcmp(g->stop_trouble, text) == 0)
        return;
    (void)snprintf(g->stop_trouble, sizeof g->stop_trouble, "%s", text);
    log_warning("%s: PID 1 did not stop the keeper: %s", group, text);
}

void host_events_strays_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *g = daemon_group(userdata, group);

    if (!g || error >= 0)
        return;
    stray_refused(&g->stray, clock_boottime());
    if (strcmp(g->stray_trouble, text) == 0)
        return;
    (void)snprintf(g->stray_trouble, sizeof g->stray_trouble, "%s", text);
    log_error("%s: what runs here without leadership cannot be ended by name: PID 1 did not start "
              "tenure-stop@: %s",
              group, text);
}

/* The reason why heals fail is logged once, until one succeeds. */
static void log_healed(struct daemon *d, int error, const char *text)
{
    if (error == -EAGAIN)
        return; /* an apply writes all of them itself */
    if (error < 0 && strcmp(d->heal_logged, text) != 0)
        log_warning("lost guards could not be restored: %s", text);
    (void)snprintf(d->heal_logged, sizeof d->heal_logged, "%s", text);
}

void host_events_healed(void *userdata, usec_t asked_at, int error, const char *text)
{
    struct daemon *d = userdata;
    bool answered = error != -ETIMEDOUT && error != -ECONNRESET && error != -EAGAIN;

    log_healed(d, error, text);
    for (size_t i = 0; i < d->n_groups; i++) {
        struct member_event event = {
            .type = EVENT_HEALED, .asked_at = asked_at, .answered = answered};

        (void)group_step(d->groups[i], &event, NULL);
    }
}
