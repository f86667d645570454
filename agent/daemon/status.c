/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "daemon/daemon.h"
#include "daemon/journal.h"
#include "daemon/messages.h"

#define STATUS_NAMES_MAX 5u
#define MISSED_NAMES_MAX 3u
/* Guards are checked anew after every daemon-reload: only what lasts is worth an entry. */
#define BLOCKED_AFTER_USEC (3 * USEC_PER_SEC)
/* Of a unit that PID 1 starts again, or that somebody restarts, nothing is said. */
#define MISSED_AFTER_USEC (3 * USEC_PER_SEC)
/* A lease that has run out is claimed at once by whoever can. */
#define LEADERLESS_AFTER_USEC (3 * USEC_PER_SEC)
/* Reasons may change with each try. */
#define LEADERLESS_AGAIN_USEC (60 * USEC_PER_SEC)
/* Of many groups on a slow host a check takes its time, and its questions may be asked twice. */
#define UNCHECKED_AFTER_USEC (15 * USEC_PER_SEC)
#define RETIRED_AFTER_USEC (60 * USEC_PER_SEC)
/* A leader's units are looked at every 10 s, and again soon when there is no answer. */
#define UNANSWERED_AFTER_USEC (15 * USEC_PER_SEC)
/* Beyond S + K; then a group that is not dead has outlived SIGKILL. */
#define STUCK_AFTER_USEC (1 * USEC_PER_SEC)

/* ---- one group ---- */

static bool holds_term(const struct member *m)
{
    return m->state != MEMBER_STANDBY;
}

static bool failed(const struct unit_view *u)
{
    return u->dead && strcmp(u->active_state, "failed") == 0;
}

/* Is this unit not what it should be while its node leads? */
static bool missed(const struct unit_view *u)
{
    return u->dead && (!u->may_rest || failed(u));
}

/* The units that are not alive although this node leads: "a.service is failed, …", the failed ones
 * first; "" none. */
static void describe_missed(const struct group_view *v, char *ret, size_t size)
{
    size_t used = 0, n = 0;

    ret[0] = '\0';
    for (int pass = 0; v && pass < 2; pass++)
        for (size_t i = 0; i < v->n_units; i++) {
            const struct unit_view *u = &v->units[i];

            if (!missed(u) || failed(u) != (pass == 0) || used >= size || n++ >= MISSED_NAMES_MAX)
                continue;
            int length = snprintf(ret + used, size - used, "%s%s is %s", n == 1 ? "" : ", ",
                                  u->name, u->active_state);
            used += length > 0 ? (size_t)length : 0;
        }
    if (n > MISSED_NAMES_MAX && used < size)
        (void)snprintf(ret + used, size - used, ", and %zu more", n - MISSED_NAMES_MAX);
}

static size_t count_missed(const struct group_view *v)
{
    size_t n = 0;

    for (size_t i = 0; v && i < v->n_units; i++)
        if (missed(&v->units[i]))
            n++;
    return n;
}

void describe_left(const struct group *s, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);
    size_t i = 0;

    ret[0] = '\0';
    if (!v || v->asked_at == 0)
        return;
    while (i < v->n_units && v->units[i].dead)
        i++;
    if (i < v->n_units)
        (void)snprintf(ret, REASON_MAX, "%s is %s (%s)", v->units[i].name, v->units[i].active_state,
                       v->units[i].sub_state);
    else if (!v->slice_empty)
        (void)snprintf(ret, REASON_MAX,
                       "processes are left in its slice, as systemd-cgls -u tenure.slice shows");
}

static void describe_runs(const struct group *s, char ret[static REASON_MAX])
{
    char left[REASON_MAX];

    describe_left(s, left);
    (void)snprintf(ret, REASON_MAX, "something of the group still runs here: %.*s", REASON_MAX - 64,
                   left);
}

/* Whoever has the other method claims only what is clean, in the history in which it was released.
 */
static bool led_by_another_method(const struct group *s)
{
    const struct record *r = &s->member.seen.record;

    return s->member.seen.at > 0 && r->owner[0] && !r->claimable &&
           s->record_method != s->group->method;
}

