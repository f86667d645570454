/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

/* ---- life ---- */

int group_new(struct daemon *d, const struct config_group *group, struct group **ret)
{
    assert(d);
    assert(group);
    assert(ret);

    struct group *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->daemon = d;
    s->group = group;
    s->units = calloc(group->n_units, sizeof *s->units);
    if (!s->units)
        return free(s), -ENOMEM;
    member_init(&s->member, d->owner);
    /* What its first request is compared with. */
    rate_read(&d->clock);
    if (d->clock.sharp)
        (void)drift_judge(&s->drift, &d->clock.reading);
    int r = host_add_group(d->host, group->name, (const char *const *)group->units, group->n_units,
                           group->budget.stop);
    if (r < 0) {
        free(s->units);
        free(s);
        return r;
    }
    (void)host_require_watchdog(d->host, group->name, group->watchdog);
    *ret = s;
    return 0;
}

struct group *group_free(struct group *s)
{
    if (!s)
        return NULL;
    free(s->units);
    free(s);
    return NULL;
}

struct group *daemon_group(const struct daemon *d, const char *group)
{
    size_t low = 0, high = d->n_groups;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(d->groups[middle]->group->name, group);

        if (c == 0)
            return d->groups[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- what happened, for the journal ---- */

static bool is_of_guards(enum member_reason reason)
{
    return reason == REASON_UNGUARDED || reason == REASON_OUTSIDE;
}

/* Not by the agent; and not that it failed or was killed. One that has removed its state ends in an
 * orderly way, also where PID 1 was asked a moment before. */
static bool stopped_by_hand(const struct group *s)
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);

    return s->member.reason == REASON_KEEPER_LOST && v &&
           (v->keeper_stopped || (v->keeper == KEEPER_ACTIVE && !v->has_state));
}

static void reason_of(const struct group *s, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);
    enum member_reason reason = s->member.reason;

    if (stopped_by_hand(s))
        (void)snprintf(ret, REASON_MAX, "its keeper was stopped, by systemctl stop or a shutdown");
    else if (reason == REASON_START_FAILED && s->trouble[0])
        (void)snprintf(ret, REASON_MAX, "%s", s->trouble);
    else if (is_of_guards(reason) && v)
        (void)snprintf(ret, REASON_MAX, "%s: %s", member_reason_text(reason), v->problem);
    else
        (void)snprintf(ret, REASON_MAX, "%s", member_reason_text(reason));
}

/* Told to, as it goes, or a host that nobody should trust, or that is there twice. */
static int ending_priority(const struct group *s)
{
    enum member_reason reason = s->member.reason;

    if (reason == REASON_PAUSED || reason == REASON_COPY || is_of_guards(reason))
        return LOG_ALERT;
    return reason == REASON_STOPPED || stopped_by_hand(s) ? LOG_NOTICE : LOG_WARNING;
}

/* Of which unit's stop. */
static const char *what_is_left(const struct group *s)
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);

    return v && v->stops == STOPS_LEFT ? v->left : "Not all of its stops are proven.";
}

