/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verb_apply.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/file.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "ctl/agent.h"
#include "ctl/announce.h"
#include "ctl/apply_arbiter.h"
#include "ctl/apply_plan.h"
#include "ctl/load.h"
#include "ctl/mounts.h"
#include "ctl/options.h"
#include "ctl/systemd.h"
#include "ctl/units.h"
#include "ctl/watchdog.h"
#include "guard/copy.h"
#include "guard/remember.h"

#define STAYS "what was applied before stays in force"
#define LOCK_TRIES 40
#define LOCK_AGAIN_USEC 50000
/* The agent's start waits for what would be applied all the same. */
#define INSIST_USEC (30 * USEC_PER_SEC)

#define SAID_MAX 512

/* What was asked for besides. */
struct wishes {
    const char *const *release;
    size_t n_release;
    bool insist;  /* on what is refused otherwise: nothing is applied yet */
    bool force;   /* an arbiter that does not answer */
    bool dry_run; /* only say what would come of it */
};

/* What PID 1 or the agent answered may quote anybody. */
static const char *said(const sd_bus_error *e, int error, char ret[static SAID_MAX])
{
    return text_clean(e->message ? e->message : strerror(-error), ret, SAID_MAX);
}

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
    char text[SAID_MAX];

    if (!agent)
        return refuse_live_keepers(ctl, bus, p, "tenured does not run: start it, then apply");
    int r = p->n_retire == 0 ? 0 : agent_retire(bus, p->retire, p->n_retire, p->timeout, &error);
    if (r < 0)
        (void)ctl_fail(ctl,
                       "cannot step down from what is removed or changed: %s; nothing is changed",
                       said(&error, r, text));
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

/* insist: what would be refused, or cannot be asked about, is applied all the same. Nobody might
 * repeat it before the next boot, and the agent has units judged again before it leads. */
static int check_units(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c,
                       const struct wishes *w)
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

/* ---- writing ---- */

static int write_guards(const struct ctl *ctl, const struct tenure_config *c, size_t *ret_written)
{
    struct guard_copy copy;
    int r = guard_copy_write(c, ctl->copy_dir, ctl_unit_dirs(ctl), &copy);

    *ret_written = copy.n_written;
    if (r < 0)
        return ctl_fail(ctl, "cannot write the guards to %s: %s; " STAYS, ctl->copy_dir,
                        strerror(-r));
    if (copy.refused < 0)
        ctl_warn(ctl,
                 "the guards%s%s cannot be written to %s: %s; there is one copy of them only, the "
                 "generator's",
                 copy.refused_unit[0] ? " of " : "", copy.refused_unit, ctl->copy_dir,
                 strerror(-copy.refused));
    if (copy.hidden_unit[0])
        ctl_warn(ctl,
                 "%s/%s.d has mode %04o, so the agent cannot see whether the guards in it are "
                 "there: run chmod a+rx %s/%s.d",
                 ctl->copy_dir, copy.hidden_unit, (unsigned)copy.hidden_mode, ctl->copy_dir,
                 copy.hidden_unit);
    return CTL_OK;
}

/* Says why it cannot be written, by what config_find_place() or config_write_applied() returned. */
static int fail_to_write(const struct ctl *ctl, size_t where, int error, int of_own)
{
    const char *file = ctl->applied[where], *own = ctl->applied[CONFIG_APPLIED_OWN];

    if (where >= CONFIG_APPLIED_OLDER)
        return ctl_fail(
            ctl,
            "%s cannot be written (%s), and %s, of an earlier version, cannot be removed "
            "(%s) and would count after the next boot: make their directories writable, "
            "then apply again; " STAYS,
            own, strerror(-of_own), file, strerror(-error));
    if (where == CONFIG_APPLIED_VOLATILE)
        return ctl_fail(ctl,
                        "cannot write %s: %s; nor %s: %s: make the directory of either writable, "
                        "then apply again; " STAYS,
                        own, strerror(-of_own), file, strerror(-error));
    return ctl_fail(ctl, "cannot write %s: %s%s; " STAYS, own, strerror(-error),
                    error == -EROFS || error == -EACCES || error == -EPERM
                        ? ": make its directory writable, then apply again"
                        : "");
}

static bool is_writable(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/.", dir);

    return n > 0 && (size_t)n < sizeof path && access(path, W_OK) == 0;
}

