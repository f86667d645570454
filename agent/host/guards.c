/* SPDX-License-Identifier: Apache-2.0 */
#include "host/guards.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/guard.h"
#include "base/parse.h"
#include "host/properties.h"

#define GROUP_PATH_SIZE (UNIT_NAME_LEN_MAX + 32)

static bool contains(char *const *list, const char *what)
{
    for (; list && *list; list++)
        if (strcmp(*list, what) == 0)
            return true;
    return false;
}

/* "UNIT: ". Returns where the sentence goes. A sentence that does not fit is cut: its beginning
 * names the unit and the property. */
static size_t begin(char problem[static HOST_PROBLEM_MAX], const char *unit)
{
    int n = snprintf(problem, HOST_PROBLEM_MAX, "%s: ", unit);

    return n < 0 ? 0 : n < HOST_PROBLEM_MAX ? (size_t)n : HOST_PROBLEM_MAX - 1;
}

/* For a sentence that says itself what to do. Returns false. */
__attribute__((format(printf, 3, 4))) static bool
wrong_do(char problem[static HOST_PROBLEM_MAX], const char *unit, const char *format, ...)
{
    size_t n = begin(problem, unit);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(problem + n, HOST_PROBLEM_MAX - n, format, ap);
    va_end(ap);
    return false;
}

/* A property that is not what the generator wrote: not in effect yet, or overridden. */
__attribute__((format(printf, 3, 4))) static bool wrong(char problem[static HOST_PROBLEM_MAX],
                                                        const char *unit, const char *format, ...)
{
    size_t n = begin(problem, unit);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(problem + n, HOST_PROBLEM_MAX - n, format, ap);
    va_end(ap);
    n = strlen(problem);
    (void)snprintf(problem + n, HOST_PROBLEM_MAX - n,
                   ": run systemctl daemon-reload, or look at its drop-ins with systemctl cat %s",
                   unit);
    return false;
}

static const char *or_nothing(const char *value)
{
    return value && *value ? value : "nothing";
}

static bool word_is(char problem[static HOST_PROBLEM_MAX], const char *unit, const char *property,
                    const char *value, const char *expected)
{
    return strcmp(value, expected) == 0 ||
           wrong(problem, unit, "%s is %s, not %s", property, or_nothing(value), expected);
}

static bool lists(char problem[static HOST_PROBLEM_MAX], const char *unit, const char *property,
                  char *const *list, const char *expected)
{
    return contains(list, expected) ||
           wrong(problem, unit, "%s does not name %s", property, expected);
}

static bool at_most(char problem[static HOST_PROBLEM_MAX], const char *unit, const char *property,
                    usec_t value, usec_t limit)
{
    char is[SPAN_FORMAT_MAX], should[SPAN_FORMAT_MAX];

    /* PID 1 reports "never" as infinity, and takes 0 for it. */
    return (value > 0 && value <= limit) ||
           wrong(problem, unit, "%s is %s, more than the group's stop_timeout of %s", property,
                 value == USEC_INFINITY || value == 0 ? "infinity"
                                                      : format_span(value, is, sizeof is),
                 format_span(limit, should, sizeof should));
}

/* The stop timeout that the generator gave the keeper. Shorter, and a keeper is killed that still
 * lets its units stop; longer, and a keeper that hangs while it ends is replaced too late: no
 * watchdog counts by then. */
static bool keeper_timeout(char problem[static HOST_PROBLEM_MAX], const char *unit,
                           const char *property, usec_t value, usec_t stop)
{
    char is[SPAN_FORMAT_MAX], low[SPAN_FORMAT_MAX], high[SPAN_FORMAT_MAX];
    usec_t most = usec_add(stop, BUDGET_PID1_EXTRA_USEC);

    return (value >= stop && value <= most) ||
           wrong(problem, unit, "%s is %s, not %s to %s", property,
                 value == USEC_INFINITY ? "infinity" : format_span(value, is, sizeof is),
                 format_span(stop, low, sizeof low), format_span(most, high, sizeof high));
}