/* What this node lacks to take the group over; "" nothing. */
static void describe_obstacle(const struct group *s, usec_t now, char ret[static REASON_MAX])
{
    const struct daemon *d = s->daemon;
    const struct group_view *v = host_view(d->host, s->group->name);

    ret[0] = '\0';
    if (s->member.stopping && d->drain == DRAIN_STOP)
        (void)snprintf(ret, REASON_MAX, "tenured is being stopped");
    else if (s->member.stopping)
        (void)snprintf(ret, REASON_MAX,
                       "led down by an apply that has not ended: run tenurectl apply");
    else if (d->locked[0]) /* which a connection that waits does not outlast */
        (void)snprintf(ret, REASON_MAX, "%s", d->locked);
    else if (!d->connected)
        (void)snprintf(ret, REASON_MAX, "the arbiter cannot be reached"); /* why: once, above */
    else if (arbiter_obstacle(d->arbiter, s->group->method))
        (void)snprintf(ret, REASON_MAX, "%s", arbiter_obstacle(d->arbiter, s->group->method));
    else if (member_replaced_by(&s->member) > 0)
        (void)snprintf(ret, REASON_MAX,
                       "the arbiter is a primary that was replaced: it is at timeline %" PRIu64
                       ", and a term of timeline %" PRIu64
                       " was seen here; nothing is claimed until its successor is reached (or, if "
                       "it was restored from an older backup, until tenured was restarted on all "
                       "hosts)",
                       s->member.seen.epoch.timeline, member_replaced_by(&s->member));
    else if (led_by_another_method(s))
        (void)snprintf(ret, REASON_MAX,
                       "the lease is of the method %s, and this host has %s: set the same method "
                       "on all hosts",
                       method_name(s->record_method), method_name(s->group->method));
    else if (!d->fit)
        (void)snprintf(ret, REASON_MAX, "%s", d->unfit_text);
    else if (d->bus_text[0])
        (void)snprintf(ret, REASON_MAX, "the system bus cannot be reached: %s", d->bus_text);
    else if (v && !v->guarded)
        (void)snprintf(ret, REASON_MAX, "%s", v->problem);
    else if (!v || v->asked_at == 0)
        (void)snprintf(ret, REASON_MAX, "PID 1 has not answered yet");
    else if (v->keeper == KEEPER_GONE && !(v->units_dead && v->slice_empty))
        describe_runs(s, ret);
    else if (*host_ticket_problem(d->host))
        (void)snprintf(ret, REASON_MAX, "%s", host_ticket_problem(d->host));
    else if (!member_ready(&s->member, now))
        (void)snprintf(ret, REASON_MAX, "PID 1 does not answer");
    else if (*host_polkit_problem(d->host))
        (void)snprintf(ret, REASON_MAX,
                       "polkit does not answer, so systemd lets the agent start no keeper: install "
                       "polkitd, or see systemctl status polkit: %s",
                       host_polkit_problem(d->host));
}

/* A claim that waits for somebody's lock may be granted when that is gone, but not before. */
static bool waits_for_lock(const struct group *s)
{
    return s->member.state == MEMBER_CONFIRMING && s->daemon->locked[0];
}

/* The agent has just been started, and nobody has answered it yet. */
static bool is_new(const struct group *s, usec_t now)
{
    const struct daemon *d = s->daemon;
    const struct group_view *v = host_view(d->host, s->group->name);

    return usec_sub(now, d->started_at) < UNCHECKED_AFTER_USEC &&
           ((!d->connected && !d->arbiter_tried) || !v ||
            (v->guarded ? v->asked_at == 0 : !v->unguarded));
}

/* A standby has tried to claim the record as it is, and something in the database prevents it. */
static bool held_up(const struct group *s)
{
    return s->member.state == MEMBER_STANDBY && s->held_up[0] && s->held_up_claim &&
           s->held_up_term == s->member.seen.record.term;
}

static const char *role_of(const struct group *s, usec_t now)
{
    char obstacle[REASON_MAX];

    if (waits_for_lock(s))
        return "blocked";
    switch (s->member.state) {
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return "leader";
    case MEMBER_STARTING:
    case MEMBER_CONFIRMING:
        return "starting";
    case MEMBER_ENDING:
    case MEMBER_RELEASING:
        return "stopping";
    case MEMBER_STANDBY:
        break;
    }
    describe_obstacle(s, now, obstacle);
    if (!obstacle[0] && !held_up(s))
        return "standby";
    return is_new(s, now) ? "starting" : "blocked";
}

static void describe_leader(struct group *s)
{
    const struct record *r = &s->member.seen.record;

    if (member_leads(&s->member))
        (void)snprintf(s->leader, sizeof s->leader, "%s", s->daemon->config->node);
    else if (r->clean || holds_term(&s->member) || r->term == s->member.left_term)
        s->leader[0] = '\0';
    else {
        (void)text_clean(r->owner, s->leader, sizeof s->leader);
        s->leader[strcspn(s->leader, "/")] = '\0';
    }
}

/* A configured lease that the running term does not get. */
static void describe_waiting_lease(const struct group *s, char ret[static REASON_MAX])
{
    const struct member *m = &s->member;
    char lease[SPAN_FORMAT_MAX], stop[SPAN_FORMAT_MAX];
    struct budget b;

    if (m->budget.lease == m->term.cover.lease)
        return;
    format_span(m->budget.lease, lease, sizeof lease);
    if (budget_compute(m->budget.lease, m->term.stop, &b) < 0)
        (void)snprintf(ret, REASON_MAX,
                       "leads; the configured lease of %s counts from the next term on: it is too "
                       "short for the stop timeout of this one, %s",
                       lease, format_span(m->term.stop, stop, sizeof stop));
    else if (m->term.cover.fixed)
        (void)snprintf(ret, REASON_MAX,
                       "leads; the configured lease of %s counts from the next term on: the keeper "
                       "of this one is of an earlier version",
                       lease);
}

