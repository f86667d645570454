/* SPDX-License-Identifier: Apache-2.0 */
#include "host/poll.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/bus_names.h"
#include "host/call.h"
#include "host/device.h"
#include "host/ended.h"
#include "host/groups.h"
#include "host/keeper_files.h"
#include "host/pace.h"
#include "host/proof.h"
#include "host/slice.h"
#include "host/state.h"

#define POLL_NAMES_MAX 512 /* in one ListUnitsByNames */
/* Signals can be lost (during daemon-reload, systemd#8803), so nothing is believed longer. */
#define POLL_INTERVAL_USEC (10 * USEC_PER_SEC)

/* ---- asking ---- */

static void stamp_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                           int error, const char *text)
{
    uint64_t stamp;

    (void)g;
    (void)text;
    /* Without an answer the old one counts; the poll that follows fails likewise. */
    if (error < 0 || sd_bus_message_read(reply, "v", "t", &stamp) < 0 || stamp == h->load_stamp)
        return;
    h->load_stamp = stamp;
    groups_new_generation(h);
}

static void watchdogs_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                               int error, const char *text)
{
    int on;

    (void)g;
    (void)text;
    if (error < 0 || sd_bus_message_read(reply, "v", "b", &on) < 0)
        return;
    h->watchdogs = on;
    h->watchdogs_known = true;
}

static void hardware_time_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                                   int error, const char *text)
{
    usec_t timeout;

    (void)g;
    (void)text;
    if (error == 0 && sd_bus_message_read(reply, "v", "t", &timeout) >= 0)
        h->hardware_timeout = timeout;
}

static void hardware_ping_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                                   int error, const char *text)
{
    usec_t ping;

    (void)g;
    (void)text;
    if (error < 0 || sd_bus_message_read(reply, "v", "t", &ping) < 0)
        return;
    h->hardware.timeout = h->hardware_timeout;
    h->hardware.device_timeout = watchdog_device_timeout(WATCHDOG_CLASS_DIR);
    h->hardware.state = watchdog_judge(h->hardware_timeout, ping, clock_monotonic());
}

static int ask_manager(struct host *h, const char *property, call_done done)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r = call_new(h, SYSTEMD_PATH, PROPERTIES_INTERFACE, "Get", &m);

    if (r < 0 || (r = sd_bus_message_append(m, "ss", SYSTEMD_MANAGER, property)) < 0)
        return r;
    return call_send(h, m, NULL, done);
}

static int append_names(sd_bus_message *m, const struct watched_group *g)
{
    int r = sd_bus_message_append(m, "s", g->keeper_unit);

    for (size_t i = 0; i < g->view.n_units && r >= 0; i++)
        r = sd_bus_message_append(m, "s", g->units[i].name);
    return r;
}

/* Takes the groups that wait into the poll, as many as fit, beginning with those that did not fit
 * last time. */
static int choose_groups(struct host *h, sd_bus_message *m)
{
    struct poll *p = &h->poll;
    size_t names = 0;

    p->n = 0;
    for (size_t i = 0; i < h->n_groups && p->n < POLL_GROUPS_MAX; i++) {
        size_t at = (h->poll_cursor + i) % h->n_groups;
        struct watched_group *g = h->groups[at];

        if (!g->poll_wanted || (g->poll_alone && p->n > 0))
            continue;
        if (names + 1 + g->view.n_units > POLL_NAMES_MAX) {
            h->poll_cursor = at;
            break;
        }
        int r = append_names(m, g);
        if (r < 0)
            return r;
        names += 1 + g->view.n_units;
        p->of[p->n].group = g;
        p->of[p->n++].n_units = g->view.n_units;
        if (g->poll_alone) {
            h->poll_cursor = at + 1;
            break;
        }
    }
    return 0;
}

static void poll_again_later(struct watched_group *g)
{
    g->poll_retry = backoff(g->poll_retry, POLL_RETRY_MIN_USEC, POLL_RETRY_MAX_USEC);
    g->poll_at = usec_add(clock_boottime(), g->poll_retry);
}

static void poll_failed(struct host *h, bool refused)
{
    struct poll *p = &h->poll;

    for (size_t i = 0; i < p->n; i++)
        if (p->of[i].group) {
            /* One name that PID 1 refuses spoils the whole answer. */
            p->of[i].group->poll_alone = refused && p->n > 1;
            poll_again_later(p->of[i].group);
        }
}