bool guards_loaded(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX])
{
    assert(unit);
    assert(p);
    if (strcmp(p->load_state, "masked") == 0)
        return wrong_do(problem, unit, "LoadState is masked: run systemctl unmask %s", unit);
    if (strcmp(p->load_state, "not-found") == 0)
        return wrong_do(problem, unit,
                        "LoadState is not-found: install the unit on this host, or take it out of "
                        "the group");
    return word_is(problem, unit, "LoadState", p->load_state, "loaded");
}

/* Without its files PID 1 starts nothing of it; but what is up has lost its guards with them. */
static enum guard_verdict not_loaded(const struct unit_properties *p)
{
    return state_is_dead(p->active_state) ? GUARDS_WRONG : GUARDS_LOST;
}

/* PID 1's answer is about this very unit, and as its files are now. */
static bool current(char problem[static HOST_PROBLEM_MAX], const char *unit,
                    const struct unit_properties *p)
{
    return (strcmp(p->id, unit) == 0 ||
            wrong_do(problem, unit, "it is another name of %s: declare that one", p->id)) &&
           (!p->need_daemon_reload ||
            wrong_do(problem, unit,
                     "NeedDaemonReload is yes, its files changed: run systemctl daemon-reload"));
}

static bool one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

/* Slice= says where the next start goes; this is where it runs now. */
static bool runs_in_slice(const struct guards *g, const char *unit, const struct unit_properties *p,
                          char problem[static HOST_PROBLEM_MAX])
{
    char slice[GROUP_PATH_SIZE], cgroup[GROUP_PATH_SIZE + 2];
    int r = group_slice_cgroup(g->group, slice, sizeof slice);

    assert(r >= 0); /* the name of a group that is watched is valid */
    (void)snprintf(cgroup, sizeof cgroup, "/%s/", slice);
    return !p->control_group || !*p->control_group ||
           strncmp(p->control_group, cgroup, strlen(cgroup)) == 0 ||
           wrong_do(problem, unit,
                    "ControlGroup is %s, not below %s: stop it, it was started before the group's "
                    "guards",
                    p->control_group, cgroup);
}

/* "TENURE_UNITS=a.service b.timer": all the group's units, in their order. */
static bool names_all_units(const struct guards *g, const char *variable)
{
    static const char key[] = KEEPER_UNITS_ENV "=";

    if (strncmp(variable, key, strlen(key)) != 0)
        return false;
    variable += strlen(key);
    for (size_t i = 0; i < g->n_units; i++) {
        size_t length = strlen(g->units[i].name);

        if (i > 0 && *variable++ != ' ')
            return false;
        if (strncmp(variable, g->units[i].name, length) != 0)
            return false;
        variable += length;
    }
    return *variable == '\0';
}

/* They tell the keeper which units it has to wait for. */
static bool units_named(const struct guards *g, const char *unit, const struct unit_properties *p,
                        char problem[static HOST_PROBLEM_MAX])
{
    for (char **e = p->environment; e && *e; e++)
        if (names_all_units(g, *e))
            return true;
    return wrong(problem, unit,
                 "Environment has no " KEEPER_UNITS_ENV " that names the group's units");
}

/* One setting of the drop-in, with this value. */
static bool setting_holds(const struct guards *g, const char *unit, const struct unit_properties *p,
                          const struct guard_setting *s, const char *value,
                          char problem[static HOST_PROBLEM_MAX])
{
    const void *at = properties_find(p, s->property);

    assert(at);
    switch (s->proof) {
    case GUARD_UNSEEN:
        return true;
    case GUARD_IS:
        return word_is(problem, unit, s->property, at, value);
    case GUARD_LISTS:
        return lists(problem, unit, s->property, *(char **const *)at, value);
    case GUARD_YES:
        return *(const bool *)at || wrong(problem, unit, "%s is no, not yes", s->property);
    case GUARD_SIGKILL:
        return *(const int *)at == SIGKILL ||
               wrong(problem, unit, "%s is %d, not 9 (SIGKILL)", s->property, *(const int *)at);
    case GUARD_AT_MOST:
        return at_most(problem, unit, s->property, *(const usec_t *)at, g->stop);
    case GUARD_BETWEEN:
        return keeper_timeout(problem, unit, s->property, *(const usec_t *)at, g->stop);
    }
    return false;
}