/* term: before the step, in which a finished one is forgotten. */
static void write_note(struct group *s, enum member_note note, uint64_t term)
{
    struct journal_context c = {.node = s->daemon->config->node, .group = s->group->name};
    char reason[REASON_MAX];

    c.term = s->member.term.number > 0 ? s->member.term.number : term;
    switch (note) {
    case NOTE_NONE:
        return;
    case NOTE_STARTING:
        c.message_id = MESSAGE_STARTING;
        journal_write(LOG_INFO, &c, "%s: claimed, term %" PRIu64 "; starting its keeper", c.group,
                      c.term);
        return;
    case NOTE_LEADING:
        c.message_id = MESSAGE_LEADING;
        journal_write(LOG_NOTICE, &c, "%s: this node leads, term %" PRIu64, c.group, c.term);
        return;
    case NOTE_ADOPTED:
        c.message_id = MESSAGE_ADOPTED;
        journal_write(LOG_NOTICE, &c,
                      "%s: this node leads on, term %" PRIu64
                      ": a live keeper of it was found and adopted",
                      c.group, c.term);
        return;
    case NOTE_ENDING:
        s->stop_trouble[0] = '\0';
        c.message_id = MESSAGE_ENDING;
        reason_of(s, reason);
        c.reason = reason;
        journal_write(ending_priority(s), &c, "%s: giving up term %" PRIu64 ": %s", c.group, c.term,
                      c.reason);
        return;
    case NOTE_DEAD:
        c.message_id = MESSAGE_DEAD;
        journal_write(LOG_INFO, &c, "%s: all units are dead; giving term %" PRIu64 " back", c.group,
                      c.term);
        return;
    case NOTE_RELEASED:
        c.message_id = MESSAGE_RELEASED;
        journal_write(LOG_NOTICE, &c, "%s: term %" PRIu64 " is given back", c.group, c.term);
        return;
    case NOTE_LEFT:
        c.message_id = MESSAGE_LEFT;
        c.reason = what_is_left(s);
        journal_write(LOG_WARNING, &c,
                      "%s: all units are dead, but it is not proven that nothing of term %" PRIu64
                      " is left here: it is not given back, its lease runs out",
                      c.group, c.term);
        return;
    case NOTE_LOST:
        c.message_id = MESSAGE_LOST;
        journal_write(LOG_NOTICE, &c,
                      "%s: all units are dead; term %" PRIu64
                      " is not this node's any more, so there is nothing to give back",
                      c.group, c.term);
        return;
    case NOTE_STRAY:
        c.message_id = MESSAGE_STRAY;
        journal_write(LOG_ALERT, &c,
                      "%s: units or processes of it run here although this node does not lead it: "
                      "stopping them",
                      c.group);
        return;
    case NOTE_NAMESAKE:
        c.message_id = MESSAGE_NAMESAKE;
        journal_write(LOG_ALERT, &c,
                      "%s: another running host is configured with the node name \"%s\" as well: "
                      "give each host a name of its own",
                      c.group, c.node);
        return;
    case NOTE_COPY:
        c.message_id = MESSAGE_COPY;
        journal_write(LOG_ALERT, &c,
                      "%s: a copy of this host runs: somebody else renews term %" PRIu64
                      " under this very node's name and instance: shut one of both down",
                      c.group, c.term);
        return;
    case NOTE_STEP:
        c.message_id = MESSAGE_STEP;
        journal_write(LOG_ALERT, &c,
                      "%s: the database's clock is ahead of what this host's own can explain by "
                      "more than a takeover takes, and the lease is still ours: that clock was "
                      "stepped, or this host stood still and nobody was there to take over",
                      c.group);
        return;
    }
}

/* ---- what the member wants done ---- */

static void unlink_ticket(struct group *s)
{
    int r = host_unlink_ticket(s->daemon->host, s->group->name);

    if (r < 0 && !s->ticket_stuck)
        log_error("%s: cannot withdraw the ticket: %s; nothing is given back before that succeeds",
                  s->group->name, strerror(-r));
    s->ticket_stuck = r < 0;
    s->unlinked_at = clock_boottime();
}

/* Of the term that is held. */
static struct ticket ticket_of(const struct group *s)
{
    const struct member *m = &s->member;
    struct ticket t = {
        .version = m->term.cover.fixed ? TICKET_VERSION_FIXED : TICKET_VERSION,
        .term = m->term.number,
        .lease = m->term.cover.lease,
        .stop = m->term.stop,
        .duration = m->term.cover.duration,
        .deadline = m->term.deadline,
    };

    (void)snprintf(t.group, sizeof t.group, "%s", s->group->name);
    (void)snprintf(t.node, sizeof t.node, "%s", s->daemon->config->node);
    (void)snprintf(t.owner, sizeof t.owner, "%s", m->owner);
    return t;
}