/* What is in memory alone is forgotten with the next boot; by then only guards on the disk keep a
 * unit from starting that no file names any more. */
static int check_kept(const struct ctl *ctl, const struct config_kept *k, int of_own)
{
    char group[GROUP_NAME_MAX + 1];

    for (size_t i = 0; i < k->n_units; i++)
        if (guard_copy_find(ctl->copy_dir, k->units[i], group) < 0 && !is_writable(ctl->copy_dir))
            return ctl_fail(
                ctl,
                "%s cannot be written: %s, and %s, which left group \"%s\", could start "
                "here after the next boot: make its directory writable; or, when no "
                "other host runs what left it, run tenurectl apply --release %s; "
                "nothing is changed: " STAYS,
                ctl->applied[CONFIG_APPLIED_OWN], strerror(-of_own), k->units[i], k->name, k->name);
    return CTL_OK;
}

/* Before anything steps down for what cannot be written. */
static int check_place(const struct ctl *ctl, const struct plan *p)
{
    size_t where;
    int of_own, r = config_find_place(ctl->applied, &where, &of_own);

    if (r < 0)
        return fail_to_write(ctl, where, r, of_own);
    r = CTL_OK;
    for (size_t i = 0; where == CONFIG_APPLIED_VOLATILE && i < p->after->n_kept && r == CTL_OK; i++)
        r = check_kept(ctl, &p->after->kept[i], of_own);
    return r;
}

static int write_configuration(const struct ctl *ctl, const struct tenure_config *c)
{
    const char *own = ctl->applied[CONFIG_APPLIED_OWN];
    size_t where = CONFIG_APPLIED_OWN;
    int error = 0;
    int r = config_write_applied(c, ctl->applied, &where, &error);

    if (r < 0)
        return fail_to_write(ctl, where, r, error);
    if (where == CONFIG_APPLIED_VOLATILE) {
        ctl_warn(ctl,
                 "%s cannot be written: %s; what is applied is in %s, until this host boots, and "
                 "applied again by the agent's next start",
                 own, strerror(-error), ctl->applied[where]);
        (void)ctl_warn_declared_late(ctl);
    } else if (error < 0)
        ctl_warn(ctl, "%s cannot be written: %s; there is no copy of %s",
                 ctl->applied[CONFIG_APPLIED_COPY], strerror(-error), own);
    return CTL_OK;
}

/* Without it nothing is less guarded. */
static void remember(const struct ctl *ctl, const struct tenure_config *c)
{
    int r = guard_remember(c, ctl->remember_dir, ctl_unit_dirs(ctl));

    if (r < 0)
        ctl_warn(ctl,
                 "cannot write %s: %s; what runs without leadership can be stopped by name only as "
                 "long as its guards are there",
                 ctl->remember_dir, strerror(-r));
}

static int write_all(const struct ctl *ctl, sd_bus *bus, const struct plan *p)
{
    size_t n;

    /* Guards first: until the rest is written too they are of use, and in nobody's way. */
    if (write_guards(ctl, p->after, &n) != CTL_OK || write_configuration(ctl, p->after) != CTL_OK) {
        (void)agent_reload(bus, NULL);
        return CTL_FAILED;
    }
    ctl_warn_mounted_late(ctl);
    remember(ctl, p->after);
    /* All of it is dead by now, and free by somebody's word. */
    int r = guard_copy_prune(p->after, ctl->copy_dir, ctl_unit_dirs(ctl));
    if (r < 0)
        ctl_warn(ctl,
                 "cannot remove all guards of what was released from %s: %s; its units cannot be "
                 "started here until they are removed",
                 ctl->copy_dir, strerror(-r));
    return CTL_OK;
}

static int take_effect(const struct ctl *ctl, sd_bus *bus)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL, agent_error = SD_BUS_ERROR_NULL;
    char text[SAID_MAX];
    int r = systemd_reload(bus, &error);

    if (r < 0)
        return ctl_fail(ctl,
                        "%s is written, but systemd did not reload: %s; apply again, until then "
                        "groups whose guards are not in effect do not start",
                        ctl->applied[0], said(&error, r, text));
    r = agent_reload(bus, &agent_error);
    if (r < 0 && r != -ENXIO)
        return ctl_fail(ctl, "%s is written, but tenured did not take it: %s", ctl->applied[0],
                        said(&agent_error, r, text));
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

