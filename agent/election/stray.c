/* SPDX-License-Identifier: Apache-2.0 */
#include "election/stray.h"

#include <assert.h>

/* Of the term that ends, or of the configuration, whichever is longer. */
static usec_t stop_timeout(const struct member *m)
{
    return usec_max(m->term.stop, m->budget.stop);
}

static usec_t kill_time(const struct member *m)
{
    return usec_max(cover_kill(&m->term.cover), budget_kill(m->budget.lease));
}

/* Nothing of it runs. The stop of a keeper that was none waits for the units that it stops: then
 * PID 1 has a job for it for as long as they resist. */
static bool keeper_is_gone(const struct host_state *host)
{
    return host->keeper == KEEPER_GONE || host->keeper_queued;
}

/* Keeper, PID 1 and fence have ended what they could, or have had their time for it. */
static bool ending_is_over(const struct member *m, usec_t now)
{
    usec_t bound = usec_add(stop_timeout(m), kill_time(m) + BUDGET_SLACK_USEC);

    if (m->host.asked_at <= m->since)
        return false; /* nothing is known of what the end has come to */
    return keeper_is_gone(&m->host) || now >= usec_add(m->since, bound);
}

static bool is_unreached(const struct member *m)
{
    return m->state == MEMBER_ENDING && m->host.units_stay &&
           m->host.asked_at >= usec_add(m->since, STRAY_UNREACHED_USEC);
}

/* What runs here now has no right to, and no keeper that ends it. */
static bool has_strays(const struct member *m, usec_t now)
{
    const struct host_state *host = &m->host;
    bool alive = !host->units_dead || !host->slice_empty;

    switch (m->state) {
    case MEMBER_STANDBY:
        return alive && host->asked_at > 0 && keeper_is_gone(host);
    case MEMBER_ENDING:
        return alive && (ending_is_over(m, now) || is_unreached(m));
    case MEMBER_CONFIRMING:
    case MEMBER_STARTING:
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
    case MEMBER_RELEASING:
        return false;
    }
    return false;
}

static bool is_due(const struct stray *s, const struct member *m, usec_t now)
{
    if (now < s->next)
        return false;
    return is_unreached(m) || (s->stopped > 0 && now >= usec_add(s->stopped, STRAY_STOP_USEC));
}

enum stray_verdict stray_judge(struct stray *s, const struct member *m, usec_t now)
{
    assert(s);
    assert(m);

    if (!has_strays(m, now)) {
        bool was = s->asked > 0;

        *s = (struct stray){.gone = was ? now : s->gone};
        return was ? STRAY_GONE : STRAY_NONE;
    }
    if (s->since == 0)
        s->since = now;
    /* After a term its own end was the stop. */
    if (s->stopped == 0 && m->state == MEMBER_ENDING && now >= usec_add(s->since, STRAY_LASTS_USEC))
        s->stopped = now;
    if (!is_due(s, m, now))
        return STRAY_NONE;
    if (s->asked == 0)
        s->asked = now;
    s->pause = s->pause == 0 ? STRAY_AGAIN_USEC : usec_min(s->pause * 2, STRAY_AGAIN_MAX_USEC);
    s->next = usec_add(now, usec_add(stop_timeout(m), s->pause));
    return STRAY_END;
}

void stray_stopped(struct stray *s, usec_t now)
{
    assert(s);

    if (s->since > 0 && s->stopped == 0)
        s->stopped = now;
}

void stray_refused(struct stray *s, usec_t now)
{
    assert(s);

    if (s->since > 0)
        s->next = usec_add(now, usec_max(s->pause, STRAY_AGAIN_USEC));
}

usec_t stray_due(const struct stray *s)
{
    assert(s);

    if (s->since == 0)
        return USEC_INFINITY;
    if (s->stopped == 0)
        return usec_add(s->since, STRAY_LASTS_USEC);
    return usec_max(usec_add(s->stopped, STRAY_STOP_USEC), s->next);
}

bool stray_settled(const struct stray *s, usec_t now)
{
    assert(s);

    return s->asked == 0 && (s->gone == 0 || now >= usec_add(s->gone, STRAY_SETTLE_USEC));
}

bool stray_killed(const struct stray *s, const struct member *m, usec_t now)
{
    assert(s);
    assert(m);

    return s->asked > 0 && now >= usec_add(s->asked, usec_add(stop_timeout(m), kill_time(m)));
}