static void describe_leading(const struct group *s, usec_t now, char ret[static REASON_MAX])
{
    const struct daemon *d = s->daemon;
    const struct group_view *v = host_view(d->host, s->group->name);
    char units[REASON_MAX / 2];

    ret[0] = '\0';
    describe_missed(v, units, sizeof units);
    if (d->locked[0])
        (void)snprintf(ret, REASON_MAX,
                       "leads until its deadline; it cannot renew the lease, because %s",
                       d->locked);
    else if (!d->connected)
        (void)snprintf(ret, REASON_MAX, "leads until its deadline unless the arbiter comes back");
    else if (!d->fit)
        (void)snprintf(ret, REASON_MAX, "%s", d->unfit_text);
    else if (s->held_up[0])
        (void)snprintf(ret, REASON_MAX,
                       "leads until its deadline; it cannot renew the lease because of %s",
                       s->held_up);
    else if (s->member.state == MEMBER_ADOPTING)
        (void)snprintf(ret, REASON_MAX, "a live keeper was found; its term is being renewed");
    else if (d->bus_text[0])
        (void)snprintf(ret, REASON_MAX, "leads, but the system bus cannot be reached: %s",
                       d->bus_text);
    else if (v && v->asked_at > 0 && usec_sub(now, v->asked_at) > UNANSWERED_AFTER_USEC)
        (void)snprintf(ret, REASON_MAX,
                       "leads, but PID 1 does not answer: no unit that fails is started again");
    else if (v && v->lost)
        (void)snprintf(ret, REASON_MAX, "leads, but guards are not in effect: %s", v->problem);
    else if (v && *v->doubt)
        (void)snprintf(ret, REASON_MAX, "leads, but its end will prove nothing: %s", v->doubt);
    else if (v && v->unguarded)
        (void)snprintf(ret, REASON_MAX, "leads, but could not take over again: %s", v->problem);
    else if (units[0])
        (void)snprintf(ret, REASON_MAX, "leads, but %s", units);
    else if (*host_ticket_problem(d->host))
        (void)snprintf(ret, REASON_MAX, "leads, but could not take over again: %s",
                       host_ticket_problem(d->host));
    else if (v && v->lost_copy[0])
        (void)snprintf(ret, REASON_MAX, "leads, but a copy of its guards is lost: %s",
                       v->lost_copy);
    else
        describe_waiting_lease(s, ret);
}

/* What else there is to say where somebody leads, or is about to. */
static void describe_copies(const struct group *s, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);
    size_t used = strlen(ret);

    if (v && v->lost_copy[0])
        (void)snprintf(ret + used, REASON_MAX - used, "; a copy of the guards here is lost: %s",
                       v->lost_copy);
}

static void describe_observing(const struct group *s, usec_t now, char ret[static REASON_MAX])
{
    const struct record *r = &s->member.seen.record;
    const char *node = s->daemon->config->node;

    describe_obstacle(s, now, ret);
    if (ret[0])
        return;
    if (s->member.seen.at == 0)
        (void)snprintf(ret, REASON_MAX, "the lease has not been read yet");
    else if (s->member.failed_starts > 0 && s->member.not_before > now)
        (void)snprintf(ret, REASON_MAX, "waits, because %s",
                       s->trouble[0] ? s->trouble : member_reason_text(REASON_START_FAILED));
    else if (held_up(s))
        (void)snprintf(ret, REASON_MAX, "cannot claim the lease because of %s", s->held_up);
    else if (r->term == s->member.left_term && r->term > 0)
        (void)snprintf(ret, REASON_MAX, "nobody leads; the lease runs out");
    else if (r->claimable)
        (void)snprintf(ret, REASON_MAX, "nobody leads; about to be claimed");
    else if (r->clean)
        (void)snprintf(ret, REASON_MAX,
                       "nobody leads; the lease was released before the database failed over, and "
                       "is watched for its length before it is claimed");
    else if (!r->owner[0] && r->term > 0)
        (void)snprintf(ret, REASON_MAX,
                       "the node that led was confirmed dead: the lease is watched for its length "
                       "before it is claimed");
    else if (!r->owner[0])
        (void)snprintf(ret, REASON_MAX,
                       "a new lease is watched for its length before it is claimed");
    else if (member_copied(&s->member))
        (void)snprintf(ret, REASON_MAX,
                       "a copy of this host has the lease, under this very node's name and "
                       "instance: shut one of both down");
    else if (strcmp(r->owner, s->member.owner) == 0)
        (void)snprintf(ret, REASON_MAX,
                       "the lease names this node, which runs nothing: it is watched, and given "
                       "back if nobody renews it");
    else if (strcmp(s->leader, node) == 0)
        (void)snprintf(ret, REASON_MAX,
                       "the lease is of an earlier boot of this node, or of another host named "
                       "\"%s\": it must run out",
                       node);
    else
        (void)snprintf(ret, REASON_MAX, "%s leads", s->leader);
}