/* Root's alone: a process that may open a file can lock it. What restores guards may not write
 * there, and need not when it exists. */
static int open_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT)
        fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

/* One apply at a time on this host. The lock ends with the descriptor. */
static int lock_applies(const struct ctl *ctl)
{
    _cleanup_close_ int fd = open_lock(ctl->lock_file);

    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return take_fd(&fd);
}

/* Restoring takes a moment, and begins by itself: an administrator need not see it. Returns the
 * lock, or negative errno: -EWOULDBLOCK when another apply is at work. */
static int lock_or_fail(const struct ctl *ctl)
{
    int lock = -EWOULDBLOCK;

    for (int i = 0; lock == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
        if (i > 0)
            (void)usleep(LOCK_AGAIN_USEC);
        lock = lock_applies(ctl);
    }
    if (lock == -EWOULDBLOCK)
        (void)ctl_fail(ctl, "another apply is at work: try again when it is done");
    else if (lock < 0)
        (void)ctl_fail(ctl,
                       "cannot lock %s: %s: run systemd-tmpfiles --create, then tenurectl apply",
                       ctl->lock_file, strerror(-lock));
    return lock;
}

static int status_of_lock(int lock)
{
    return lock >= 0 ? CTL_OK : lock == -EWOULDBLOCK ? CTL_BUSY : CTL_FAILED;
}

/* What is only looked at when the applied configuration cannot be read. */
static int look_at_agent(const struct ctl *ctl, sd_bus *bus, bool wanted, bool *ret_running,
                         struct agent_view **ret)
{
    int r = agent_running(bus);

    if (r < 0)
        return ctl_fail(ctl, "cannot ask the bus for tenured: %s", strerror(-r));
    *ret_running = r > 0;
    r = *ret_running && wanted ? agent_look(bus, ret) : 0;
    if (r < 0)
        return ctl_fail(ctl, "%s cannot be used and tenured does not say what is applied: %s",
                        ctl->applied[0], strerror(-r));
    return CTL_OK;
}

/* Who cannot tell refuses rather than ends what is led. */
static bool may_run(void)
{
    _cleanup_bus_ sd_bus *bus = NULL;

    return systemd_open_bus(&bus, SYSTEMD_ASIDE_TIMEOUT_USEC) < 0 || agent_running(bus) != 0;
}

/* Before the lock where it is tried: others need not wait for a server that is silent. */
static int judge_arbiter(const struct ctl *ctl, struct tenure_config *after, const struct wishes *w,
                         bool tries, struct tenure_config **ret_before)
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
static int prepare(const struct ctl *ctl, sd_bus *bus, struct plan *plan, const struct wishes *w,
                   bool *ret_agent, struct agent_view **ret_view)
{
    int r = ctl->asks_systemd ? check_units(ctl, bus, plan->after, w) : CTL_OK;

    if (r == CTL_OK)
        r = look_at_agent(ctl, bus, !plan->before, ret_agent, ret_view);
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
    int r = check_place(ctl, plan);

    if (r == CTL_OK)
        r = step_down(ctl, bus, plan, agent);
    if (r == CTL_OK)
        r = write_all(ctl, bus, plan);
    if (r == CTL_OK)
        r = take_effect(ctl, bus);
    if (r == CTL_OK) {
        print_summary(ctl, plan);
        (void)ctl_warn_watchdog(ctl, plan->after);
    }
    return r;
}

static int apply(const struct ctl *ctl, const struct wishes *w)
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
    lock = w->dry_run ? -1 : lock_or_fail(ctl);
    if (lock < 0 && !w->dry_run)
        return status_of_lock(lock);
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

/* ---- what is lost of what is applied ---- */

static bool same_files(const char *a, const char *b)
{
    _cleanup_free_ char *one = NULL, *other = NULL;

    return file_read(a, CONFIG_SNAPSHOT_SIZE_MAX, &one) == 0 &&
           file_read(b, CONFIG_SNAPSHOT_SIZE_MAX, &other) == 0 && strcmp(one, other) == 0;
}

static void count_difference(void *userdata, const char *unit)
{
    (void)unit;
    ++*(size_t *)userdata;
}