static int hand_out_ticket(struct group *s)
{
    const struct ticket t = ticket_of(s);

    s->trouble[0] = '\0';
    int r = host_write_ticket(s->daemon->host, &t);
    if (r < 0) {
        (void)snprintf(s->trouble, sizeof s->trouble, "the ticket cannot be written to %s: %s",
                       TENURE_TICKETS_DIR, strerror(-r));
        return r;
    }
    r = host_start_keeper(s->daemon->host, s->group->name);
    if (r < 0)
        (void)snprintf(s->trouble, sizeof s->trouble, "PID 1 cannot be asked for it: %s",
                       strerror(-r));
    return r;
}

/* In the order that the actions are numbered in; the ticket's fate may be another event. */
static int act(struct group *s, unsigned actions)
{
    struct host *h = s->daemon->host;
    const char *group = s->group->name;
    const struct ticket t = ticket_of(s);
    int r = 0;

    if (actions & ACTION_UNLINK) {
        unlink_ticket(s);
        host_end_term(h, group);
    }
    /* Whether these reach anybody is seen by the look that follows, and they are repeated. */
    if (actions & ACTION_END)
        (void)host_end_keeper(h, &t);
    if (actions & ACTION_STOP_KEEPER) {
        (void)host_stop_keeper(h, group);
        stray_stopped(&s->stray, clock_boottime());
    }
    if (actions & ACTION_TICKET)
        r = hand_out_ticket(s);
    /* A keeper that does not get it ends in time. */
    if ((actions & ACTION_EXTEND) && host_extend_keeper(h, &t) < 0)
        actions |= ACTION_POLL;
    if (actions & ACTION_POLL)
        host_poll(h, group);
    return r;
}

/* Returns whether it is under way: for all groups, so it is said once. */
static bool heal(const struct group *s)
{
    int r = host_heal(s->daemon->host);

    if (r > 0)
        log_info("restoring lost guards (tenure-reload.service)");
    return r >= 0;
}

static uint32_t random_number(void)
{
    uint32_t n;

    return getrandom(&n, sizeof n, GRND_NONBLOCK) == (ssize_t)sizeof n ? n : 0;
}

bool group_step(struct group *s, struct member_event *event, struct request *ret_request)
{
    assert(s);
    assert(event);
    assert(ret_request || event->type != EVENT_SEND);

    uint64_t term = s->member.term.number;
    struct update update;

    event->now = clock_boottime();
    event->random = random_number();
    member_step(&s->member, event, &update);
    write_note(s, update.note, term);
    int r = act(s, update.actions);
    daemon_wake(s->daemon);
    if (update.actions & ACTION_REQUEST) {
        assert(ret_request);
        *ret_request = update.request;
        ret_request->group = s->group->name;
        ret_request->method = s->group->method;
    }
    if (r < 0) {
        struct member_event failed = {.type = EVENT_STARTED, .error = r};

        (void)group_step(s, &failed, NULL);
    }
    if ((update.actions & ACTION_HEAL) && !heal(s)) {
        struct member_event unasked = {.type = EVENT_HEALED, .asked_at = event->now};

        (void)group_step(s, &unasked, NULL);
    }
    return (update.actions & ACTION_REQUEST) != 0;
}

void group_event(struct group *s, enum member_event_type type)
{
    struct member_event event = {.type = type};

    if (type == EVENT_RESUME)
        event.budget = &s->group->budget;
    (void)group_step(s, &event, NULL);
}

/* ---- what runs without a term ---- */

static void end_strays(struct group *s, usec_t now)
{
    struct journal_context c = {
        .message_id = MESSAGE_STRAY, .node = s->daemon->config->node, .group = s->group->name};
    char left[REASON_MAX];

    if (s->stray.asked == now) {
        s->stray_trouble[0] = '\0';
        describe_left(s, left);
        c.reason = left;
        journal_write(LOG_ALERT, &c,
                      "%s: what runs here without leadership has not ended by the stop of its "
                      "keeper (%s): ending it by name, with SIGKILL if need be",
                      c.group, left);
    }
    int r = host_end_strays(s->daemon->host, s->group->name);
    if (r < 0 && r != -EALREADY)
        stray_refused(&s->stray, now);
}