#define KILLED "SIGKILL has not ended it"
#define NOT_KILLED                                                                                 \
    "it was started again, or runs outside its slice, and is being stopped by its name"

/* Keeper or fence killed all that is in the slice. Of what is elsewhere, or was started since, this
 * can be said only when it was ended by name. */
static bool was_killed(const struct group *s, const struct group_view *v, usec_t now)
{
    return (!v->slice_empty && !v->units_stay) || stray_killed(&s->stray, &s->member, now);
}

static void describe_standby(const struct group *s, usec_t now, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);
    char others[REASON_MAX];

    describe_observing(s, now, ret);
    if (!v || v->stops != STOPS_LEFT)
        return;
    (void)snprintf(others, sizeof others, "%s", ret);
    (void)snprintf(ret, REASON_MAX, "what its last term set up may be left here: %s; %.*s", v->left,
                   (int)(REASON_MAX / 4), others);
}

/* What keeps a group from being dead although SIGKILL was sent to it long enough ago; "" nothing,
 * or not yet. */
static void describe_stuck(const struct group *s, usec_t now, char ret[static REASON_MAX])
{
    const struct member *m = &s->member;
    const struct budget *b = &s->group->budget;
    const struct group_view *v = host_view(s->daemon->host, s->group->name);
    usec_t limit = usec_max(m->term.stop, b->stop) + usec_max(cover_kill(&m->term.cover), b->kill);
    char left[REASON_MAX];

    ret[0] = '\0';
    if (m->state != MEMBER_ENDING || usec_sub(now, m->since) < limit + STUCK_AFTER_USEC)
        return;
    describe_left(s, left);
    if (!v || v->asked_at <= m->since)
        (void)snprintf(ret, REASON_MAX, "not known to be dead: PID 1 does not answer");
    else if (left[0])
        (void)snprintf(ret, REASON_MAX, "%s: %.*s", was_killed(s, v, now) ? KILLED : NOT_KILLED,
                       REASON_MAX - 128, left);
    else if (v->stops == STOPS_OPEN)
        (void)snprintf(ret, REASON_MAX,
                       "not known to be gone: systemd does not say how its units stopped");
    else
        (void)snprintf(ret, REASON_MAX, "its keeper has not ended");
}

static void describe_ending(struct group *s, usec_t now)
{
    describe_stuck(s, now, s->reason);
    if (!s->reason[0])
        (void)snprintf(s->reason, REASON_MAX, "%s", member_reason_text(s->member.reason));
}

static void describe_reason(struct group *s, usec_t now)
{
    const struct member *m = &s->member;

    switch (m->state) {
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        describe_leading(s, now, s->reason);
        return;
    case MEMBER_STARTING:
        (void)snprintf(s->reason, REASON_MAX, "claimed; the keeper is being started");
        return;
    case MEMBER_CONFIRMING:
        (void)snprintf(s->reason, REASON_MAX, "%s",
                       waits_for_lock(s) ? s->daemon->locked
                                         : "a claim of unknown outcome is being confirmed");
        return;
    case MEMBER_ENDING:
        describe_ending(s, now);
        return;
    case MEMBER_RELEASING:
        (void)snprintf(s->reason, REASON_MAX, "all units are dead; the lease is being given back");
        return;
    case MEMBER_STANDBY:
        describe_standby(s, now, s->reason);
        describe_copies(s, s->reason);
        return;
    }
}

/* How long ago the record was known to be as shown. */
static usec_t seen_ago(const struct member *m, usec_t now)
{
    if (member_leads(m))
        return usec_sub(now, m->term.renewed_at);
    return m->seen.at == 0 ? USEC_INFINITY : usec_sub(now, m->seen.at);
}

/* On another host. A record that is not observed is as old as its last sight. */
static usec_t leader_runs(const struct group *s, usec_t now)
{
    const struct member *m = &s->member;

    if (!s->leader[0] || strcmp(s->leader, s->daemon->config->node) == 0)
        return 0;
    if (m->state != MEMBER_STANDBY)
        return USEC_INFINITY; /* what the record says is not looked at now */
    return usec_sub(confirm_runs_until(&m->seen.record, m->seen.valid ? m->seen.since : m->seen.at),
                    now);
}

static usec_t renewed_ago(const struct group *s, usec_t now)
{
    if (member_leads(&s->member))
        return usec_sub(now, s->member.term.renewed_at);
    return s->renewed_at == 0 ? USEC_INFINITY : usec_sub(now, s->renewed_at);
}

/* By locks, the arbiter's quarantine may be longer than the record's lease. */
static void describe_observation(const struct group *s, usec_t now, struct api_group *ret)
{
    const struct member *m = &s->member;
    usec_t at = member_claims_at(m, now);

    member_observation(m, now, &ret->unchanged, &ret->watch);
    if (ret->watch > 0 && s->group->method == METHOD_ADVISORY) {
        ret->watch = usec_max(ret->watch, s->group->budget.lease);
        if (at != USEC_INFINITY)
            at = usec_max(at, usec_add(m->seen.since, ret->watch));
    }
    ret->unchanged = usec_min(ret->unchanged, ret->watch);
    ret->claims_in = at == USEC_INFINITY || strcmp(ret->role, "standby") != 0 ? USEC_INFINITY
                                                                              : usec_sub(at, now);
}

