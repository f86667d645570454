/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/drain.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/configure.h"
#include "daemon/confirm.h"
#include "daemon/group.h"
#include "daemon/group_units.h"

/* How many groups that have not ended in time are logged by name. */
#define UNSETTLED_LOGGED_MAX 10u

static bool concerned(const struct daemon *d, const struct group *g)
{
    return d->drain == DRAIN_STOP || g->retired;
}

/* All is dead, and the arbiter has been out of reach for so long that the release is not waited
 * for: the lease expires. */
static bool dead_long_enough(const struct member *m, usec_t now)
{
    return m->state == MEMBER_RELEASING && !m->in_flight &&
           now >= usec_add(m->since, RELEASE_WAIT_USEC);
}

/* NULL: all groups that the drain is about have stepped down. */
static const struct group *in_the_way(const struct daemon *d, usec_t now)
{
    for (size_t i = 0; i < d->n_groups; i++) {
        const struct member *m = &d->groups[i]->member;

        if (concerned(d, d->groups[i]) && !member_settled(m) && !dead_long_enough(m, now))
            return d->groups[i];
    }
    return NULL;
}

/* S + K of the slowest, and room for PID 1 and the arbiter. */
static usec_t bound(const struct daemon *d)
{
    usec_t slowest = 0;

    for (size_t i = 0; i < d->n_groups; i++) {
        const struct group *g = d->groups[i];
        const struct budget *b = &g->config->budget;

        if (!concerned(d, g))
            continue;
        slowest = usec_max(slowest, usec_add(b->stop, b->kill));
        slowest =
            usec_max(slowest, usec_add(g->member.term.stop, cover_kill(&g->member.term.cover)));
    }
    return usec_add(slowest, STEP_DOWN_EXTRA_USEC);
}

static void begin(struct daemon *d, enum drain drain, struct api_call *call)
{
    confirm_abandon(d, "the configuration changes meanwhile, or the agent ends");
    d->drain = drain;
    d->call = call;
    d->drain_until = usec_add(clock_boottime(), bound(d));
    daemon_wake(d);
}

static bool refused(const struct daemon *d, struct api_call *call)
{
    if (d->drain == DRAIN_NONE)
        return false;
    api_call_failed(call, API_ERROR_BUSY,
                    d->drain == DRAIN_STOP ? "tenured is being stopped"
                                           : "another Reload or Retire is under way");
    return true;
}

void drain_retire(struct daemon *d, struct api_call *call, const char *const *groups, size_t n)
{
    if (refused(d, call))
        return;
    for (size_t i = 0; i < n; i++) {
        struct group *g = daemon_group(d, groups[i]);

        if (!g)
            continue; /* this node cannot lead it */
        g->retired = true;
        group_event(g, EVENT_STOP);
    }
    begin(d, DRAIN_RETIRE, call);
}

/* sd_notify(3): MONOTONIC_USEC= tells PID 1 which reload this is. */
static void notify_reloading(struct daemon *d)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) == 0)
        notify_queue_send(&d->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                          (usec_t)t.tv_sec * USEC_PER_SEC + (usec_t)t.tv_nsec / 1000);
}

void drain_reload(struct daemon *d, struct api_call *call)
{
    char text[REASON_MAX];

    if (refused(d, call))
        return;
    notify_reloading(d);
    if (configure_begin(d, text) < 0) {
        log_error("the applied configuration is not taken over: %s", text);
        notify_queue_send(&d->notify, "READY=1");
        api_call_failed(call, API_ERROR_BAD_CONFIGURATION, text);
        return;
    }
    begin(d, DRAIN_RELOAD, call);
}

void drain_stop(struct daemon *d)
{
    if (d->drain == DRAIN_STOP)
        return;
    if (d->call)
        api_call_failed(d->call, API_ERROR_BUSY, "tenured is being stopped");
    log_notice("ending: this node steps down from what it leads, and gives it back");
    begin(d, DRAIN_STOP, NULL);
    /* PID 1 must wait longer than the slowest group takes, whatever TimeoutStopSec= says. */
    notify_queue_send(&d->notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                      usec_add(bound(d), RELEASE_WAIT_USEC));
    for (size_t i = 0; i < d->n_groups; i++)
        group_event(d->groups[i], EVENT_STOP);
}