static bool setting_holds_for_all(const struct guards *g, const char *unit,
                                  const struct unit_properties *p, const struct guard_setting *s,
                                  char problem[static HOST_PROBLEM_MAX])
{
    char value[GUARD_VALUE_SIZE];
    size_t n = s->value == GUARD_UNIT ? g->n_units : 1;

    if (s->value == GUARD_ALL_UNITS)
        return units_named(g, unit, p, problem);
    for (size_t i = 0; i < n; i++)
        if (guard_value(s, g->group, g->stop, s->value == GUARD_UNIT ? g->units[i].name : NULL,
                        value, sizeof value) < 0 ||
            !setting_holds(g, unit, p, s, value, problem))
            return false;
    return true;
}

/* What the drop-in says. */
static bool drop_in_holds(const struct guards *g, const char *unit, enum guard_of of,
                          const struct unit_properties *p, char problem[static HOST_PROBLEM_MAX])
{
    for (size_t i = 0; i < guard_n_settings; i++) {
        const struct guard_setting *s = &guard_settings[i];

        if ((s->of & (unsigned)of) && s->proof != GUARD_UNSEEN &&
            !setting_holds_for_all(g, unit, p, s, problem))
            return false;
    }
    return true;
}

/* A setting of the unit's own files, which a drop-in can change to one that can be led. */
__attribute__((format(printf, 4, 5))) static bool wrong_own(char problem[static HOST_PROBLEM_MAX],
                                                            const char *unit, const char *setting,
                                                            const char *format, ...)
{
    size_t n = begin(problem, unit);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(problem + n, HOST_PROBLEM_MAX - n, format, ap);
    va_end(ap);
    n = strlen(problem);
    (void)snprintf(problem + n, HOST_PROBLEM_MAX - n,
                   ": run systemctl edit %s, and write %s below [%s]", unit, setting,
                   guard_section(guard_type(unit)));
    return false;
}

/* What the unit's own files say, and no drop-in of ours can undo. */
bool guards_can_be_led(const char *unit, const struct unit_properties *p,
                       char problem[static HOST_PROBLEM_MAX])
{
    static const char *const kill_modes[] = {"control-group", "mixed", NULL};

    assert(unit);
    assert(p);
    if (guard_type(unit) == GUARD_OF_OTHER)
        return true;
    if (!one_of(p->kill_mode, kill_modes))
        return wrong_own(problem, unit, "KillMode=mixed",
                         "KillMode is %s, not control-group or mixed", or_nothing(p->kill_mode));
    /* Its processes would be where logind puts those of a session. */
    if (p->pam_name && *p->pam_name)
        return wrong_own(problem, unit, "PAMName= (without a value)",
                         "PAMName is %s, not empty: a session of PAM takes processes out of the "
                         "group's slice",
                         p->pam_name);
    if (guard_type(unit) != GUARD_OF_SERVICE)
        return true;
    /* Restarts without the unit ever being inactive: BindsTo would not hold it. */
    return (strcmp(p->restart_mode, "direct") != 0 ||
            wrong_own(problem, unit, "RestartMode=normal", "RestartMode is direct, not normal")) &&
           /* PID 1 keeps what the service gave it, a listening socket say, when all is dead. */
           (strcmp(p->fd_store_preserve, "yes") != 0 ||
            wrong_own(problem, unit, "FileDescriptorStorePreserve=no",
                      "FileDescriptorStorePreserve is yes, not no or restart: what it stores would "
                      "outlive the term"));
}