static void judge_strays(struct group *s)
{
    struct journal_context c = {
        .message_id = MESSAGE_STRAY, .node = s->daemon->config->node, .group = s->group->name};
    usec_t now = clock_boottime();

    switch (stray_judge(&s->stray, &s->member, now)) {
    case STRAY_NONE:
        return;
    case STRAY_END:
        end_strays(s, now);
        return;
    case STRAY_GONE:
        journal_write(LOG_NOTICE, &c, "%s: nothing of it runs here without leadership any more",
                      c.group);
        return;
    }
}

usec_t group_strays_due(const struct group *s)
{
    usec_t due = stray_due(&s->stray);

    return due == s->stray_looked ? USEC_INFINITY : due; /* the look is on its way */
}

void group_watch_strays(struct group *s, usec_t now)
{
    usec_t due = group_strays_due(s);

    if (due > now)
        return;
    s->stray_looked = due;
    host_poll(s->daemon->host, s->group->name);
}

/* ---- what systemd says ---- */

static enum keeper_presence presence(enum keeper_presence p)
{
    switch (p) {
    case KEEPER_UNKNOWN:
        return KEEPER_UNKNOWN;
    case KEEPER_GONE:
        return KEEPER_GONE;
    case KEEPER_BUSY:
        return KEEPER_BUSY;
    case KEEPER_ACTIVE:
        return KEEPER_ACTIVE;
    }
    return KEEPER_UNKNOWN;
}

static enum guards_state guards_state(enum guards_found g)
{
    switch (g) {
    case HOST_GUARDS_UNKNOWN:
        return GUARDS_UNKNOWN;
    case HOST_GUARDS_WHOLE:
        return GUARDS_WHOLE;
    case HOST_GUARDS_PART:
        return GUARDS_PART;
    case HOST_GUARDS_BARE:
        return GUARDS_BARE;
    }
    return GUARDS_UNKNOWN;
}

static void translate(const struct group *s, const struct group_view *v, struct host_state *ret)
{
    *ret = (struct host_state){
        .asked_at = v->asked_at,
        .keeper = presence(v->keeper),
        .keeper_queued = v->keeper_queued,
        .units_dead = v->units_dead,
        .units_stay = v->units_stay,
        .slice_empty = v->slice_empty,
        .open = v->ending && v->stops == STOPS_OPEN,
        .left = v->stops == STOPS_LEFT,
        /* Whoever could start no keeper leaves the group to others. */
        .guarded = v->guarded && !*host_ticket_problem(s->daemon->host),
        .guards = {.state = guards_state(v->guards),
                   .outside = v->outside,
                   .asked_at = v->guards_asked_at},
    };
    /* Whoever was asked while a ticket lay about proves nothing. */
    if (s->ticket_stuck || v->asked_at <= s->unlinked_at)
        ret->keeper = KEEPER_UNKNOWN;
    if (!v->has_state)
        return;
    ret->keeper_term = v->state.term;
    ret->keeper_ours = strcmp(v->state.owner, s->member.owner) == 0;
    ret->keeper_fixed = v->state.version == TICKET_VERSION_FIXED;
    ret->keeper_lease = v->state.lease;
    ret->keeper_stop = v->state.stop;
    ret->keeper_duration = v->state.duration;
    ret->keeper_deadline = v->state.deadline;
}

static void on_viewed(void *userdata, const char *group)
{
    struct daemon *d = userdata;
    struct group *s = daemon_group(d, group);
    const struct group_view *v = host_view(d->host, group);
    struct host_state local;
    struct member_event event = {.type = EVENT_HOST, .host = &local};

    if (!s || !v)
        return;
    if (s->ticket_stuck) {
        unlink_ticket(s);
        if (!s->ticket_stuck)
            host_poll(d->host, group);
    }
    if (v->asked_at == 0)
        return; /* the guards were checked, PID 1 has not answered yet */
    translate(s, v, &local);
    (void)group_step(s, &event, NULL);
    judge_strays(s);
}