static bool describe_group(void *userdata, const char *group, struct api_group *ret)
{
    struct daemon *d = userdata;
    struct group *s = daemon_group(d, group);
    const struct group_view *v = s ? host_view(d->host, group) : NULL;
    usec_t now = clock_boottime();

    if (!s)
        return false;
    const struct member *m = &s->member;
    const struct config_group *g = s->group;
    bool held = holds_term(m) && m->term.cover.duration > 0;
    uint64_t term = m->term.number > 0 ? m->term.number : m->seen.record.term;

    describe_leader(s);
    describe_reason(s, now);
    for (size_t i = 0; i < g->n_units; i++)
        s->units[i] = (struct api_unit){
            .name = v ? v->units[i].name : g->units[i],
            .active_state = v && v->asked_at > 0 ? v->units[i].active_state : "unknown",
            .sub_state = v && v->asked_at > 0 ? v->units[i].sub_state : "unknown",
        };
    *ret = (struct api_group){
        .name = g->name,
        .role = role_of(s, now),
        .leader = s->leader,
        .reason = s->reason,
        .method = method_name(g->method),
        .term = term,
        .leader_since = s->leader[0] && s->since_term == term ? s->since : 0,
        .seen = seen_ago(m, now),
        .renewed = renewed_ago(s, now),
        .deadline = member_leads(m) ? usec_sub(m->term.deadline, now) : 0,
        .leader_runs = leader_runs(s, now),
        .lease = held ? m->term.cover.lease : g->budget.lease,
        .configured = g->budget.lease,
        .stop_timeout = held ? m->term.stop : g->budget.stop,
        .duration = held ? m->term.cover.duration : g->budget.duration,
        .units = s->units,
        .n_units = g->n_units,
        .missed = s->missed[0] ? count_missed(v) : 0, /* after a while: units are restarted */
    };
    describe_observation(s, now, ret);
    return true;
}

/* ---- the agent ---- */

static size_t n_groups(void *userdata)
{
    const struct daemon *d = userdata;

    return d->n_groups;
}

static const char *group_name(void *userdata, size_t i)
{
    const struct daemon *d = userdata;

    return d->groups[i]->group->name;
}

static void describe_manager(void *userdata, struct api_manager *ret)
{
    const struct daemon *d = userdata;

    *ret = (struct api_manager){
        .version = TENURE_VERSION,
        .node = d->config ? d->config->node : "",
        .instance_id = d->instance,
        .arbiter = d->arbiter_text,
        .status = d->status,
        .connected = d->connected,
    };
}

void describe_unavailable(struct daemon *d, const char *text)
{
    /* Tried again and again, said once. */
    if (strcmp(d->api_trouble, text) != 0)
        log_warning(
            "the D-Bus API cannot be offered: %s; tenurectl does not reach this agent until "
            "it can",
            text);
    (void)snprintf(d->api_trouble, sizeof d->api_trouble, "%s", text);
    d->api_retry_at = usec_add(clock_boottime(), API_RETRY_USEC);
    daemon_wake(d);
}

static void on_unavailable(void *userdata, const char *text)
{
    describe_unavailable(userdata, text);
}

void describe_retry(struct daemon *d, usec_t now)
{
    if (d->api_retry_at == 0 || now < d->api_retry_at || !d->bus)
        return;
    d->api_retry_at = 0;
    (void)api_attach(d->api, NULL);
    int r = api_attach(d->api, d->bus);
    if (r < 0)
        describe_unavailable(d, strerror(-r));
}

static void on_reload(void *userdata, struct api_call *call)
{
    drain_reload(userdata, call);
}

static void on_retire(void *userdata, struct api_call *call, const char *const *groups, size_t n)
{
    drain_retire(userdata, call, groups, n);
}

static void on_confirm_dead(void *userdata, struct api_call *call, const char *node, uid_t uid)
{
    confirm_start(userdata, call, node, uid);
}

static void on_caller_gone(void *userdata, struct api_call *call)
{
    confirm_caller_gone(userdata, call);
}

const struct api_source daemon_api_source = {
    .describe_manager = describe_manager,
    .n_groups = n_groups,
    .group_name = group_name,
    .describe_group = describe_group,
    .reload = on_reload,
    .retire = on_retire,
    .confirm_dead = on_confirm_dead,
    .caller_gone = on_caller_gone,
    .unavailable = on_unavailable,
};

/* ---- telling ---- */