/* What is applied and where it was found; complete: all of it is there twice. */
struct applied {
    struct tenure_config *config;
    size_t from;
    bool twice;      /* itself */
    bool complete;   /* and its guards */
    bool remembered; /* since the boot */
};

/* Returns as config_load_applied(). */
static int look_at_applied(const struct ctl *ctl, struct applied *ret)
{
    _cleanup_problems_ struct config_problems problems = {0};
    size_t n = 0;
    int r = config_load_applied(ctl->applied, &problems, &ret->config, &ret->from);

    if (r < 0)
        return r;
    ret->twice = ret->from == CONFIG_APPLIED_OWN && same_files(ctl->applied[0], ctl->applied[1]);
    ret->complete = ret->twice && guard_copy_compare(ret->config, ctl->copy_dir, ctl_unit_dirs(ctl),
                                                     count_difference, &n) == 0;
    ret->remembered = guard_remembers(ret->config, ctl->remember_dir, ctl_unit_dirs(ctl));
    return 0;
}

static bool any_older(const struct ctl *ctl)
{
    for (size_t i = 0; ctl->applied[i]; i++)
        if (i >= CONFIG_APPLIED_OLDER && access(ctl->applied[i], F_OK) == 0)
            return true;
    return false;
}

static bool has_all(const struct tenure_config *c, char *const *units, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!config_has_unit(c, units[i]))
            return false;
    return true;
}

static bool guards_all_of(const struct tenure_config *c, const struct tenure_config *older)
{
    bool all = true;

    for (size_t i = 0; all && i < older->n_groups; i++)
        all = has_all(c, older->groups[i].units, older->groups[i].n_units);
    for (size_t i = 0; all && i < older->n_kept; i++)
        all = has_all(c, older->kept[i].units, older->kept[i].n_units);
    return all;
}

/* Files of an earlier version that name nothing more than what is applied. Of others the next apply
 * keeps what they name. */
static void remove_older(const struct ctl *ctl, const struct tenure_config *c)
{
    for (size_t i = 0; ctl->applied[i]; i++) {
        _cleanup_problems_ struct config_problems problems = {0};
        _cleanup_config_ struct tenure_config *older = NULL;

        if (i >= CONFIG_APPLIED_OLDER &&
            config_load_snapshot(ctl->applied[i], &problems, &older) == 0 &&
            guards_all_of(c, older))
            (void)unlink(ctl->applied[i]); /* what cannot be taken away comes last all the same */
    }
}

/* Would a reload bring anything back? Not where all that is lost is the copy on a file system that
 * cannot be written. */
static bool reload_helps(const struct ctl *ctl, const struct applied *a)
{
    size_t n = 0;

    return a->complete || guard_copy_compare(a->config, GUARD_GENERATOR_DIR, ctl_unit_dirs(ctl),
                                             count_difference, &n) != 0;
}

static int reload(const struct ctl *ctl)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    char text[SAID_MAX];
    _cleanup_bus_ sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = systemd_reload(bus, &error);
    return r >= 0 ? CTL_OK : ctl_fail(ctl, "systemd did not reload: %s", said(&error, r, text));
}

/* Takes nothing away: what an older file names is for an apply to keep. Where it is in memory alone
 * because it can be nowhere else, apply and check say so. */
static int restore_configuration(const struct ctl *ctl, const struct applied *a)
{
    int of_copy = 0;
    int r = config_restore_applied(a->config, ctl->applied, &of_copy);

    if (r < 0 && a->from == CONFIG_APPLIED_VOLATILE)
        return CTL_OK;
    if (r < 0)
        return ctl_fail(ctl, "cannot write %s: %s: run tenurectl apply",
                        ctl->applied[CONFIG_APPLIED_OWN], strerror(-r));
    if (of_copy < 0)
        ctl_warn(ctl, "%s cannot be written: %s; there is no copy of %s",
                 ctl->applied[CONFIG_APPLIED_COPY], strerror(-of_copy),
                 ctl->applied[CONFIG_APPLIED_OWN]);
    return CTL_OK;
}

/* As much of it as can be written; then the lock is nobody's any more. in_effect: also what was not
 * lost shall be in effect. */