static void on_start_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *s = daemon_group(userdata, group);
    struct member_event event = {.type = EVENT_STARTED, .error = error};

    if (!s)
        return;
    if (error < 0)
        (void)snprintf(s->trouble, sizeof s->trouble, "its keeper was not started: %s", text);
    (void)group_step(s, &event, NULL);
}

static void on_stop_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *s = daemon_group(userdata, group);

    /* Asked again and again, said once. */
    if (!s || error >= 0 || strcmp(s->stop_trouble, text) == 0)
        return;
    (void)snprintf(s->stop_trouble, sizeof s->stop_trouble, "%s", text);
    log_warning("%s: PID 1 did not stop the keeper: %s", group, text);
}

static void on_strays_answered(void *userdata, const char *group, int error, const char *text)
{
    struct group *s = daemon_group(userdata, group);

    if (!s || error >= 0)
        return;
    stray_refused(&s->stray, clock_boottime());
    if (strcmp(s->stray_trouble, text) == 0)
        return;
    (void)snprintf(s->stray_trouble, sizeof s->stray_trouble, "%s", text);
    log_error("%s: what runs here without leadership cannot be ended by name: PID 1 did not start "
              "tenure-stop@: %s",
              group, text);
}

/* Of one that failed the reason is said once, until one succeeds. */
static void tell_healed(struct daemon *d, int error, const char *text)
{
    if (error == -EAGAIN)
        return; /* an apply writes all of them itself */
    if (error < 0 && strcmp(d->heal_told, text) != 0)
        log_warning("lost guards could not be restored: %s", text);
    (void)snprintf(d->heal_told, sizeof d->heal_told, "%s", text);
}

static void on_healed(void *userdata, usec_t asked_at, int error, const char *text)
{
    struct daemon *d = userdata;
    bool answered = error != -ETIMEDOUT && error != -ECONNRESET && error != -EAGAIN;

    tell_healed(d, error, text);
    for (size_t i = 0; i < d->n_groups; i++) {
        struct member_event event = {
            .type = EVENT_HEALED, .asked_at = asked_at, .answered = answered};

        (void)group_step(d->groups[i], &event, NULL);
    }
}

static void on_own_job(void *userdata, int error, const char *type)
{
    struct daemon *d = userdata;

    if (error < 0 && ++d->job_questions < JOB_QUESTIONS_MAX && host_ask_own_job(d->host) >= 0)
        return;
    if (error < 0)
        log_warning("PID 1 does not say why this process shall end: %s; what it leads runs on to "
                    "its deadline, or until another agent is there",
                    strerror(-error));
    else if (strcmp(type, "stop") == 0) {
        drain_stop(d);
        return;
    } else
        log_info("ending to be started again: what this node leads stays as it is");
    (void)sd_event_exit(d->event, 0);
}

static void on_bus_changed(void *userdata, struct sd_bus *bus, const char *text)
{
    struct daemon *d = userdata;
    int r = api_attach(d->api, bus);

    d->bus = bus;
    d->api_retry_at = 0;
    if (r < 0)
        describe_unavailable(d, strerror(-r));
    if (!bus && !d->bus_text[0])
        log_warning("the system bus is gone: %s; what this node leads stays, nothing new is led "
                    "until it is back",
                    text);
    if (bus && d->bus_text[0])
        log_info("the system bus is back");
    (void)snprintf(d->bus_text, sizeof d->bus_text, "%s", bus ? "" : text);
    daemon_wake(d);
}

const struct host_handler daemon_host_handler = {
    .viewed = on_viewed,
    .start_answered = on_start_answered,
    .stop_answered = on_stop_answered,
    .strays_answered = on_strays_answered,
    .healed = on_healed,
    .own_job = on_own_job,
    .bus_changed = on_bus_changed,
};