/* How long a standby is blocked before it is told. */
static usec_t blocked_patience(const struct group *s)
{
    const struct group_view *v = host_view(s->daemon->host, s->group->name);

    if (s->retired) /* between a Retire and its Reload lies a daemon-reload */
        return RETIRED_AFTER_USEC;
    if (v && !v->guarded && !v->unguarded) /* it is not known yet */
        return UNCHECKED_AFTER_USEC;
    return BLOCKED_AFTER_USEC;
}

/* A standby that could not take over is worth an entry, once it has lasted; each reason once. */
static void tell_blocked(struct group *s, const struct api_group *g, usec_t now)
{
    struct journal_context c = {.message_id = MESSAGE_BLOCKED,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .reason = g->reason};
    char obstacle[REASON_MAX] = "";
    bool worth = strcmp(g->role, "blocked") == 0 && s->daemon->drain == DRAIN_NONE &&
                 s->daemon->connected && s->daemon->fit;

    if (worth && !s->daemon->locked[0]) /* what holds a claim up is said at once */
        describe_obstacle(s, now, obstacle);
    if (!obstacle[0]) {
        s->blocked_since = 0;
        if (strcmp(g->role, "blocked") != 0)
            s->blocked[0] = '\0';
        return;
    }
    if (s->blocked_since == 0)
        s->blocked_since = now;
    if (usec_sub(now, s->blocked_since) < blocked_patience(s) || strcmp(s->blocked, g->reason) == 0)
        return;
    (void)snprintf(s->blocked, sizeof s->blocked, "%s", g->reason);
    journal_write(LOG_WARNING, &c, "%s: this node could not take over: %s", g->name, g->reason);
}

/* The lease has expired or was released, and nothing is about to change that here. */
static bool nobody_leads(const struct group *s, const struct api_group *g, usec_t now)
{
    const struct member *m = &s->member;
    bool standby = (m->state == MEMBER_STANDBY || waits_for_lock(s)) && !m->stopping &&
                   s->daemon->drain == DRAIN_NONE;
    bool asked = s->daemon->connected || s->daemon->locked[0];
    bool over = m->seen.record.clean || held_up(s) ||
                (s->changed_at > 0 && usec_sub(now, s->changed_at) >= usec_max(g->watch, g->lease));
    bool cannot = strcmp(g->role, "blocked") == 0 || (m->failed_starts > 0 && m->not_before > now);

    return standby && asked && m->seen.at > 0 && over && cannot;
}

/* What a host that could take over needs for it: it may read the record a poll later than this one,
 * and this one what comes of that another poll later. */
static usec_t leaderless_patience(const struct group *s)
{
    return LEADERLESS_AFTER_USEC +
           2 * usec_min(s->group->budget.duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

/* A group that nobody leads, and that this node could not lead: once for each reason, and when it
 * is led again. */
static void tell_leaderless(struct group *s, const struct api_group *g, usec_t now)
{
    struct journal_context c = {.message_id = MESSAGE_LEADERLESS,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .reason = g->reason};
    bool renewed = s->renewal_at > s->leaderless_at || member_leads(&s->member);

    if (s->leaderless[0] && renewed) {
        journal_write(LOG_NOTICE, &c, "%s: the group is led again", g->name);
        s->leaderless[0] = '\0';
    }
    if (!nobody_leads(s, g, now)) {
        s->leaderless_since = 0;
        return;
    }
    if (s->leaderless_since == 0)
        s->leaderless_since = now;
    if (usec_sub(now, s->leaderless_since) < leaderless_patience(s) ||
        strcmp(s->leaderless, g->reason) == 0 ||
        (s->leaderless[0] && usec_sub(now, s->leaderless_at) < LEADERLESS_AGAIN_USEC))
        return;
    (void)snprintf(s->leaderless, sizeof s->leaderless, "%s", g->reason);
    s->leaderless_at = now;
    journal_write(LOG_ALERT, &c,
                  "%s: nobody leads the group, and this node cannot take it over: %s", g->name,
                  g->reason);
}

/* Other hosts will not wait for it, so somebody has to know: once for each time. */
static void tell_stuck(struct group *s, const struct api_group *g, usec_t now)
{
    char what[REASON_MAX];
    struct journal_context c = {.message_id = MESSAGE_STUCK,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number,
                                .reason = what};

    describe_stuck(s, now, what);
    if (what[0] && !s->stuck_told)
        journal_write(LOG_ALERT, &c,
                      "%s: term %" PRIu64 " is over, and the group does not end here: %s. It is "
                      "not given back; another node may lead it all the same",
                      g->name, c.term, what);
    s->stuck_told = what[0] != '\0';
}

/* A unit that the group is led for does not run: once for each time, and when it does again. At the
 * beginning of a term units are on their way up. */
static void tell_missed(struct group *s, const struct api_group *g, usec_t now)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    char what[REASON_MAX / 2];
    struct journal_context c = {.message_id = MESSAGE_MISSED,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number,
                                .reason = what};

    if (v && v->asked_at == 0)
        return;
    describe_missed(v, what, sizeof what);
    if (!member_leads(&s->member) || !what[0]) {
        if (s->missed[0] && member_leads(&s->member))
            journal_write(LOG_NOTICE, &c, "%s: all its units run again", g->name);
        s->missed_since = 0;
        s->missed[0] = '\0';
        return;
    }
    if (s->missed_since == 0)
        s->missed_since = now;
    if (usec_sub(now, s->missed_since) < MISSED_AFTER_USEC || strcmp(s->missed, what) == 0)
        return;
    (void)snprintf(s->missed, sizeof s->missed, "%s", what);
    journal_write(LOG_ERR, &c,
                  "%s: this node leads, but %s: see systemctl status, and `systemctl start` it",
                  g->name, what);
}

/* What runs here would outlive the term: once for each reason, and when it is mended. */
static void tell_lost(struct group *s, const struct api_group *g)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    struct journal_context c = {.message_id = MESSAGE_UNGUARDED,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number};

    if (!v || !holds_term(&s->member)) {
        s->lost_told[0] = '\0';
        return;
    }
    if (v->lost && strcmp(s->lost_told, v->problem) != 0) {
        (void)snprintf(s->lost_told, sizeof s->lost_told, "%s", v->problem);
        c.reason = v->problem;
        journal_write(LOG_ALERT, &c,
                      "%s: this node leads, and guards of the group are not in effect: %s", g->name,
                      v->problem);
    } else if (v->guarded && s->lost_told[0]) {
        s->lost_told[0] = '\0';
        journal_write(LOG_NOTICE, &c, "%s: all guards of the group are in effect again", g->name);
    }
}