static int restore(const struct ctl *ctl, const struct applied *a, int *lock, bool in_effect)
{
    size_t n;
    int of_guards = write_guards(ctl, a->config, &n);
    int of_config = a->twice ? CTL_OK : restore_configuration(ctl, a);
    int reloaded = CTL_OK;

    cleanup_close(lock);
    *lock = -1;
    if (n > 0)
        (void)fprintf(ctl->out, "Restored %zu guard%s of what is applied.\n", n, n == 1 ? "" : "s");
    if (n > 0 || (in_effect && reload_helps(ctl, a)))
        reloaded = reload(ctl);
    return of_guards == CTL_OK && of_config == CTL_OK ? reloaded : CTL_FAILED;
}

/* For the agent, when guards are lost or not in effect. Applies nothing. Without anything to
 * restore from, PID 1 reads what is there all the same; not beside another apply, which has it do
 * so at its end. */
static int apply_restore(const struct ctl *ctl)
{
    struct applied a = {.config = NULL};
    _cleanup_close_ int lock = lock_or_fail(ctl);

    if (lock < 0) {
        if (lock != -EWOULDBLOCK)
            (void)reload(ctl);
        return status_of_lock(lock);
    }
    int r = look_at_applied(ctl, &a);
    if (r < 0) {
        (void)reload(ctl);
        return ctl_fail(ctl, "%s cannot be used, so nothing is restored: run tenurectl apply",
                        ctl->applied[0]);
    }
    r = restore(ctl, &a, &lock, true);
    (void)config_free(a.config);
    return r;
}

/* What is applied stays so, and is made whole; what is damaged is left for the operator to see. */
static int apply_if_missing(const struct ctl *ctl)
{
    struct applied before = {.config = NULL}, now = {.config = NULL};
    int r = look_at_applied(ctl, &before);

    (void)config_free(before.config);
    if (r == -ENOENT)
        return apply(ctl, &(const struct wishes){.insist = true});
    if (r < 0 || (before.complete && before.remembered && !any_older(ctl)))
        return CTL_OK;

    /* Another apply may have been at work until now. */
    _cleanup_close_ int lock = lock_or_fail(ctl);
    if (lock < 0)
        return status_of_lock(lock);
    r = look_at_applied(ctl, &now);
    if (r == 0 && !now.remembered)
        remember(ctl, now.config);
    bool known = r == 0;
    r = r < 0 || now.complete ? CTL_OK : restore(ctl, &now, &lock, false);
    if (known && r == CTL_OK && access(ctl->applied[CONFIG_APPLIED_OWN], F_OK) == 0)
        remove_older(ctl, now.config);
    (void)config_free(now.config);
    return r;
}

/* `systemctl reload tenured` shows its caller nothing of this, but where to look: there the last
 * line is this one. */
static int tell_asker(const struct ctl *ctl, int status)
{
    if (status != CTL_OK && ctl->to_journal)
        ctl_warn(ctl,
                 "the reload has failed for the reasons above; `sudo tenurectl apply` tries again "
                 "and says them on the terminal");
    return status;
}

int verb_apply(const struct ctl *ctl, int argc, char *argv[])
{
    _cleanup_free_ const char **release = calloc((size_t)argc + 1, sizeof(char *));
    struct wishes w = {.release = release};
    bool if_missing = false, restore_only = false;
    const struct ctl_option options[] = {
        {.name = "if-missing", .flag = &if_missing},
        {.name = "restore", .flag = &restore_only},
        {.name = "force", .flag = &w.force},
        {.name = "dry-run", .flag = &w.dry_run},
        {.name = "release", .values = release, .n_values = &w.n_release, .room = (size_t)argc},
        {0},
    };
    if (!release)
        return ctl_fail(ctl, "out of memory");
    int r = ctl_options(ctl, argc, argv, options);
    if (r != 0)
        return r - 1;
    if (optind < argc || if_missing + restore_only + (w.n_release > 0 || w.force || w.dry_run) > 1)
        return ctl_usage(ctl,
                         "apply takes no argument: tenurectl apply [--if-missing | --restore | "
                         "[--dry-run] [--force] [--release GROUP]]");
    if (geteuid() != 0)
        return ctl_fail(ctl, "apply must be run as root");
    if (restore_only)
        return apply_restore(ctl);
    return if_missing ? apply_if_missing(ctl) : tell_asker(ctl, apply(ctl, &w));
}
