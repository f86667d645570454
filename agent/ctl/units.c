/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/units.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/string_list.h"
#include "config/unit_name.h"
#include "guard/names.h"
#include "host/properties.h"
#include "host/survey.h"

static const char *const user_unit_dirs[] = {"/etc/systemd/user", "/run/systemd/user",
                                             "/usr/local/lib/systemd/user",
                                             "/usr/lib/systemd/user"};

struct view {
    const struct ctl *ctl;
    sd_bus *bus;
    const struct tenure_config *config;
    const struct config_group *group; /* of the unit that is judged */
    struct units_findings *findings;
    usec_t until; /* nothing is asked after this */
    bool late;    /* something was not */
    struct unit_links links;
    struct unit_properties other; /* the last answer to ask_other() */
};

void units_findings_clear(struct units_findings *f)
{
    config_problems_clear(&f->refused);
    config_problems_clear(&f->warnings);
    f->stale = false;
}

/* ---- what the survey wants to know ---- */

static int ask(struct view *v, const char *unit, struct unit_properties *ret)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    int r = -ETIMEDOUT;

    if (clock_monotonic() > v->until)
        v->late = true;
    else
        r = systemd_unit_properties(v->bus, unit, &reply);
    return r < 0 ? r : properties_read(reply, ret);
}

static const char *group_of(void *userdata, const char *unit)
{
    const struct view *v = userdata;
    const struct config_group *g = config_group_of(v->config, unit);

    return g ? g->name : NULL;
}

/* What cannot be declared: the host's own units, and types that a group cannot have. */
static bool of_host(void *userdata, const char *unit)
{
    static const char modules[] = "modprobe@"; /* of the kernel: systemd's own */

    (void)userdata;
    return unit_name_problem(unit) || strncmp(unit, modules, strlen(modules)) == 0;
}

static const struct unit_properties *ask_other(void *userdata, const char *unit)
{
    struct view *v = userdata;

    unit_properties_clear(&v->other);
    return ask(v, unit, &v->other) < 0 ? NULL : &v->other;
}

static void found(void *userdata, enum survey_verdict verdict, const char *text)
{
    struct view *v = userdata;
    bool refused = verdict == SURVEY_REFUSED;

    config_problem_add(refused ? &v->findings->refused : &v->findings->warnings, v->group->file,
                       v->group->line, "%s%s", refused ? "" : "warning: ", text);
}

/* ---- what the file system shows ---- */

static bool is_of_users(const char *unit)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof user_unit_dirs / sizeof *user_unit_dirs; i++) {
        int n = snprintf(path, sizeof path, "%s/%s", user_unit_dirs[i], unit);

        if (n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* For PID 1, is this other name of the unit's file another unit? */
static bool is_twin(struct view *v, const char *unit, const char *name)
{
    const struct unit_properties *p = config_group_of(v->config, name) ? NULL : ask_other(v, name);

    return p && strcmp(p->id, unit) != 0 && strcmp(p->load_state, "loaded") == 0;
}

/* Of these names of its file, those for which that is so. Returns NULL without memory; for free(3).
 */
static struct survey_twin *find_twins(struct view *v, const char *unit, char *const names[],
                                      size_t n, size_t *ret_n)
{
    struct survey_twin *twins = calloc(n + 1, sizeof *twins);

    *ret_n = 0;
    for (size_t i = 0; twins && i < n; i++) {
        const char *link = unit_links_path(&v->links, names[i]);

        if (link && is_twin(v, unit, names[i]))
            twins[(*ret_n)++] = (struct survey_twin){.name = names[i], .link = link};
    }
    return twins;
}

/* ---- asking ---- */

static int ask_of(struct view *v, const struct survey *survey, const char *unit)
{
    _cleanup_(unit_properties_clear) struct unit_properties p = {0};
    _cleanup_free_ struct survey_twin *twins = NULL;
    char **names = NULL;
    size_t n = 0, n_twins = 0;
    int r = ask(v, unit, &p);

    if (r == 0)
        r = unit_links_names(&v->links, unit, &names, &n);
    if (r == 0 && !(twins = find_twins(v, unit, names, n, &n_twins)))
        r = -ENOMEM;
    if (r == 0) {
        const struct survey_unit u = {
            .name = unit,
            .group = v->group->name,
            .properties = &p,
            .link = unit_links_path(&v->links, unit),
            .twins = twins,
            .n_twins = n_twins,
            .of_users = is_of_users(unit),
        };
        survey_unit(survey, &u);
        v->findings->stale = v->findings->stale || p.need_daemon_reload;
    }
    strings_free(names, n);
    return r;
}

int units_ask(const struct ctl *ctl, sd_bus *bus, const struct tenure_config *c, bool to_the_end,
              usec_t until, struct units_findings *ret, const char **ret_unit)
{
    assert(ctl);
    assert(c);
    assert(ret);
    assert(ret_unit);

    struct view v = {.ctl = ctl, .bus = bus, .config = c, .findings = ret, .until = until};
    const struct survey survey = {
        .group_of = group_of,
        .of_host = of_host,
        .ask = ask_other,
        .found = found,
        .userdata = &v,
    };
    /* Directories that cannot be read have no links that count. */
    int r = unit_links_load(ctl_unit_dirs(ctl), &v.links) == -ENOMEM ? -ENOMEM : 0;

    for (size_t i = 0; i < c->n_groups && r == 0; i++)
        for (size_t k = 0; k < c->groups[i].n_units && r == 0 && (to_the_end || !ret->stale); k++) {
            v.group = &c->groups[i];
            *ret_unit = c->groups[i].units[k];
            r = ask_of(&v, &survey, *ret_unit);
            if (r == 0 && v.late) /* of the units that belong to it not all were asked about */
                r = -ETIMEDOUT;
        }
    unit_properties_clear(&v.other);
    unit_links_clear(&v.links);
    return r == 0 && (ret->refused.out_of_memory || ret->warnings.out_of_memory) ? -ENOMEM : r;
}

size_t units_print(const struct ctl *ctl, const struct units_findings *f)
{
    assert(ctl);
    assert(f);

    ctl_print_problems(ctl, &f->refused);
    ctl_print_problems(ctl, &f->warnings);
    return f->refused.n + f->refused.n_more;
}
