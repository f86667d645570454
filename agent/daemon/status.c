/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/alerts.h"
#include "daemon/concern.h"
#include "daemon/group_units.h"
#include "daemon/obstacle.h"
#include "daemon/role.h"

#define STATUS_NAMES_MAX 5u

/* ---- one group ---- */

static void describe_leader(struct group *g)
{
    const struct record *r = &g->member.seen.record;

    if (member_leads(&g->member))
        (void)snprintf(g->leader, sizeof g->leader, "%s", g->daemon->config->node);
    else if (r->clean || holds_term(&g->member) || r->term == g->member.left_term)
        g->leader[0] = '\0';
    else {
        (void)text_clean(r->owner, g->leader, sizeof g->leader);
        g->leader[strcspn(g->leader, "/")] = '\0';
    }
}

/* What else there is to say of a standby. */
static void describe_copies(const struct group *g, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    size_t used = strlen(ret);

    if (v && v->lost_copy[0])
        (void)snprintf(ret + used, REASON_MAX - used, "; a copy of the guards here is lost: %s",
                       v->lost_copy);
}

static void describe_observing(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct record *r = &g->member.seen.record;
    const char *node = g->daemon->config->node;

    obstacle_describe(g, now, ret);
    if (ret[0])
        return;
    if (g->member.seen.at == 0)
        (void)snprintf(ret, REASON_MAX, "the lease has not been read yet");
    else if (g->member.failed_starts > 0 && g->member.not_before > now)
        (void)snprintf(ret, REASON_MAX, "waits, because %s",
                       g->trouble[0] ? g->trouble : member_reason_text(REASON_START_FAILED));
    else if (held_up(g))
        (void)snprintf(ret, REASON_MAX, "cannot claim the lease because of %s", g->held_up);
    else if (r->term == g->member.left_term && r->term > 0)
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
    else if (member_copied(&g->member))
        (void)snprintf(ret, REASON_MAX,
                       "a copy of this host has the lease, under this very node's name and "
                       "instance: shut one of both down");
    else if (strcmp(r->owner, g->member.owner) == 0)
        (void)snprintf(ret, REASON_MAX,
                       "the lease names this node, which runs nothing: it is watched, and given "
                       "back if nobody renews it");
    else if (strcmp(g->leader, node) == 0)
        (void)snprintf(ret, REASON_MAX,
                       "the lease is of an earlier boot of this node, or of another host named "
                       "\"%s\": it must run out",
                       node);
    else
        (void)snprintf(ret, REASON_MAX, "%s leads", g->leader);
}

static void describe_standby(const struct group *g, usec_t now, char ret[static REASON_MAX])
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    char others[REASON_MAX];

    describe_observing(g, now, ret);
    if (!v || v->stops != STOPS_LEFT)
        return;
    (void)snprintf(others, sizeof others, "%s", ret);
    (void)snprintf(ret, REASON_MAX, "what its last term set up may be left here: %s; %.*s", v->left,
                   (int)(REASON_MAX / 4), others);
}

static void describe_ending(struct group *g, usec_t now)
{
    describe_stuck(g, now, g->reason);
    if (!g->reason[0])
        (void)snprintf(g->reason, REASON_MAX, "%s", member_reason_text(g->member.reason));
}

static void describe_reason(struct group *g, usec_t now)
{
    const struct member *m = &g->member;

    switch (m->state) {
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        concern_describe(g, now, g->reason);
        return;
    case MEMBER_STARTING:
        (void)snprintf(g->reason, REASON_MAX, "claimed; the keeper is being started");
        return;
    case MEMBER_CONFIRMING:
        (void)snprintf(g->reason, REASON_MAX, "%s",
                       waits_for_lock(g) ? g->daemon->locked
                                         : "a claim of unknown outcome is being confirmed");
        return;
    case MEMBER_ENDING:
        describe_ending(g, now);
        return;
    case MEMBER_RELEASING:
        (void)snprintf(g->reason, REASON_MAX, "all units are dead; the lease is being given back");
        return;
    case MEMBER_STANDBY:
        describe_standby(g, now, g->reason);
        describe_copies(g, g->reason);
        return;
    }
}

/* How long ago the record was seen as it is shown. */
static usec_t seen_ago(const struct member *m, usec_t now)
{
    if (member_leads(m))
        return usec_sub(now, m->term.renewed_at);
    return m->seen.at == 0 ? USEC_INFINITY : usec_sub(now, m->seen.at);
}

/* For how long units may run on another host. A record that is not observed is as old as when it
 * was seen last. */
static usec_t leader_runs(const struct group *g, usec_t now)
{
    const struct member *m = &g->member;

    if (!g->leader[0] || strcmp(g->leader, g->daemon->config->node) == 0)
        return 0;
    if (m->state != MEMBER_STANDBY)
        return USEC_INFINITY; /* the record is not observed now */
    return usec_sub(confirm_runs_until(&m->seen.record, m->seen.valid ? m->seen.since : m->seen.at),
                    now);
}

static usec_t renewed_ago(const struct group *g, usec_t now)
{
    if (member_leads(&g->member))
        return usec_sub(now, g->member.term.renewed_at);
    return g->renewed_at == 0 ? USEC_INFINITY : usec_sub(now, g->renewed_at);
}

/* With the method advisory, the arbiter's quarantine may be longer than the record's lease. */
static void describe_observation(const struct group *g, enum role role, usec_t now,
                                 struct api_group *ret)
{
    const struct member *m = &g->member;
    usec_t at = member_claims_at(m, now);

