/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/alerts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "daemon/group_units.h"
#include "daemon/journal.h"
#include "daemon/messages.h"
#include "daemon/obstacle.h"
#include "daemon/role.h"

/* Guards are checked again after every daemon-reload: only what lasts is worth an entry. */
#define BLOCKED_AFTER_USEC (3 * USEC_PER_SEC)
/* A unit that PID 1 starts again, or that an operator restarts, is not worth an entry. */
#define MISSED_AFTER_USEC (3 * USEC_PER_SEC)
/* A host that can claim an expired lease does so at once. */
#define LEADERLESS_AFTER_USEC (3 * USEC_PER_SEC)
/* Reasons may change with each try. */
#define LEADERLESS_AGAIN_USEC (60 * USEC_PER_SEC)
#define RETIRED_AFTER_USEC (60 * USEC_PER_SEC)

/* How long a standby is blocked before this is logged. */
static usec_t blocked_patience(const struct group *g)
{
    const struct group_view *v = host_view(g->daemon->host, g->config->name);

    if (g->retired) /* between a Retire and its Reload lies a daemon-reload */
        return RETIRED_AFTER_USEC;
    if (v && !v->state.guarded && !v->unguarded) /* it is not known yet */
        return UNCHECKED_AFTER_USEC;
    return BLOCKED_AFTER_USEC;
}

/* A standby that could not lead is worth an entry, once this has lasted; each reason once. */
static void report_blocked(struct group *g, const struct api_group *shown, usec_t now)
{
    struct journal_context c = {.message_id = MESSAGE_BLOCKED,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .reason = shown->reason};
    char obstacle[REASON_MAX] = "";
    bool worth = g->role == ROLE_BLOCKED && g->daemon->drain == DRAIN_NONE &&
                 g->daemon->connected && g->daemon->fit;

    if (worth && !g->daemon->locked[0]) /* what holds a claim up is logged at once */
        obstacle_describe(g, now, obstacle);
    if (!obstacle[0]) {
        g->blocked_since = 0;
        if (g->role != ROLE_BLOCKED)
            g->blocked[0] = '\0';
        return;
    }
    if (g->blocked_since == 0)
        g->blocked_since = now;
    if (usec_sub(now, g->blocked_since) < blocked_patience(g) ||
        strcmp(g->blocked, shown->reason) == 0)
        return;
    (void)snprintf(g->blocked, sizeof g->blocked, "%s", shown->reason);
    journal_write(LOG_WARNING, &c, "%s: this node could not take over: %s", shown->name,
                  shown->reason);
}

/* The lease has expired or was released, and nothing is about to change that here. */
static bool nobody_leads(const struct group *g, const struct api_group *shown, usec_t now)
{
    const struct member *m = &g->member;
    bool standby = (m->state == MEMBER_STANDBY || waits_for_lock(g)) && !m->stopping &&
                   g->daemon->drain == DRAIN_NONE;
    bool asked = g->daemon->connected || g->daemon->locked[0];
    bool over =
        m->seen.record.clean || held_up(g) ||
        (g->changed_at > 0 && usec_sub(now, g->changed_at) >= usec_max(shown->watch, shown->lease));
    bool cannot = g->role == ROLE_BLOCKED || (m->failed_starts > 0 && m->not_before > now);

    return standby && asked && m->seen.at > 0 && over && cannot;
}

/* How long a host that could lead may need until this one sees it lead: it may read the record a
 * poll later than this one, and this one reads what comes of that another poll later. */
