/* SPDX-License-Identifier: Apache-2.0 */
#include "host/survey.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "host/guards.h"

/* Where generators of other programs have their units. */
#define GENERATED_DIR "/run/systemd/generator"

__attribute__((format(printf, 4, 5))) static void say(const struct survey *s,
                                                      const struct survey_unit *u,
                                                      enum survey_verdict verdict,
                                                      const char *format, ...)
{
    char text[SURVEY_TEXT_MAX];
    int n = snprintf(text, sizeof text, "%s: ", u->name);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text + n, sizeof text - (size_t)n, format, ap);
    va_end(ap);
    s->found(s->userdata, verdict, text);
}

static bool is_of_type(const char *unit, const char *suffix)
{
    const char *dot = strrchr(unit, '.');

    return dot && strcmp(dot + 1, suffix) == 0;
}

static bool has(char *const *list, const char *what)
{
    for (; list && *list; list++)
        if (strcmp(*list, what) == 0)
            return true;
    return false;
}

static bool same_stem(const char *a, const char *b)
{
    const char *dot = strrchr(a, '.'), *other = strrchr(b, '.');

    return dot && other && dot - a == other - b && strncmp(a, b, (size_t)(dot - a)) == 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_from_fstab(const struct unit_properties *p)
{
    return p->source_path && strcmp(p->source_path, "/etc/fstab") == 0;
}

/* ---- the unit itself ---- */

static bool is_there(const struct survey *s, const struct survey_unit *u)
{
    char problem[HOST_PROBLEM_MAX];

    if (guards_loaded(u->name, u->properties, problem))
        return true;
    if (u->of_users && strcmp(u->properties->load_state, "not-found") == 0)
        say(s, u, SURVEY_WARNING,
            "it is a unit for the managers of users only, which no group can have: put its file "
            "into /etc/systemd/system, with User= if need be");
    else
        s->found(s->userdata, SURVEY_WARNING, problem);
    return false;
}

static void find_own_name(const struct survey *s, const struct survey_unit *u)
{
    if (strcmp(u->properties->id, u->name) != 0)
        say(s, u, SURVEY_REFUSED,
            "it is another name of %s: declare that one, and no other name of it",
            u->properties->id);
    for (size_t i = 0; i < u->n_twins; i++)
        say(s, u, SURVEY_WARNING,
            "its file is also that of %s, which this systemd takes for a unit of its own: guarded, "
            "but neither started nor shown with the group. Make it another name of the unit, ln "
            "-sfn %s %s, or remove that link; then systemctl daemon-reload",
            u->twins[i].name, u->link, u->twins[i].link);
}

static void find_what_cannot_be_led(const struct survey *s, const struct survey_unit *u)
{
    char problem[HOST_PROBLEM_MAX];

    if (!guards_can_be_led(u->name, u->properties, problem))
        s->found(s->userdata, SURVEY_REFUSED, problem);
    if (!guards_thawed(u->name, u->properties, problem))
        s->found(s->userdata, SURVEY_WARNING, problem);
}

static bool is_client(const char *program)
{
    static const char *const clients[] = {"docker", "docker-compose", "nerdctl", "ctr"};
    const char *slash = program ? strrchr(program, '/') : NULL;

    for (size_t i = 0; slash && i < sizeof clients / sizeof *clients; i++)
        if (strcmp(slash + 1, clients[i]) == 0)
            return true;
    return false;
}

/* The containers of a client are not in the client's unit. */
static void find_containers(const struct survey *s, const struct survey_unit *u)
{
    static const char *const daemons[] = {"docker.service", "docker.socket", "containerd.service"};
    const struct unit_properties *p = u->properties;
    bool found = is_client(p->exec_start.path);

    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
        found = found || has(p->requires, daemons[i]) || has(p->wants, daemons[i]) ||
                has(p->binds_to, daemons[i]);
    if (found && is_of_type(u->name, "service"))
        say(s, u, SURVEY_WARNING,
            "it seems to run containers of a daemon: these are processes of the daemon's, which no "
            "SIGKILL for the group reaches, and may outlive the term. Run them with podman "
            "(a .container file of Quadlet) or systemd-nspawn@, whose containers are in the unit");
}

/* It stays up without a process because of what it has set up. Its stop proves nothing, because it
 * does nothing. */
static void find_what_nothing_undoes(const struct survey *s, const struct survey_unit *u)
{
    const struct unit_properties *p = u->properties;

    if (is_of_type(u->name, "service") && p->remain_after_exit && p->exec_stop.n == 0 &&
        p->exec_stop_post.n == 0)
        say(s, u, SURVEY_WARNING,
            "RemainAfterExit is yes, and it has neither ExecStop= nor ExecStopPost=: nothing "
            "undoes "
            "what it sets up, an address for one, when another host leads. Give it an ExecStop= "
            "that does, or take RemainAfterExit= out if there is nothing to undo");
}

/* ---- what starts it ---- */

/* Does it start, at boot or by something that runs, without one of the groups' units? */
static bool starts_anyway(const struct survey *s, const struct unit_properties *p)
{
    char *const *const by[] = {p->wanted_by, p->required_by, p->bound_by, p->triggered_by};

    for (size_t i = 0; i < sizeof by / sizeof *by; i++)
        for (char *const *unit = by[i]; unit && *unit; unit++)
            if (!s->group_of(s->userdata, *unit))
                return true;
    return false;
}

/* Is this trigger at work, or will it be? One that is merely installed often comes with a package.
 */
static bool counts(const struct survey *s, const struct survey_unit *u, const char *trigger)
{
    const struct unit_properties *p = s->ask(s->userdata, trigger);

    return !p || !state_is_dead(p->active_state) || starts_anyway(s, p) ||
           has(u->properties->requires, trigger) || has(u->properties->wants, trigger) ||
           has(u->properties->binds_to, trigger);
}

static void judge_trigger(const struct survey *s, const struct survey_unit *u, const char *trigger)
{
    const char *group = s->group_of(s->userdata, trigger);

    if (group && strcmp(group, u->group) == 0)
        return;
    if (group)
        say(s, u, SURVEY_REFUSED,
            "TriggeredBy names %s of group \"%s\", which would start it where group \"%s\" is not "
            "led: have both in one group",
            trigger, group, u->group);
    else if (!counts(s, u, trigger))
        return;
    else if (is_of_type(trigger, "automount") && is_from_fstab(u->properties))
        say(s, u, SURVEY_REFUSED,
            "TriggeredBy names %s, which no group can have: replace x-systemd.automount by noauto "
            "in its line of /etc/fstab, then systemctl daemon-reload and systemctl stop %s",
            trigger, trigger);
    else if (is_of_type(trigger, "automount"))
        say(s, u, SURVEY_REFUSED,
            "TriggeredBy names %s, which no group can have: run systemctl disable --now %s",
            trigger, trigger);
    else
        say(s, u, SURVEY_REFUSED,
            "TriggeredBy names %s, which is not declared: where this group is not led its starts "
            "are refused, until %s fails and starts nothing any more. Add it to the units of group "
            "\"%s\", or run systemctl disable --now %s",
            trigger, trigger, u->group, trigger);
}

static void find_triggers(const struct survey *s, const struct survey_unit *u)
{
    for (char *const *t = u->properties->triggered_by; t && *t; t++)
        judge_trigger(s, u, *t);
}

/* ---- what it starts ---- */

static void find_triggered(const struct survey *s, const struct survey_unit *u)
{
    const struct unit_properties *p = u->properties;

    for (char *const *t = p->triggers; t && *t; t++) {
        const char *group = s->group_of(s->userdata, *t);

        if (!group || strcmp(group, u->group) != 0)
            say(s, u, SURVEY_REFUSED,
                "Triggers names %s, which is not declared in group \"%s\": add it to the units of "
                "this group",
                *t, u->group);
        else if (starts_with(p->fragment_path, GENERATED_DIR) && !same_stem(*t, u->name))
            say(s, u, SURVEY_WARNING,
                "it is made by another generator and starts %s, a name that is not known before "
                "that generator has run: %s could be started by each new term. Write a file of "
                "its own for it in /etc/systemd/system",
                *t, *t);
    }
}

/* The word for what makes it start the other one. */
static const char *pulls_by(const struct unit_properties *p, const char *unit)
{
    return has(p->requires, unit)   ? "Requires"
           : has(p->binds_to, unit) ? "BindsTo"
           : has(p->upholds, unit)  ? "Upholds"
           : has(p->wants, unit)    ? "Wants"
                                    : NULL;
}

static void judge_undeclared(const struct survey *s, const struct survey_unit *u, const char *unit)
{
    const char *by = pulls_by(u->properties, unit);
    const struct unit_properties *p = s->ask(s->userdata, unit);

    /* Nothing is started that is not there. */
    if (p && strcmp(p->load_state, "loaded") != 0)
        return;
    if (is_of_type(u->name, "target"))
        say(s, u, SURVEY_REFUSED,
            "%s names %s, which is not declared: it would be started with the target, and not be "
            "stopped with the group. Add it to the units of group \"%s\", or take it out of the "
            "target",
            by, unit, u->group);
    else if (p && !starts_anyway(s, p))
        say(s, u, SURVEY_WARNING,
            "%s names %s, which is not declared: each new term starts it, and it runs on when the "
            "group is led elsewhere. If one host may run it, add it to the units of group \"%s\"; "
            "if every host may, enable it: systemctl enable %s",
            by, unit, u->group, unit);
}

static void judge_pulled(const struct survey *s, const struct survey_unit *u, const char *unit)
{
    const char *group = s->group_of(s->userdata, unit);

    if (group && strcmp(group, u->group) == 0)
        return;
    if (group)
        say(s, u, SURVEY_WARNING,
            "%s names %s of group \"%s\", which another host may lead: it fails here then, and is "
            "not started again later. Have both in one group",
            pulls_by(u->properties, unit), unit, group);
    else if (!s->of_host(s->userdata, unit) && !has(u->properties->triggered_by, unit))
        judge_undeclared(s, u, unit);
}

static void find_pulled(const struct survey *s, const struct survey_unit *u)
{
    const struct unit_properties *p = u->properties;
    char *const *const lists[] = {p->requires, p->binds_to, p->upholds, p->wants};
    const size_t n = sizeof lists / sizeof *lists;

    for (size_t i = 0; i < n; i++)
        for (char *const *unit = lists[i]; unit && *unit; unit++) {
            bool seen = false;

            for (size_t k = 0; k < i; k++)
                seen = seen || has(lists[k], *unit);
            if (!seen)
                judge_pulled(s, u, *unit);
        }
}

/* ---- who needs it ---- */

static void refuse_required(const struct survey *s, const struct survey_unit *u, const char *by,
                            const char *through)
{
    const char *behind = through ? ", which requires it through " : "";
    const char *what = through ? through : "";

    if (is_of_type(u->name, "mount") && is_from_fstab(u->properties))
        say(s, u, SURVEY_REFUSED,
            "RequiredBy names %s%s%s: the boot of a host that does not lead would wait for it and "
            "fail. Add noauto to its line in /etc/fstab, then systemctl daemon-reload",
            by, behind, what);
    else
        say(s, u, SURVEY_REFUSED,
            "RequiredBy names %s%s%s: that would fail on each host that does not lead, at boot as "
            "well. Run systemctl disable %s, or take it out of Requires= of %s",
            by, behind, what, u->name, through ? through : by);
}

/* The first of these that every host has; NULL: none. */
static const char *first_of_host(const struct survey *s, char *const *list)
{
    for (; list && *list; list++)
        if (!s->group_of(s->userdata, *list) && s->of_host(s->userdata, *list))
            return *list;
    return NULL;
}

/* A unit that is not declared may itself be required: a mount in a mount. */
static bool required_through(const struct survey *s, const struct survey_unit *u,
                             char *const *required_by)
{
    for (char *const *r = required_by; r && *r; r++) {
        const struct unit_properties *p =
            s->group_of(s->userdata, *r) ? NULL : s->ask(s->userdata, *r);
        const char *by = p ? first_of_host(s, p->required_by) : NULL;

        if (by) {
            refuse_required(s, u, by, *r);
            return true;
        }
    }
    return false;
}

static void find_who_requires(const struct survey *s, const struct survey_unit *u)
{
    char *const *const lists[] = {u->properties->required_by, u->properties->bound_by};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *by = first_of_host(s, lists[i]);

        if (by)
            refuse_required(s, u, by, NULL);
        if (by || required_through(s, u, lists[i]))
            return;
    }
}

/* ---- all of it ---- */

void survey_unit(const struct survey *s, const struct survey_unit *u)
{
    static void (*const rules[])(const struct survey *, const struct survey_unit *) = {
        find_what_cannot_be_led, find_triggers,   find_triggered,           find_pulled,
        find_who_requires,       find_containers, find_what_nothing_undoes,
    };

    assert(s);
    assert(u);
    assert(u->properties);
    if (!is_there(s, u))
        return;
    find_own_name(s, u);
    /* All else is reported for the unit by its own name. */
    if (strcmp(u->properties->id, u->name) != 0)
        return;
    if (u->properties->need_daemon_reload)
        say(s, u, SURVEY_WARNING,
            "NeedDaemonReload is yes, its files changed: run systemctl daemon-reload");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules[i](s, u);
}