/* A unit that was killed while it was frozen stays frozen for newer versions of systemd (257),
 * which neither start nor thaw it; older ones (252), whose services have no RestartMode, start it.
 */
bool guards_thawed(const char *unit, const struct unit_properties *p,
                   char problem[static HOST_PROBLEM_MAX])
{
    assert(unit);
    assert(p);
    if (strncmp(p->freezer_state, "frozen", strlen("frozen")) != 0)
        return true;
    if (!state_is_dead(p->active_state))
        return wrong_do(problem, unit, "FreezerState is %s, not running: run systemctl thaw %s",
                        p->freezer_state,
                        strcmp(p->freezer_state, "frozen") == 0 ? unit : p->slice);
    return !*p->restart_mode ||
           wrong_do(problem, unit,
                    "FreezerState is %s, not running, although it is %s: systemd cannot start it "
                    "again before this host is restarted",
                    p->freezer_state, p->active_state);
}

static bool declared(const struct guards *g, const char *unit)
{
    for (size_t i = 0; i < g->n_units; i++)
        if (strcmp(unit, g->units[i].name) == 0)
            return true;
    return false;
}

/* What a timer, socket or path starts must be in the group, too, or it would run unguarded. */
static bool triggers_guarded(const struct guards *g, const char *unit,
                             const struct unit_properties *p, char problem[static HOST_PROBLEM_MAX])
{
    /* An instance for each connection, which Triggers does not name before there is one. */
    if (p->accept)
        return wrong(problem, unit,
                     "Accept is yes, not no: what it starts for each connection would outlive the "
                     "term");
    for (char **t = p->triggers; t && *t; t++)
        if (!declared(g, *t))
            return wrong_do(problem, unit,
                            "Triggers names %s, which is not declared: add it to units of group %s",
                            *t, g->group);
    return true;
}

static bool triggered_within(const struct guards *g, const struct unit_properties *p)
{
    for (char **t = p->triggered_by; t && *t; t++)
        if (declared(g, *t))
            return true;
    return false;
}

/* The timer or path of the group that starts it; NULL: there is none. */
static const char *its_time(const struct guards *g, const struct unit_properties *p)
{
    for (char **t = p->triggered_by; t && *t; t++) {
        const char *dot = strrchr(*t, '.');

        if (dot && (strcmp(dot, ".timer") == 0 || strcmp(dot, ".path") == 0) && declared(g, *t))
            return *t;
    }
    return NULL;
}

/* The keeper starts it, or another unit of the group does when it is time. Not both: a nightly job
 * would run with each new term. */
static bool pulled_up(const struct guards *g, const char *unit, const struct unit_properties *p,
                      char problem[static HOST_PROBLEM_MAX])
{
    const char *timed = its_time(g, p);

    if (timed && contains(p->wanted_by, g->keeper_unit))
        return wrong_do(problem, unit,
                        "WantedBy names %s, so that each new term would start it, although %s "
                        "does: run systemctl edit %s, and write Unit=%s below [%s]; then tenurectl "
                        "apply",
                        g->keeper_unit, timed, timed, unit,
                        strcmp(strrchr(timed, '.'), ".timer") == 0 ? "Timer" : "Path");
    return triggered_within(g, p) || lists(problem, unit, "WantedBy", p->wanted_by, g->keeper_unit);
}

bool guards_may_rest(const struct guards *g, const struct unit_properties *p)
{
    assert(g);
    assert(p);
    return triggered_within(g, p) || strcmp(p->type, "oneshot") == 0;
}