/* An address, perhaps, that another node has by now: once for each reason. */
static void tell_left(struct group *s, const struct api_group *g)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    struct journal_context c = {
        .message_id = MESSAGE_LEFT, .node = s->daemon->config->node, .group = g->name};

    if (!v || v->stops != STOPS_LEFT) {
        s->left_told[0] = '\0';
        return;
    }
    if (strcmp(s->left_told, v->left) == 0)
        return;
    (void)snprintf(s->left_told, sizeof s->left_told, "%s", v->left);
    c.term = v->stops_term;
    c.reason = v->left;
    journal_write(LOG_ALERT, &c,
                  "%s: term %" PRIu64 " is over, and what one of its units set up may be left on "
                  "this node: %s. It is not given back; another node leads it when its lease has "
                  "run out: see to it that it is gone here",
                  g->name, c.term, c.reason);
}

/* The same, foreseen: once for each reason, and when it is mended. */
static void tell_doubt(struct group *s, const struct api_group *g)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    struct journal_context c = {.message_id = MESSAGE_DOUBT,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number};

    if (!v || !member_leads(&s->member)) {
        s->doubt_told[0] = '\0';
        return;
    }
    if (*v->doubt && strcmp(s->doubt_told, v->doubt) != 0) {
        (void)snprintf(s->doubt_told, sizeof s->doubt_told, "%s", v->doubt);
        c.reason = v->doubt;
        journal_write(LOG_ALERT, &c,
                      "%s: this node leads, and what one of its units has set up may be left when "
                      "it ends: %s",
                      g->name, v->doubt);
    } else if (!*v->doubt && s->doubt_told[0]) {
        s->doubt_told[0] = '\0';
        journal_write(LOG_NOTICE, &c, "%s: all its units can be stopped as they were started",
                      g->name);
    }
}

/* Leads on all the same: what it lacks counts only when keeper and PID 1 both hang, and to step
 * down would be an interruption for certain, on all hosts one after the other if all have lost it.
 */
static void tell_unarmed(struct group *s, const struct api_group *g)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    struct journal_context c = {.message_id = MESSAGE_UNARMED,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number,
                                .reason = g->reason};
    bool unarmed = v && v->unarmed && holds_term(&s->member);

    if (unarmed && !s->unarmed_told)
        journal_write(
            LOG_ALERT, &c,
            "%s: this node leads on, but could not begin to: the hardware watchdog, which "
            "the group requires, is not armed or too slow, as tenurectl status %s says",
            g->name, g->name);
    else if (s->unarmed_told && v && v->guarded && holds_term(&s->member))
        journal_write(LOG_NOTICE, &c, "%s: the hardware watchdog is armed again", g->name);
    s->unarmed_told = unarmed || (s->unarmed_told && v && !v->guarded && holds_term(&s->member));
}

/* A lease that was changed in the configuration counts in the term that runs, a moment later. */
static void tell_lease(struct group *s, const struct api_group *g)
{
    bool leads = member_leads(&s->member), waits = leads && g->lease != g->configured;
    char lease[SPAN_FORMAT_MAX];

    if (s->lease_waits && leads && !waits)
        log_info("%s: term %" PRIu64 " has the configured lease now, %s", g->name,
                 s->member.term.number, format_span(g->lease, lease, sizeof lease));
    s->lease_waits = waits;
}

/* The other copy suffices, but is the last one: once for each reason, and when both are back. What
 * is not known says nothing. */