static void end_drain(struct daemon *d, const char *error_name, const char *text)
{
    struct api_call *call = d->call;

    d->drain = DRAIN_NONE;
    d->call = NULL;
    if (error_name)
        api_call_failed(call, error_name, text);
    else
        api_call_done(call);
    daemon_wake(d);
}

static void too_late(const struct group *g, char text[static REASON_MAX])
{
    char left[REASON_MAX];

    describe_left(g, left);
    (void)snprintf(text, REASON_MAX, "group \"%s\" did not step down in time: %.*s",
                   g->config->name, REASON_MAX - 128,
                   left[0] ? left : member_state_name(g->member.state));
}

static void continue_retire(struct daemon *d, const struct group *obstacle, usec_t now)
{
    char text[REASON_MAX];

    if (!obstacle)
        end_drain(d, NULL, NULL);
    else if (now >= d->drain_until) {
        too_late(obstacle, text);
        end_drain(d, API_ERROR_BUSY, text);
    }
}

static void give_up_reload(struct daemon *d)
{
    d->next = config_free(d->next);
    for (size_t i = 0; i < d->n_groups; i++) {
        d->groups[i]->retired = false;
        group_event(d->groups[i], EVENT_RESUME);
    }
}

static void continue_reload(struct daemon *d, const struct group *obstacle, usec_t now)
{
    char text[REASON_MAX];

    if (obstacle && now < d->drain_until)
        return;
    if (obstacle) {
        too_late(obstacle, text);
        give_up_reload(d);
        end_drain(d, API_ERROR_BUSY, text);
    } else if (configure_finish(d, text) < 0) {
        log_error("%s", text);
        end_drain(d, API_ERROR_BAD_CONFIGURATION, text);
    } else {
        log_info("took over the applied configuration: %zu group%s", d->n_groups,
                 d->n_groups == 1 ? "" : "s");
        end_drain(d, NULL, NULL);
    }
    notify_queue_send(&d->notify, "READY=1");
}

/* Other nodes wait for the lease; or they do not, if it was no term that this ran in. */
static void log_unsettled(const struct group *g)
{
    char left[REASON_MAX];

    describe_left(g, left);
    if (!left[0])
        log_warning("ending although \"%s\" is still %s: others take over when its lease has run "
                    "out",
                    g->config->name, member_state_name(g->member.state));
    else
        log_line(LOG_ALERT,
                 "ending although group \"%s\" has not ended here: %s. Another host may lead it: "
                 "end it, or restart this host",
                 g->config->name, left);
}

static void log_all_unsettled(const struct daemon *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_groups; i++)
        if (!member_settled(&d->groups[i]->member) && n++ < UNSETTLED_LOGGED_MAX)
            log_unsettled(d->groups[i]);
    if (n > UNSETTLED_LOGGED_MAX)
        log_warning("and %zu groups more", n - UNSETTLED_LOGGED_MAX);
}

static void continue_stop(struct daemon *d, const struct group *obstacle, usec_t now)
{
    if (obstacle && now < d->drain_until)
        return;
    log_all_unsettled(d);
    (void)sd_event_exit(d->event, 0);
}

usec_t drain_due(const struct daemon *d)
{
    usec_t due = d->drain_until, now = clock_boottime();

    if (d->drain == DRAIN_NONE)
        return USEC_INFINITY;
    for (size_t i = 0; i < d->n_groups; i++) {
        const struct member *m = &d->groups[i]->member;

        usec_t enough = usec_add(m->since, RELEASE_WAIT_USEC);

        if (concerned(d, d->groups[i]) && m->state == MEMBER_RELEASING && enough > now)
            due = usec_min(due, enough);
    }
    return due;
}

void drain_continue(struct daemon *d, usec_t now)
{
    const struct group *obstacle;

    if (d->drain == DRAIN_NONE)
        return;
    obstacle = in_the_way(d, now);
    switch (d->drain) {
    case DRAIN_NONE:
        return;
    case DRAIN_RETIRE:
        continue_retire(d, obstacle, now);
        return;
    case DRAIN_RELOAD:
        continue_reload(d, obstacle, now);
        return;
    case DRAIN_STOP:
        continue_stop(d, obstacle, now);
        return;
    }
}