static usec_t leaderless_patience(const struct group *g)
{
    return LEADERLESS_AFTER_USEC +
           2 * usec_min(g->config->budget.duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

/* A group that no node leads, and that this one could not lead: logged once for each reason, and
 * when it is led again. */
static void report_leaderless(struct group *g, const struct api_group *shown, usec_t now)
{
    struct journal_context c = {.message_id = MESSAGE_LEADERLESS,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .reason = shown->reason};
    bool renewed = g->renewal_at > g->leaderless_at || member_leads(&g->member);

    if (g->leaderless[0] && renewed) {
        journal_write(LOG_NOTICE, &c, "%s: the group is led again", shown->name);
        g->leaderless[0] = '\0';
    }
    if (!nobody_leads(g, shown, now)) {
        g->leaderless_since = 0;
        return;
    }
    if (g->leaderless_since == 0)
        g->leaderless_since = now;
    if (usec_sub(now, g->leaderless_since) < leaderless_patience(g) ||
        strcmp(g->leaderless, shown->reason) == 0 ||
        (g->leaderless[0] && usec_sub(now, g->leaderless_at) < LEADERLESS_AGAIN_USEC))
        return;
    (void)snprintf(g->leaderless, sizeof g->leaderless, "%s", shown->reason);
    g->leaderless_at = now;
    journal_write(LOG_ALERT, &c,
                  "%s: nobody leads the group, and this node cannot take it over: %s", shown->name,
                  shown->reason);
}

/* Other hosts will not wait for it, so an operator has to know: logged once for each time. */
static void report_stuck(struct group *g, const struct api_group *shown, usec_t now)
{
    char what[REASON_MAX];
    struct journal_context c = {.message_id = MESSAGE_STUCK,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number,
                                .reason = what};

    describe_stuck(g, now, what);
    if (what[0] && !g->stuck_logged)
        journal_write(LOG_ALERT, &c,
                      "%s: term %" PRIu64 " is over, and the group does not end here: %s. It is "
                      "not given back; another node may lead it all the same",
                      shown->name, c.term, what);
    g->stuck_logged = what[0] != '\0';
}

/* A unit of a group that this node leads does not run: logged once for each time, and when it runs
 * again. At the beginning of a term units are on their way up. */
static void report_missed(struct group *g, const struct api_group *shown, usec_t now)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    char what[REASON_MAX / 2];
    struct journal_context c = {.message_id = MESSAGE_MISSED,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number,
                                .reason = what};

    if (v && v->state.asked_at == 0)
        return;
    describe_missed(v, what, sizeof what);
    if (!member_leads(&g->member) || !what[0]) {
        if (g->missed[0] && member_leads(&g->member))
            journal_write(LOG_NOTICE, &c, "%s: all its units run again", shown->name);
        g->missed_since = 0;
        g->missed[0] = '\0';
        return;
    }
    if (g->missed_since == 0)
        g->missed_since = now;
    if (usec_sub(now, g->missed_since) < MISSED_AFTER_USEC || strcmp(g->missed, what) == 0)
        return;
    (void)snprintf(g->missed, sizeof g->missed, "%s", what);
    journal_write(LOG_ERR, &c,
                  "%s: this node leads, but %s: see systemctl status, and `systemctl start` it",
                  shown->name, what);
}

/* What runs here would outlive the term: logged once for each reason, and when it is mended. */
static void report_lost(struct group *g, const struct api_group *shown)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    struct journal_context c = {.message_id = MESSAGE_UNGUARDED,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number};

    if (!v || !holds_term(&g->member)) {
        g->lost_logged[0] = '\0';
        return;
    }
    if (v->lost && strcmp(g->lost_logged, v->problem) != 0) {
        (void)snprintf(g->lost_logged, sizeof g->lost_logged, "%s", v->problem);
        c.reason = v->problem;
        journal_write(LOG_ALERT, &c,
                      "%s: this node leads, and guards of the group are not in effect: %s",
                      shown->name, v->problem);
    } else if (v->state.guarded && g->lost_logged[0]) {
        g->lost_logged[0] = '\0';
        journal_write(LOG_NOTICE, &c, "%s: all guards of the group are in effect again",
                      shown->name);
    }
}

/* An address is left, perhaps, that another node has by now: logged once for each reason. */
static void report_left(struct group *g, const struct api_group *shown)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    struct journal_context c = {
        .message_id = MESSAGE_LEFT, .node = g->daemon->config->node, .group = shown->name};

    if (!v || v->stops != STOPS_LEFT) {
        g->left_logged[0] = '\0';
        return;
    }
    if (strcmp(g->left_logged, v->left) == 0)
        return;
    (void)snprintf(g->left_logged, sizeof g->left_logged, "%s", v->left);
    c.term = v->stops_term;
    c.reason = v->left;
    journal_write(LOG_ALERT, &c,
                  "%s: term %" PRIu64 " is over, and what one of its units set up may be left on "
                  "this node: %s. It is not given back; another node leads it when its lease has "
                  "run out: see to it that it is gone here",
                  shown->name, c.term, c.reason);
}

