/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/apply.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/load.h"
#include "ctl/agent.h"
#include "ctl/announce.h"
#include "ctl/apply_arbiter.h"
#include "ctl/apply_lock.h"
#include "ctl/apply_plan.h"
#include "ctl/apply_write.h"
#include "ctl/load.h"
#include "ctl/systemd.h"
#include "ctl/units.h"
#include "ctl/watchdog.h"

/* The agent's start waits for what would be applied all the same. */
#define INSIST_USEC (30 * USEC_PER_SEC)

/* ---- stepping down ---- */

/* Which live keepers are in the way? */
struct obstacle {
    const struct plan *plan;
    const struct ctl *ctl;
    char group[GROUP_NAME_MAX + 1];
};

static void note_obstacle(void *userdata, const char *group, const char *active_state)
{
    struct obstacle *o = userdata;

    (void)active_state;
    if (plan_concerns(o->plan, o->ctl, group))
        (void)snprintf(o->group, sizeof o->group, "%s", group);
}

/* why: the agent does not step down from it, and what to do. */
static int refuse_live_keepers(const struct ctl *ctl, sd_bus *bus, const struct plan *p,
                               const char *why)
{
    struct obstacle o = {.plan = p, .ctl = ctl};
    int r = systemd_each_keeper(bus, note_obstacle, &o);

    if (r < 0)
        return ctl_fail(ctl, "cannot ask systemd: %s; nothing is changed", strerror(-r));
    if (o.group[0])
        return ctl_fail(
            ctl,
            "this host still leads group \"%s\" and must step down first, but %s; nothing is "
            "changed",
            o.group, why);
    return CTL_OK;
}

/* What the agent has stepped down from is asked of PID 1 as well: an agent that was restarted since
 * claims it again. */
static int step_down(const struct ctl *ctl, sd_bus *bus, const struct plan *p, bool agent)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    char text[SYSTEMD_SAID_MAX];

    if (!agent)
        return refuse_live_keepers(ctl, bus, p, "tenured does not run: start it, then apply");
    int r = p->n_retire == 0 ? 0 : agent_retire(bus, p->retire, p->n_retire, p->timeout, &error);
    if (r < 0)
        (void)ctl_fail(ctl,
                       "cannot step down from what is removed or changed: %s; nothing is changed",
                       systemd_said(&error, r, text));
    else if (p->n_retire == 0 && p->before)
        return CTL_OK;
    else if (refuse_live_keepers(ctl, bus, p,
                                 p->before ? "tenured did not do it: apply again"
                                           : "what is applied cannot be read and tenured does not "
                                             "know it: stop its keeper, or wait until its deadline "
                                             "has passed") == CTL_OK)
        return CTL_OK;
    /* What it has stepped down from already comes back. */
    (void)agent_reload(bus, NULL);
    return CTL_FAILED;
}

/* ---- the units ---- */

/* Findings of after a daemon-reload, where files have changed since the last. */
static int ask_about_units(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c,
                           usec_t until, struct units_findings *ret, const char **ret_unit)
{
    int r = units_ask(ctl, bus, c, false, until, ret, ret_unit);

    if (r < 0 || !ret->stale)
        return r;
    units_findings_clear(ret);
    r = systemd_reload(bus, NULL);
    return r < 0 ? r : units_ask(ctl, bus, c, true, until, ret, ret_unit);
}

/* insist: what would be refused, or cannot be asked about, is applied all the same. It might not
 * be repeated before the next boot, and the agent has units judged again before it leads. */
static int check_units(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c,
                       const struct apply_wishes *w)
{
    bool insist = w->insist;
    _cleanup_units_findings_ struct units_findings findings = {.stale = false};
    const char *unit = "its units";
    usec_t until = insist ? usec_add(clock_monotonic(), INSIST_USEC) : USEC_INFINITY;
    int r = w->dry_run ? units_ask(ctl, bus, c, true, until, &findings, &unit)
                       : ask_about_units(ctl, bus, c, until, &findings, &unit);
    size_t n = units_print(ctl, &findings);

    if (r < 0 && !insist)
        return ctl_fail(ctl, "systemd does not answer about %s (%s); nothing is changed: " STAYS,
                        unit, strerror(-r));
    if (r < 0)
        ctl_warn(ctl, "systemd does not answer about %s (%s); what only it knows is not checked",
                 unit, strerror(-r));
    if (n == 0 || insist)
        return CTL_OK;
    return ctl_fail(ctl, "%zu problem%s; nothing is changed: " STAYS, n, n == 1 ? "" : "s");
}