enum guard_verdict guards_of_unit(const struct guards *g, const char *unit,
                                  const struct unit_properties *p,
                                  char problem[static HOST_PROBLEM_MAX])
{
    assert(g);
    assert(p);
    if (guard_type(unit) != GUARD_OF_OTHER && !runs_in_slice(g, unit, p, problem))
        return GUARDS_OUTSIDE;
    if (!guards_loaded(unit, p, problem))
        return not_loaded(p);
    if (!drop_in_holds(g, unit, guard_type(unit), p, problem))
        return GUARDS_LOST;
    return current(problem, unit, p) && guards_can_be_led(unit, p, problem) &&
                   guards_thawed(unit, p, problem) && triggers_guarded(g, unit, p, problem) &&
                   pulled_up(g, unit, p, problem)
               ? GUARDS_GOOD
               : GUARDS_WRONG;
}

bool guards_are_bare(const struct guards *g, const char *unit, const struct unit_properties *p)
{
    char problem[HOST_PROBLEM_MAX];

    assert(g);
    assert(p);
    if (!guards_loaded(unit, p, problem))
        return !state_is_dead(p->active_state);
    return !drop_in_holds(g, unit, guard_type(unit), p, problem);
}

bool guards_by_generator(const char *unit, const struct unit_properties *p)
{
    char path[UNIT_NAME_LEN_MAX + sizeof GUARD_GENERATOR_DIR "/.d/" GUARD_FILE];

    assert(unit);
    assert(p);
    (void)snprintf(path, sizeof path, GUARD_GENERATOR_DIR "/%s.d/" GUARD_FILE, unit);
    return contains(p->drop_in_paths, path);
}

/* /lib is /usr/lib on every system we support, and PID 1 reports the one it searched first. */
static bool packaged(const char *path)
{
    static const char expected[] = TENURE_UNIT_DIR "/tenure@.service";

    if (!path)
        return false;
    return strcmp(path, expected) == 0 ||
           (strncmp(expected, "/usr/", 5) == 0 && strcmp(path, expected + 4) == 0);
}

static bool program_is(char problem[static HOST_PROBLEM_MAX], const char *unit,
                       const char *property, const char *path)
{
    return word_is(problem, unit, property, path ? path : "", TENURE_KEEPER_PATH);
}

/* What the unit's own file says. */
static bool is_the_keeper(const char *unit, const struct unit_properties *p,
                          char problem[static HOST_PROBLEM_MAX])
{
    return (packaged(p->fragment_path) ||
            wrong(problem, unit, "FragmentPath is %s, not " TENURE_UNIT_DIR "/tenure@.service",
                  or_nothing(p->fragment_path))) &&
           word_is(problem, unit, "Type", p->type, "notify") &&
           word_is(problem, unit, "Restart", p->restart, "no") &&
           program_is(problem, unit, "ExecStart", p->exec_start.path) &&
           program_is(problem, unit, "ExecStopPost", p->exec_stop_post.path) &&
           (p->watchdog_signal == 9 ||
            wrong(problem, unit, "WatchdogSignal is %d, not 9 (SIGKILL)", p->watchdog_signal));
}

enum guard_verdict guards_of_keeper(const struct guards *g, const struct unit_properties *p,
                                    char problem[static HOST_PROBLEM_MAX])
{
    assert(g);
    assert(p);
    if (!guards_loaded(g->keeper_unit, p, problem))
        return not_loaded(p);
    if (!drop_in_holds(g, g->keeper_unit, GUARD_OF_KEEPER, p, problem))
        return GUARDS_LOST;
    return current(problem, g->keeper_unit, p) && is_the_keeper(g->keeper_unit, p, problem)
               ? GUARDS_GOOD
               : GUARDS_WRONG;
}

enum guard_verdict guards_of_slice(const struct guards *g, const struct unit_properties *p,
                                   char problem[static HOST_PROBLEM_MAX])
{
    assert(p);
    return guards_loaded(g->slice_unit, p, problem) && current(problem, g->slice_unit, p)
               ? GUARDS_GOOD
               : GUARDS_WRONG;
}