/* In the order in which PID 1 answers. */
static int ask_manager_for_all(struct host *h)
{
    int r = ask_manager(h, "UnitsLoadTimestampMonotonic", stamp_answered);

    if (r >= 0)
        r = ask_manager(h, "ServiceWatchdogs", watchdogs_answered);
    if (r < 0 || !groups_require_watchdog(h))
        return r;
    r = ask_manager(h, "RuntimeWatchdogUSec", hardware_time_answered);
    if (r >= 0)
        r = ask_manager(h, "WatchdogLastPingTimestampMonotonic", hardware_ping_answered);
    return r;
}

/* ---- answers ---- */

/* One row of ListUnitsByNames. */
struct row {
    const char *name, *active, *sub, *job_type;
    uint32_t job;
};

static int read_row(sd_bus_message *m, struct row *ret)
{
    int r = sd_bus_message_read(m, "(ssssssouso)", &ret->name, NULL, NULL, &ret->active, &ret->sub,
                                NULL, NULL, &ret->job, &ret->job_type, NULL);
    return r < 0 ? r : r == 0 ? -EBADMSG : 0;
}

static void take_row(struct watched *w, const struct row *row)
{
    struct unit_view *v = w->view;

    bool term_is_over = v == &w->group->keeper && state_is_dead(row->active);
    bool doubtful = *w->group->check_problem || *w->group->view.doubt;

    /* This may have corrected a fault; and a unit that was killed may be unable to start again. */
    if (strcmp(v->active_state, row->active) != 0 && (doubtful || term_is_over))
        w->group->check_at = 0;
    (void)snprintf(v->active_state, sizeof v->active_state, "%s", row->active);
    (void)snprintf(v->sub_state, sizeof v->sub_state, "%s", row->sub);
    v->dead = row->job == 0 && state_is_dead(row->active);
    v->stays = !state_is_dead(row->active) && strcmp(row->active, "deactivating") != 0 &&
               !(row->job != 0 && strcmp(row->job_type, "stop") == 0);
    w->job = row->job;
    if (v == &w->group->keeper)
        w->group->view.keeper_stopped = strcmp(row->active, "inactive") == 0 ||
                                        (row->job != 0 && (strcmp(row->job_type, "stop") == 0 ||
                                                           strcmp(row->job_type, "restart") == 0));
    if (!v->dead)
        ended_stirred(w);
    if (!state_is_dead(row->active) && w != w->group->watched)
        proof_seen_up(w->group, (size_t)(w - w->group->watched) - 1);
}

static enum keeper_presence presence(const struct watched *keeper)
{
    if (keeper->view->dead)
        return KEEPER_GONE;
    return strcmp(keeper->view->active_state, "active") == 0 && keeper->job == 0 ? KEEPER_ACTIVE
                                                                                 : KEEPER_BUSY;
}

/* Returns what state_load() does. */
static int read_keeper(struct watched_group *g)
{
    struct host_state *s = &g->view.state;
    struct ticket t = {0};
    int r = s->keeper == KEEPER_GONE ? -ENOENT : state_load(TENURE_GROUPS_DIR, g->name, &t);

    (void)snprintf(g->view.keeper_owner, sizeof g->view.keeper_owner, "%s", t.owner);
    s->keeper_term = t.term;
    s->keeper_fixed = r == 0 && t.version == TICKET_VERSION_FIXED;
    s->keeper_lease = t.lease;
    s->keeper_stop = t.stop;
    s->keeper_duration = t.duration;
    s->keeper_deadline = t.deadline;
    return r;
}