/* The same, foreseen: logged once for each reason, and when it is mended. */
static void report_doubt(struct group *g, const struct api_group *shown)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    struct journal_context c = {.message_id = MESSAGE_DOUBT,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number};

    if (!v || !member_leads(&g->member)) {
        g->doubt_logged[0] = '\0';
        return;
    }
    if (*v->doubt && strcmp(g->doubt_logged, v->doubt) != 0) {
        (void)snprintf(g->doubt_logged, sizeof g->doubt_logged, "%s", v->doubt);
        c.reason = v->doubt;
        journal_write(LOG_ALERT, &c,
                      "%s: this node leads, and what one of its units has set up may be left when "
                      "it ends: %s",
                      shown->name, v->doubt);
    } else if (!*v->doubt && g->doubt_logged[0]) {
        g->doubt_logged[0] = '\0';
        journal_write(LOG_NOTICE, &c, "%s: all its units can be stopped as they were started",
                      shown->name);
    }
}

/* The node leads on all the same: what it lacks counts only when keeper and PID 1 both hang. To
 * step down would be an interruption for certain, on all hosts one after the other if all have lost
 * the watchdog. */
static void report_unarmed(struct group *g, const struct api_group *shown)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    struct journal_context c = {.message_id = MESSAGE_UNARMED,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number,
                                .reason = shown->reason};
    bool unarmed = v && v->unarmed && holds_term(&g->member);

    if (unarmed && !g->unarmed_logged)
        journal_write(
            LOG_ALERT, &c,
            "%s: this node leads on, but could not begin to: the hardware watchdog, which "
            "the group requires, is not armed or too slow, as tenurectl status %s says",
            shown->name, shown->name);
    else if (g->unarmed_logged && v && v->state.guarded && holds_term(&g->member))
        journal_write(LOG_NOTICE, &c, "%s: the hardware watchdog is armed again", shown->name);
    g->unarmed_logged =
        unarmed || (g->unarmed_logged && v && !v->state.guarded && holds_term(&g->member));
}

/* A lease that was changed in the configuration counts in the running term, too, a moment later. */
static void report_lease(struct group *g, const struct api_group *shown)
{
    bool leads = member_leads(&g->member), waits = leads && shown->lease != shown->configured;
    char lease[SPAN_FORMAT_MAX];

    if (g->lease_waits && leads && !waits)
        log_info("%s: term %" PRIu64 " has the configured lease now, %s", shown->name,
                 g->member.term.number, format_span(shown->lease, lease, sizeof lease));
    g->lease_waits = waits;
}

/* The other copy suffices, but is the last one: logged once for each reason, and when both are
 * back. While the guards are not known, nothing is logged. */
static void report_copy(struct group *g, const struct api_group *shown, usec_t now)
{
    const struct group_view *v = host_view(g->daemon->host, shown->name);
    struct journal_context c = {.message_id = MESSAGE_COPY_LOST,
                                .node = g->daemon->config->node,
                                .group = shown->name,
                                .term = g->member.term.number};

    if (!v || v->state.guards.state == GUARDS_UNKNOWN)
        return;
    if (!v->lost_copy[0]) {
        g->copy_since = 0;
        if (g->copy_logged[0])
            journal_write(LOG_NOTICE, &c, "%s: both copies of the group's guards are there again",
                          shown->name);
        g->copy_logged[0] = '\0';
        return;
    }
    if (g->copy_since == 0)
        g->copy_since = now;
    if (usec_sub(now, g->copy_since) < HEAL_GRACE_USEC || strcmp(g->copy_logged, v->lost_copy) == 0)
        return;
    (void)snprintf(g->copy_logged, sizeof g->copy_logged, "%s", v->lost_copy);
    c.reason = v->lost_copy;
    journal_write(LOG_ALERT, &c, "%s: one of the two copies of the group's guards is lost: %s",
                  shown->name, v->lost_copy);
}

void alerts_check(struct group *g, const struct api_group *shown, usec_t now)
{
    report_blocked(g, shown, now);
    report_leaderless(g, shown, now);
    report_stuck(g, shown, now);
    report_missed(g, shown, now);
    report_lost(g, shown);
    report_left(g, shown);
    report_doubt(g, shown);
    report_unarmed(g, shown);
    report_copy(g, shown, now);
    report_lease(g, shown);
}

bool alerts_quiet(const struct group *g)
{
    return g->blocked_since == 0 && !g->blocked[0] && g->leaderless_since == 0 &&
           !g->leaderless[0] && !g->stuck_logged && g->missed_since == 0 && !g->missed[0] &&
           !g->lost_logged[0] && !g->left_logged[0] && !g->doubt_logged[0] && !g->unarmed_logged &&
           g->copy_since == 0 && !g->copy_logged[0] && !g->lease_waits;
}
