/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"

/* Of those that have not ended when time is up, so many are named. */
#define UNSETTLED_LOGGED_MAX 10u

static bool concerned(const struct daemon *d, const struct seat *s)
{
    return d->errand == ERRAND_STOP || s->retired;
}

/* All is dead, and the arbiter has not heard of it for so long that it need not be waited for: its
 * lease runs out. */
static bool dead_long_enough(const struct member *m, usec_t now)
{
    return m->state == MEMBER_RELEASING && !m->in_flight &&
           now >= usec_add(m->since, RELEASE_WAIT_USEC);
}

/* NULL: all that the errand is about are led down. */
static const struct seat *in_the_way(const struct daemon *d, usec_t now)
{
    for (size_t i = 0; i < d->n_seats; i++) {
        const struct member *m = &d->seats[i]->member;

        if (concerned(d, d->seats[i]) && !member_settled(m) && !dead_long_enough(m, now))
            return d->seats[i];
    }
    return NULL;
}

/* S + K of the slowest, and room for PID 1 and the arbiter. */
static usec_t bound(const struct daemon *d)
{
    usec_t slowest = 0;

    for (size_t i = 0; i < d->n_seats; i++) {
        const struct seat *s = d->seats[i];
        const struct budget *b = &s->group->budget;

        if (!concerned(d, s))
            continue;
        slowest = usec_max(slowest, usec_add(b->stop, b->kill));
        slowest = usec_max(slowest, usec_add(s->member.stop, cover_kill(&s->member.cover)));
    }
    return usec_add(slowest, LEAD_DOWN_EXTRA_USEC);
}

static void begin(struct daemon *d, enum errand errand, struct api_call *call)
{
    confirm_abandon(d, "the configuration changes meanwhile, or the agent ends");
    d->errand = errand;
    d->call = call;
    d->errand_until = usec_add(clock_boottime(), bound(d));
    daemon_wake(d);
}

static bool refused(const struct daemon *d, struct api_call *call)
{
    if (d->errand == ERRAND_NONE)
        return false;
    api_call_failed(call, API_ERROR_BUSY,
                    d->errand == ERRAND_STOP ? "tenured is being stopped"
                                             : "another Reload or Retire is under way");
    return true;
}

void errand_retire(struct daemon *d, struct api_call *call, const char *const *groups, size_t n)
{
    if (refused(d, call))
        return;
    for (size_t i = 0; i < n; i++) {
        struct seat *s = daemon_seat(d, groups[i]);

        if (!s)
            continue; /* nothing of it can be led here */
        s->retired = true;
        seat_event(s, EVENT_STOP);
    }
    begin(d, ERRAND_RETIRE, call);
}

/* sd_notify(3): MONOTONIC_USEC= tells PID 1 which reload this is. */
static void tell_reloading(struct daemon *d)
{
    struct timespec t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) == 0)
        pid1_tell(&d->pid1, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                  (usec_t)t.tv_sec * USEC_PER_SEC + (usec_t)t.tv_nsec / 1000);
}

void errand_reload(struct daemon *d, struct api_call *call)
{
    char text[REASON_MAX];

    if (refused(d, call))
        return;
    tell_reloading(d);
    if (configure_begin(d, text) < 0) {
        log_error("the applied configuration is not taken over: %s", text);
        pid1_tell(&d->pid1, "READY=1");
        api_call_failed(call, API_ERROR_BAD_CONFIGURATION, text);
        return;
    }
    begin(d, ERRAND_RELOAD, call);
}

void errand_stop(struct daemon *d)
{
    if (d->errand == ERRAND_STOP)
        return;
    if (d->call)
        api_call_failed(d->call, API_ERROR_BUSY, "tenured is being stopped");
    log_notice("ending: what this node leads is led down and given back");
    begin(d, ERRAND_STOP, NULL);
    /* PID 1's patience must outlast the slowest group's, whatever TimeoutStopSec= says. */
    pid1_tell(&d->pid1, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
              usec_add(bound(d), RELEASE_WAIT_USEC));
    for (size_t i = 0; i < d->n_seats; i++)
        seat_event(d->seats[i], EVENT_STOP);
}