/* What PID 1 does not know: the files, read after its answer. */
static void complete_view(struct host *h, struct watched_group *g)
{
    struct group_view *v = &g->view;
    struct host_state *s = &v->state;

    s->asked_at = h->poll.asked_at;
    s->keeper = presence(&g->watched[0]);
    s->keeper_queued = g->watched[0].job != 0 && state_is_dead(g->keeper.active_state);
    s->units_dead = true;
    s->units_stay = false;
    for (size_t i = 0; i < v->n_units; i++) {
        s->units_dead = s->units_dead && v->units[i].dead;
        s->units_stay = s->units_stay || v->units[i].stays;
    }
    int r = read_keeper(g);
    /* A keeper removes its state when it ends; one that cannot be read says nothing about it. */
    if (r < 0 && r != -ENOENT)
        s->keeper = KEEPER_UNKNOWN;
    /* A slice that cannot be read is not known to be empty. While a unit is not dead an empty
     * cgroup may be that of a process to come: a start, or ExecStopPost=. */
    if (slice_read(TENURE_CGROUP_ROOT, g->name, !s->units_dead, &s->slice_empty) < 0)
        s->slice_empty = false;
    proof_polled(h, g);
}

/* No signal says that the last cgroup is gone, or that the state file is there: poll again soon
 * while that is missing. */
static void plan_next_poll(struct watched_group *g)
{
    const struct group_view *v = &g->view;
    bool settled = v->state.keeper == KEEPER_GONE
                       ? v->state.units_dead && v->state.slice_empty
                       : v->state.keeper == KEEPER_ACTIVE && v->state.keeper_term > 0;

    if (settled) {
        g->poll_retry = 0;
        g->poll_at =
            usec_add(v->state.asked_at,
                     v->state.keeper == KEEPER_GONE ? POLL_GONE_INTERVAL_USEC : POLL_INTERVAL_USEC);
    } else
        poll_again_later(g);
}

/* Reads the rows of one group; g is NULL when it was removed since. */
static int read_group(struct host *h, sd_bus_message *m, struct watched_group *g, size_t n_units)
{
    for (size_t i = 0; i <= n_units; i++) {
        struct row row;
        int r = read_row(m, &row);

        if (r < 0)
            return r;
        if (!g)
            continue;
        /* PID 1 leaves names that are no unit names out of its answer: notice the shift. (For units
         * the answer may have another alias.) */
        if (i == 0 && strcmp(row.name, g->keeper_unit) != 0)
            return -EBADMSG;
        take_row(&g->watched[i], &row);
    }
    if (g)
        complete_view(h, g);
    return 0;
}

static void poll_answered(struct host *h, struct watched_group *unused, sd_bus_message *reply,
                          int error, const char *text)
{
    struct poll *p = &h->poll;
    size_t i = 0;

    (void)unused;
    (void)text;
    p->in_flight = false;
    if (error == 0 && sd_bus_message_enter_container(reply, 'a', "(ssssssouso)") < 0)
        error = -EBADMSG;
    for (; error == 0 && i < p->n; i++) {
        error = read_group(h, reply, p->of[i].group, p->of[i].n_units);
        if (error < 0)
            break;
        struct watched_group *g = p->of[i].group;
        if (!g)
            continue;
        g->poll_alone = false;
        plan_next_poll(g);
        group_judge(h, g);
        group_report(h, g);
    }
    if (i < p->n) {
        /* The groups before that one were answered. */
        for (size_t k = 0; k < i; k++)
            p->of[k].group = NULL;
        poll_failed(h, error != -ETIMEDOUT && error != -ECONNRESET);
    }
}

void poll_ask(struct host *h, usec_t now)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    struct poll *p = &h->poll;

    (void)now;
    if (p->in_flight || calls_free(h) < POLL_CALLS)
        return;
    int r = call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByNames", &m);
    if (r < 0 || (r = sd_bus_message_open_container(m, 'a', "s")) < 0 ||
        (r = choose_groups(h, m)) < 0 || p->n == 0 || (r = sd_bus_message_close_container(m)) < 0) {
        if (r < 0)
            poll_failed(h, false);
        return;
    }
    for (size_t i = 0; i < p->n; i++) {
        p->of[i].group->poll_wanted = false;
        p->of[i].group->poll_at = USEC_INFINITY;
    }
    p->asked_at = clock_boottime();
    /* PID 1 answers in this order, so what is known of the guards is not older than the poll. */
    if (ask_manager_for_all(h) < 0 || call_send(h, m, NULL, poll_answered) < 0) {
        poll_failed(h, false);
        return;
    }
    p->in_flight = true;
}

void poll_forget_group(struct host *h, const struct watched_group *g)
{
    struct poll *p = &h->poll;

    for (size_t i = 0; i < p->n; i++)
        if (p->of[i].group == g)
            p->of[i].group = NULL;
}