static void tell_copy(struct group *s, const struct api_group *g, usec_t now)
{
    const struct group_view *v = host_view(s->daemon->host, g->name);
    struct journal_context c = {.message_id = MESSAGE_COPY_LOST,
                                .node = s->daemon->config->node,
                                .group = g->name,
                                .term = s->member.term.number};

    if (!v || v->guards == HOST_GUARDS_UNKNOWN)
        return;
    if (!v->lost_copy[0]) {
        s->copy_since = 0;
        if (s->copy_told[0])
            journal_write(LOG_NOTICE, &c, "%s: both copies of the group's guards are there again",
                          g->name);
        s->copy_told[0] = '\0';
        return;
    }
    if (s->copy_since == 0)
        s->copy_since = now;
    if (usec_sub(now, s->copy_since) < HEAL_GRACE_USEC || strcmp(s->copy_told, v->lost_copy) == 0)
        return;
    (void)snprintf(s->copy_told, sizeof s->copy_told, "%s", v->lost_copy);
    c.reason = v->lost_copy;
    journal_write(LOG_ALERT, &c, "%s: one of the two copies of the group's guards is lost: %s",
                  g->name, v->lost_copy);
}

void describe_changes(struct daemon *d)
{
    usec_t now = clock_boottime();

    for (size_t i = 0; i < d->n_groups; i++) {
        struct group *s = d->groups[i];
        struct api_group g;
        char told[sizeof s->told];

        if (!describe_group(d, s->group->name, &g))
            continue;
        tell_blocked(s, &g, now);
        tell_leaderless(s, &g, now);
        tell_stuck(s, &g, now);
        tell_missed(s, &g, now);
        tell_lost(s, &g);
        tell_left(s, &g);
        tell_doubt(s, &g);
        tell_unarmed(s, &g);
        tell_copy(s, &g, now);
        tell_lease(s, &g);
        (void)snprintf(told, sizeof told,
                       "%s %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s",
                       g.role, g.term, g.leader, g.lease, g.configured, g.stop_timeout, g.duration,
                       g.method, g.reason);
        if (strcmp(told, s->told) == 0)
            continue;
        (void)snprintf(s->told, sizeof s->told, "%s", told);
        api_group_changed(d->api, s->group->name);
    }
}

struct line {
    char text[NOTIFY_STATUS_MAX];
    size_t used;
};

static void add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What does not fit is cut off. */
static void add(struct line *l, const char *format, ...)
{
    size_t left = sizeof l->text - l->used;
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(l->text + l->used, left, format, ap);
    va_end(ap);
    if (n > 0)
        l->used += (size_t)n < left ? (size_t)n : left - 1;
}

static void add_leading(const struct daemon *d, struct line *l)
{
    unsigned leading = 0;
    size_t n_missed = 0;

    for (size_t i = 0; i < d->n_groups; i++) {
        const char *group = d->groups[i]->group->name;

        if (!member_leads(&d->groups[i]->member))
            continue;
        n_missed += count_missed(host_view(d->host, group));
        if (++leading <= STATUS_NAMES_MAX)
            add(l, "%s%s", leading == 1 ? "Leads " : ", ", group);
    }
    if (leading > STATUS_NAMES_MAX)
        add(l, " and %u more", leading - STATUS_NAMES_MAX);
    if (n_missed > 0)
        add(l, " (%zu unit%s not running, see tenurectl status)", n_missed,
            n_missed == 1 ? " is" : "s are");
    if (leading > 0)
        add(l, "; ");
}

static void add_others(const struct daemon *d, struct line *l, usec_t now)
{
    static const char *const roles[] = {"standby", "starting", "stopping", "blocked"};

    for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++) {
        unsigned n = 0;
        const char *name = NULL;

        for (size_t i = 0; i < d->n_groups; i++)
            if (strcmp(role_of(d->groups[i], now), roles[k]) == 0) {
                name = d->groups[i]->group->name;
                n++;
            }
        if (n == 1)
            add(l, "%s for %s; ", roles[k], name);
        else if (n > 1)
            add(l, "%s for %u groups; ", roles[k], n);
    }
}

/* The line that `systemctl status tenured` shows. */
void describe_status(struct daemon *d)
{
    struct line l = {.used = 0};

    if (!d->config)
        add(&l, "No groups, run tenurectl apply: %s", d->config_problem);
    else {
        add_leading(d, &l);
        add_others(d, &l, clock_boottime());
        add(&l, d->connected ? "%s" : "arbiter out of reach: %s", d->arbiter_text);
        if (!d->fit)
            add(&l, "; %s", d->unfit_text);
    }
    (void)text_clean(l.text, l.text, sizeof l.text);
    if (l.text[0] >= 'a' && l.text[0] <= 'z')
        l.text[0] = (char)(l.text[0] - 'a' + 'A');
    if (strcmp(l.text, d->status) == 0)
        return;
    (void)snprintf(d->status, sizeof d->status, "%s", l.text);
    notify_queue_status(&d->notify, d->status);
    api_manager_changed(d->api);
}