/* ---- taking effect ---- */

static int take_effect(const struct ctl *ctl, sd_bus *bus)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL, agent_error = SD_BUS_ERROR_NULL;
    char text[SYSTEMD_SAID_MAX];
    int r = systemd_reload(bus, &error);

    if (r < 0)
        return ctl_fail(ctl,
                        "%s is written, but systemd did not reload: %s; apply again, until then "
                        "groups whose guards are not in effect do not start",
                        ctl->applied[0], systemd_said(&error, r, text));
    r = agent_reload(bus, &agent_error);
    if (r < 0 && r != -ENXIO)
        return ctl_fail(ctl, "%s is written, but tenured did not take it: %s", ctl->applied[0],
                        systemd_said(&agent_error, r, text));
    return CTL_OK;
}

static void print_summary(const struct ctl *ctl, const struct plan *p)
{
    (void)fprintf(
        ctl->out, "Applied %zu group%s: %zu new, %zu removed, %zu changed, %zu as before.\n",
        p->after->n_groups, p->after->n_groups == 1 ? "" : "s", p->count[CONFIG_ADDED],
        p->count[CONFIG_REMOVED], p->count[CONFIG_CHANGED_BUDGET] + p->count[CONFIG_CHANGED_UNITS],
        p->count[CONFIG_UNCHANGED]);
    ctl_print_kept(ctl, p->after);
}

/* ---- the whole ---- */

/* wanted: what the agent has is read only when the applied configuration cannot be. */
static int read_agent(const struct ctl *ctl, sd_bus *bus, bool wanted, bool *ret_running,
                      struct agent_view **ret)
{
    int r = agent_running(bus);

    if (r < 0)
        return ctl_fail(ctl, "cannot ask the bus for tenured: %s", strerror(-r));
    *ret_running = r > 0;
    r = *ret_running && wanted ? agent_read(bus, ret) : 0;
    if (r < 0)
        return ctl_fail(ctl, "%s cannot be used and tenured does not say what is applied: %s",
                        ctl->applied[0], strerror(-r));
    return CTL_OK;
}

/* If that cannot be known, an apply is refused rather than ends what is led. */
static bool may_run(void)
{
    _cleanup_bus_ sd_bus *bus = NULL;

    return systemd_open_bus(&bus, SYSTEMD_ASIDE_TIMEOUT_USEC) < 0 || agent_running(bus) != 0;
}

/* Before the lock where it is tried: others need not wait for a server that is silent. */
static int judge_arbiter(const struct ctl *ctl, struct tenure_config *after,
                         const struct apply_wishes *w, bool tries,
                         struct tenure_config **ret_before)
{
    _cleanup_problems_ struct config_problems problems = {0};
    int r = config_load_applied(ctl->applied, &problems, ret_before, NULL);
    const struct apply_case c = {.before = r < 0 ? NULL : *ret_before,
                                 .unreadable = r < 0 && r != -ENOENT,
                                 .running = tries && may_run(),
                                 .force = w->force,
                                 .insist = w->insist};

    if (c.unreadable && tries)
        ctl_warn(ctl, "%s cannot be used: %s", ctl->applied[0], strerror(-r));
    r = apply_judge_password(ctl, &c, after);
    return r == CTL_OK && tries ? apply_arbiter(ctl, &c, after) : r;
}

static bool same_arbiter(const struct tenure_config *a, const struct tenure_config *b)
{
    return a && b ? strcmp(a->arbiter.conninfo, b->arbiter.conninfo) == 0 &&
                        a->arbiter.require_sync == b->arbiter.require_sync &&
                        a->arbiter.allow_unverified == b->arbiter.allow_unverified &&
                        a->arbiter.decided == b->arbiter.decided
                  : !a && !b;
}