static void end_errand(struct daemon *d, const char *error_name, const char *text)
{
    struct api_call *call = d->call;

    d->errand = ERRAND_NONE;
    d->call = NULL;
    if (error_name)
        api_call_failed(call, error_name, text);
    else
        api_call_done(call);
    daemon_wake(d);
}

static void too_late(const struct seat *s, char text[static REASON_MAX])
{
    char left[REASON_MAX];

    describe_left(s, left);
    (void)snprintf(text, REASON_MAX, "group \"%s\" is not led down in time: %.*s", s->group->name,
                   REASON_MAX - 128, left[0] ? left : member_state_name(s->member.state));
}

static void continue_retire(struct daemon *d, const struct seat *obstacle, usec_t now)
{
    char text[REASON_MAX];

    if (!obstacle)
        end_errand(d, NULL, NULL);
    else if (now >= d->errand_until) {
        too_late(obstacle, text);
        end_errand(d, API_ERROR_BUSY, text);
    }
}

static void give_up_reload(struct daemon *d)
{
    d->next = config_free(d->next);
    for (size_t i = 0; i < d->n_seats; i++) {
        d->seats[i]->retired = false;
        seat_event(d->seats[i], EVENT_RESUME);
    }
}

static void continue_reload(struct daemon *d, const struct seat *obstacle, usec_t now)
{
    char text[REASON_MAX];

    if (obstacle && now < d->errand_until)
        return;
    if (obstacle) {
        too_late(obstacle, text);
        give_up_reload(d);
        end_errand(d, API_ERROR_BUSY, text);
    } else if (configure_finish(d, text) < 0) {
        log_error("%s", text);
        end_errand(d, API_ERROR_BAD_CONFIGURATION, text);
    } else {
        log_info("took over the applied configuration: %zu group%s", d->n_seats,
                 d->n_seats == 1 ? "" : "s");
        end_errand(d, NULL, NULL);
    }
    pid1_tell(&d->pid1, "READY=1");
}

/* Others wait for a lease, or they do not, when it was no term that this ran in. */
static void log_unsettled(const struct seat *s)
{
    char left[REASON_MAX];

    describe_left(s, left);
    if (!left[0])
        log_warning("ending although \"%s\" is still %s: others take over when its lease has run "
                    "out",
                    s->group->name, member_state_name(s->member.state));
    else
        log_line(LOG_ALERT,
                 "ending although group \"%s\" has not ended here: %s. Another host may lead it: "
                 "end it, or restart this host",
                 s->group->name, left);
}

static void log_all_unsettled(const struct daemon *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_seats; i++)
        if (!member_settled(&d->seats[i]->member) && n++ < UNSETTLED_LOGGED_MAX)
            log_unsettled(d->seats[i]);
    if (n > UNSETTLED_LOGGED_MAX)
        log_warning("and %zu groups more", n - UNSETTLED_LOGGED_MAX);
}

static void continue_stop(struct daemon *d, const struct seat *obstacle, usec_t now)
{
    if (obstacle && now < d->errand_until)
        return;
    log_all_unsettled(d);
    (void)sd_event_exit(d->event, 0);
}

usec_t errand_due(const struct daemon *d)
{
    usec_t due = d->errand_until, now = clock_boottime();

    if (d->errand == ERRAND_NONE)
        return USEC_INFINITY;
    for (size_t i = 0; i < d->n_seats; i++) {
        const struct member *m = &d->seats[i]->member;

        usec_t enough = usec_add(m->since, RELEASE_WAIT_USEC);

        if (concerned(d, d->seats[i]) && m->state == MEMBER_RELEASING && enough > now)
            due = usec_min(due, enough);
    }
    return due;
}

void errand_continue(struct daemon *d, usec_t now)
{
    const struct seat *obstacle;

    if (d->errand == ERRAND_NONE)
        return;
    obstacle = in_the_way(d, now);
    switch (d->errand) {
    case ERRAND_NONE:
        return;
    case ERRAND_RETIRE:
        continue_retire(d, obstacle, now);
        return;
    case ERRAND_RELOAD:
        continue_reload(d, obstacle, now);
        return;
    case ERRAND_STOP:
        continue_stop(d, obstacle, now);
        return;
    }
}