    member_observation(m, now, &ret->unchanged, &ret->watch);
    if (ret->watch > 0 && g->config->method == METHOD_ADVISORY) {
        ret->watch = usec_max(ret->watch, g->config->budget.lease);
        if (at != USEC_INFINITY)
            at = usec_max(at, usec_add(m->seen.since, ret->watch));
    }
    ret->unchanged = usec_min(ret->unchanged, ret->watch);
    ret->claims_in =
        at == USEC_INFINITY || role != ROLE_STANDBY ? USEC_INFINITY : usec_sub(at, now);
}

static void describe_group(struct group *g, enum role role, usec_t now, struct api_group *ret)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);
    const struct member *m = &g->member;
    const struct config_group *config = g->config;
    bool held = holds_term(m) && m->term.cover.duration > 0;
    uint64_t term = m->term.number > 0 ? m->term.number : m->seen.record.term;

    describe_leader(g);
    describe_reason(g, now);
    for (size_t i = 0; i < config->n_units; i++)
        g->units[i] = (struct api_unit){
            .name = v ? v->units[i].name : config->units[i],
            .active_state = v && v->state.asked_at > 0 ? v->units[i].active_state : "unknown",
            .sub_state = v && v->state.asked_at > 0 ? v->units[i].sub_state : "unknown",
        };
    *ret = (struct api_group){
        .name = config->name,
        .role = role_name(role),
        .leader = g->leader,
        .reason = g->reason,
        .method = method_name(config->method),
        .term = term,
        .leader_since = g->leader[0] && g->since_term == term ? g->since : 0,
        .seen = seen_ago(m, now),
        .renewed = renewed_ago(g, now),
        .deadline = member_leads(m) ? usec_sub(m->term.deadline, now) : 0,
        .leader_runs = leader_runs(g, now),
        .lease = held ? m->term.cover.lease : config->budget.lease,
        .configured = config->budget.lease,
        .stop_timeout = held ? m->term.stop : config->budget.stop,
        .duration = held ? m->term.cover.duration : config->budget.duration,
        .units = g->units,
        .n_units = config->n_units,
        .missed = g->missed[0] ? count_missed(v) : 0, /* after a while: units are restarted */
    };
    describe_observation(g, role, now, ret);
}

bool status_describe_group(void *userdata, const char *group, struct api_group *ret)
{
    struct group *g = daemon_group(userdata, group);
    usec_t now = clock_boottime();

    if (g)
        describe_group(g, role_of(g, now), now, ret);
    return g != NULL;
}

/* Is there nothing to say of the group but who leads it? All that could change this is tested here,
 * without being put into words: what the agent lacks, what PID 1 said, and how old that is. As long
 * as it stays so, what is shown of the group changes only with a step of its member, or with the
 * configuration. */
static bool all_is_well(const struct group *g, usec_t now)
{
    const struct member *m = &g->member;
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    if (!v || v->stops == STOPS_LEFT || v->unarmed || v->lost_copy[0] || !alerts_quiet(g))
        return false;
    if (m->state == MEMBER_LEADING)
        return concern_find(g, v, now) == CONCERN_NONE;
    return m->state == MEMBER_STANDBY && m->failed_starts == 0 && !held_up(g) &&
           obstacle_find(g, now) == OBSTACLE_NONE;
}

static void publish(struct group *g, const struct api_group *shown)
{
    char published[sizeof g->published];

    (void)snprintf(published, sizeof published,
                   "%s %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s",
                   shown->role, shown->term, shown->leader, shown->lease, shown->configured,
                   shown->stop_timeout, shown->duration, shown->method, shown->reason);
    if (strcmp(published, g->published) == 0)
        return;
    (void)snprintf(g->published, sizeof g->published, "%s", published);
    api_group_changed(g->daemon->api, g->config->name);
}

void status_publish_groups(struct daemon *d)
{
    usec_t now = clock_boottime();

    for (size_t i = 0; i < d->n_groups; i++) {
        struct group *g = d->groups[i];
        struct api_group shown;
        bool well = all_is_well(g, now);

        if (well && g->well && !g->changed)
            continue;
        g->well = well;
        g->changed = false;
        g->role = role_of(g, now);
        describe_group(g, g->role, now, &shown);
        alerts_check(g, &shown, now);
        publish(g, &shown);
    }
}

/* ---- the agent ---- */

size_t status_n_groups(void *userdata)
{
    const struct daemon *d = userdata;

    return d->n_groups;
}

const char *status_group_name(void *userdata, size_t i)
{
    const struct daemon *d = userdata;

    return d->groups[i]->config->name;
}

void status_describe_manager(void *userdata, struct api_manager *ret)
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
        const char *group = d->groups[i]->config->name;

        if (!member_leads(&d->groups[i]->member))
            continue;
        if (!d->groups[i]->well) /* else none, as was just found */
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

/* As status_publish_groups() has just found it; before its first time there is none. */
static enum role role_in(const struct group *g, usec_t now)
{
    return g->published[0] ? g->role : role_of(g, now);
}

static void add_others(const struct daemon *d, struct line *l, usec_t now)
{
    static const enum role roles[] = {ROLE_STANDBY, ROLE_STARTING, ROLE_STOPPING, ROLE_BLOCKED};
    unsigned n[ROLES] = {0};
    const char *names[ROLES];

    for (size_t i = 0; i < d->n_groups; i++) {
        enum role role = role_in(d->groups[i], now);

        names[role] = d->groups[i]->config->name;
        n[role]++;
    }
    for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++) {
        enum role role = roles[k];

        if (n[role] == 1)
            add(l, "%s for %s; ", role_name(role), names[role]);
        else if (n[role] > 1)
            add(l, "%s for %u groups; ", role_name(role), n[role]);
    }
}

/* The line that `systemctl status tenured` shows. */
void status_publish_line(struct daemon *d)
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