/* With the lock, after a trial that may have taken a while: what is there now is what counts. */
static int load_again(const struct ctl *ctl, struct plan *plan, const struct tenure_config *before)
{
    _cleanup_problems_ struct config_problems problems = {0}, of_applied = {0};
    _cleanup_config_ struct tenure_config *files = NULL, *applied = NULL;
    int r = config_load(&ctl->paths, &problems, &files);

    (void)config_load_applied(ctl->applied, &of_applied, &applied, NULL);
    if (r < 0 || problems.n > 0 || !same_arbiter(files, plan->after) ||
        !same_arbiter(applied, before))
        return ctl_fail(ctl, "the files have changed meanwhile: apply again; nothing is changed");
    files->arbiter.unjudged = plan->after->arbiter.unjudged;
    (void)config_free(plan->after);
    plan->after = TAKE_PTR(files);
    return CTL_OK;
}

/* With nothing changed yet: what will be done, and whether it can. */
static int prepare(const struct ctl *ctl, sd_bus *bus, struct plan *plan,
                   const struct apply_wishes *w, bool *ret_agent, struct agent_view **ret_view)
{
    int r = ctl->asks_systemd ? check_units(ctl, bus, plan->after, w) : CTL_OK;

    if (r == CTL_OK)
        r = read_agent(ctl, bus, !plan->before, ret_agent, ret_view);
    if (r == CTL_OK)
        r = plan_make(plan, ctl, *ret_view);
    if (r != CTL_OK)
        return r;
    int error = announce(ctl, plan, bus, !w->dry_run);
    if (error < 0)
        return ctl_fail(ctl, "cannot ask systemd for keepers: %s; nothing is changed",
                        strerror(-error));
    /* Who waits for the end may read it before. */
    (void)fflush(ctl->out);
    return CTL_OK;
}

static int carry_out(const struct ctl *ctl, sd_bus *bus, const struct plan *plan, bool agent)
{
    int r = apply_check_place(ctl, plan);

    if (r == CTL_OK)
        r = step_down(ctl, bus, plan, agent);
    if (r == CTL_OK)
        r = apply_write(ctl, bus, plan);
    if (r == CTL_OK)
        r = take_effect(ctl, bus);
    if (r == CTL_OK) {
        print_summary(ctl, plan);
        (void)ctl_warn_watchdog(ctl, plan->after);
    }
    return r;
}

int apply(const struct ctl *ctl, const struct apply_wishes *w)
{
    _cleanup_agent_view_ struct agent_view *view = NULL; /* the plan points into it */
    _cleanup_plan_ struct plan plan = {.release = w->release, .n_release = w->n_release};
    _cleanup_config_ struct tenure_config *before = NULL;
    _cleanup_bus_ sd_bus *bus = NULL;
    _cleanup_close_ int lock = -1;
    bool agent = false, tries = ctl->tries && !w->insist; /* the agent's start waits for nothing */
    int r = ctl_load(ctl, &ctl->paths, &plan.after);

    if (r != 0) {
        (void)ctl_fail(ctl, "nothing is changed: " STAYS);
        return r;
    }
    r = tries ? judge_arbiter(ctl, plan.after, w, tries, &before) : CTL_OK;
    if (r != CTL_OK)
        return r;
    lock = w->dry_run ? -1 : apply_lock(ctl);
    if (lock < 0 && !w->dry_run)
        return apply_lock_status(lock);
    r = tries ? load_again(ctl, &plan, before) : judge_arbiter(ctl, plan.after, w, tries, &before);
    if (r != CTL_OK)
        return r;
    r = plan_load_applied(&plan, ctl);
    if (r < 0)
        return ctl_fail(ctl, "%s", strerror(-r));
    r = sd_bus_open_system(&bus);
    if (r < 0)
        return ctl_fail(ctl, "cannot reach the system bus: %s; nothing is changed", strerror(-r));
    r = prepare(ctl, bus, &plan, w, &agent, &view);
    return r == CTL_OK && !w->dry_run ? carry_out(ctl, bus, &plan, agent) : r;
}
