/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/watchdog.h"
#include "config/unit_name.h"

#define VALUE_TEXT_MAX 96

#define problem_at(l, s, ...)                                                                      \
    config_problem_add((l)->problems, (l)->file, config_setting_source_line(s), __VA_ARGS__)

/* A value as a message shows it, shortened. Never used for conninfo. */
static const char *value_text(const config_setting_t *s, char *ret, size_t size)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_GROUP:
        (void)snprintf(ret, size, "a group { … }");
        break;
    case CONFIG_TYPE_LIST:
        (void)snprintf(ret, size, "a list ( … )");
        break;
    case CONFIG_TYPE_ARRAY:
        (void)snprintf(ret, size, "an array [ … ]");
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(ret, size, "%s", config_setting_get_bool(s) ? "true" : "false");
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        (void)snprintf(ret, size, "the integer %lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(ret, size, "the number %g", config_setting_get_float(s));
        break;
    case CONFIG_TYPE_STRING:
        (void)snprintf(ret, size, "\"%.64s\"", config_setting_get_string(s));
        break;
    default:
        (void)snprintf(ret, size, "nothing");
    }
    return ret;
}

/* The value of a string setting, or NULL after saying what is wrong. */
static const char *take_string(struct loader *l, const config_setting_t *s, const char *right)
{
    char value[VALUE_TEXT_MAX];

    if (config_setting_type(s) == CONFIG_TYPE_STRING)
        return config_setting_get_string(s);
    problem_at(l, s, "%s is %s: it must be a string: write %s", config_setting_name(s),
               value_text(s, value, sizeof value), right);
    return NULL;
}

static void refuse_unknown_keys(struct loader *l, const config_setting_t *s, const char *where,
                                const char *const keys[], const char *known)
{
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
        size_t k = 0;

        while (keys[k] && strcmp(keys[k], config_setting_name(e)) != 0)
            k++;
        if (!keys[k])
            problem_at(l, e, "\"%.64s\" is not known %s: this version takes %s",
                       config_setting_name(e), where, known);
    }
}

/* --- one group ---------------------------------------------------------------------------- */

/* A span for the budget: the default when the key is missing, 0 after a problem. */
static usec_t take_span(struct loader *l, const config_setting_t *group, const char *key,
                        usec_t otherwise)
{
    const config_setting_t *s = config_setting_get_member(group, key);
    char value[VALUE_TEXT_MAX];
    const char *text;
    usec_t span;

    if (!s)
        return otherwise;
    if (config_setting_is_number(s)) {
        problem_at(l, s, "%s is %s: durations are strings with a unit: write %s = \"15s\";", key,
                   value_text(s, value, sizeof value), key);
        return 0;
    }
    text = take_string(l, s, "a duration such as \"15s\"");
    if (!text)
        return 0;
    if (parse_span(text, &span) < 0) {
        problem_at(l, s, "%s = %s is no duration: write it as \"15s\", \"1min 30s\" or \"1500ms\"",
                   key, value_text(s, value, sizeof value));
        return 0;
    }
    if (span == 0)
        problem_at(l, s, "%s = %s is nothing: it must be more than zero", key,
                   value_text(s, value, sizeof value));
    return span;
}

/* Says why lease and stop make no budget, in numbers. */
static void explain_budget(struct loader *l, const config_setting_t *at, usec_t lease, usec_t stop)
{
    char t[6][SPAN_FORMAT_MAX];
    usec_t spent = BUDGET_SLACK_USEC + stop + budget_kill(lease);
    usec_t seen = usec_sub(lease, 2 * lease / BUDGET_CLOCK_RATE_DIVISOR);
    usec_t smallest = budget_smallest_lease(stop);

#define SPAN(i, usec) format_span(usec, t[i], sizeof t[i])
    if (lease > BUDGET_LEASE_MAX_USEC)
        problem_at(l, at, "lease %s is too long: at most %s", SPAN(0, lease),
                   SPAN(1, BUDGET_LEASE_MAX_USEC));
    else if (stop > BUDGET_STOP_MAX_USEC)
        problem_at(l, at, "stop_timeout %s is too long: at most %s", SPAN(0, stop),
                   SPAN(1, BUDGET_STOP_MAX_USEC));
    else
        problem_at(l, at,
                   "lease %s is too short for stop_timeout %s: of %s (the lease less 0.2 %% for "
                   "clocks) %s go to stopping, killing and slack, and less than %s is left to "
                   "renew; the smallest lease that would do is \"%s\"",
                   SPAN(0, lease), SPAN(1, stop), SPAN(2, seen), SPAN(3, spent),
                   SPAN(4, BUDGET_RENEW_MIN_USEC), SPAN(5, smallest));
#undef SPAN
}

static void take_budget(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    usec_t lease = take_span(l, group, "lease", CONFIG_LEASE_DEFAULT);
    usec_t stop = take_span(l, group, "stop_timeout", CONFIG_STOP_TIMEOUT_DEFAULT);
    const config_setting_t *at = config_setting_get_member(group, "lease");

    if (!at)
        at = config_setting_get_member(group, "stop_timeout");
    if (lease > 0 && stop > 0 && budget_compute(lease, stop, &g->budget) < 0)
        explain_budget(l, at ? at : group, lease, stop);
}

/* The fence that systemd runs gets one stop timeout until SIGTERM, and another until it
 * is killed: it kills after the first at the latest, and must live for K more. */
static void take_fence(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    const config_setting_t *s = config_setting_get_member(group, "fence");
    char value[VALUE_TEXT_MAX], kill[SPAN_FORMAT_MAX], stop[SPAN_FORMAT_MAX];
    const char *text;

    if (!s)
        return;
    text = take_string(l, s, "fence = \"reboot\";");
    if (!text)
        return;
    if (strcmp(text, CONFIG_FENCE_REBOOT) != 0) {
        problem_at(l, s, "fence = %s is not known: write \"reboot\", or leave it out",
                   value_text(s, value, sizeof value));
        return;
    }
    g->reboot = true;
    if (g->budget.lease > 0 && g->budget.stop < g->budget.kill)
        problem_at(l, s,
                   "fence = \"reboot\" needs a stop_timeout of at least %s (a tenth of the lease, "
                   "1s at most), not %s: write stop_timeout = \"%s\"; or leave fence out",
                   format_span(g->budget.kill, kill, sizeof kill),
                   format_span(g->budget.stop, stop, sizeof stop), kill);
}

/* Whether it is armed is the host's matter, which only the agent knows; that it can come in time is
 * the configuration's. */
static void take_watchdog(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    const config_setting_t *s = config_setting_get_member(group, "watchdog");
    char value[VALUE_TEXT_MAX], span[SPAN_FORMAT_MAX];
    const char *text;

    if (!s)
        return;
    text = take_string(l, s, "watchdog = \"require\";");
    if (!text)
        return;
    if (strcmp(text, CONFIG_WATCHDOG_REQUIRE) != 0) {
        problem_at(l, s, "watchdog = %s is not known: write \"require\", or leave it out",
                   value_text(s, value, sizeof value));
        return;
    }
    g->watchdog = watchdog_longest(g->budget.stop, g->budget.kill);
    if (g->budget.lease > 0 && g->watchdog == 0)
        problem_at(
            l, s,
            "watchdog = \"require\" needs a watchdog that comes within stop_timeout and K, %s "
            "here, and none is quicker than 1s: write a longer stop_timeout; or leave "
            "watchdog out",
            format_span(usec_add(g->budget.stop, g->budget.kill), span, sizeof span));
}

static void take_method(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    const config_setting_t *s = config_setting_get_member(group, "method");
    char value[VALUE_TEXT_MAX];
    const char *text;

    g->method = METHOD_LEASE;
    if (!s)
        return;
    text = take_string(l, s, "method = \"lease\";");
    if (text && strcmp(text, method_name(METHOD_ADVISORY)) == 0)
        g->method = METHOD_ADVISORY;
    else if (text && strcmp(text, method_name(METHOD_LEASE)) != 0)
        problem_at(l, s, "method = %s is not known: write \"lease\" or \"advisory\"",
                   value_text(s, value, sizeof value));
}

/* Returns 0 or -ENOMEM. */
static int remember_place(struct loader *l, const char *name, unsigned line)
{
    if (l->n_places == l->room_places) {
        size_t room = l->room_places ? l->room_places * 2 : CONFIG_UNITS_MAX;
        struct unit_place *more = reallocarray(l->places, room, sizeof *more);

        if (!more)
            return -ENOMEM;
        l->places = more;
        l->room_places = room;
    }
    l->places[l->n_places] = (struct unit_place){
        .name = name, .group = l->config->n_groups, .order = l->n_places, .line = line};
    l->n_places++;
    return 0;
}

static void take_unit(struct loader *l, const config_setting_t *s, struct config_group *g)
{
    char value[VALUE_TEXT_MAX];
    const char *name, *problem;

    if (config_setting_type(s) != CONFIG_TYPE_STRING) {
        problem_at(l, s, "a unit is %s: it must be a string: write \"billing.service\"",
                   value_text(s, value, sizeof value));
        return;
    }
    name = config_setting_get_string(s);
    problem = unit_name_problem(name);
    if (problem) {
        problem_at(l, s, "unit %s %s", value_text(s, value, sizeof value), problem);
        return;
    }
    g->units[g->n_units] = strdup(name);
    if (!g->units[g->n_units] ||
        remember_place(l, g->units[g->n_units], config_setting_source_line(s)) < 0) {
        free(g->units[g->n_units]);
        l->out_of_memory = true;
        return;
    }
    g->n_units++;
}

static void take_units(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    const config_setting_t *s = config_setting_get_member(group, "units");
    char value[VALUE_TEXT_MAX];

    if (!s) {
        problem_at(l, group, "group \"%s\" has no units: write units = [ \"billing.service\" ];",
                   g->name);
        return;
    }
    if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
        problem_at(l, s, "units is %s: it must be an array: write units = [ \"billing.service\" ];",
                   value_text(s, value, sizeof value));
        return;
    }
    int n = config_setting_length(s);
    if (n == 0)
        problem_at(l, s, "group \"%s\" has no units: name at least one, or remove the group",
                   g->name);
    if (n > CONFIG_UNITS_MAX)
        problem_at(l, s, "group \"%s\" has %d units: at most %d, divide it", g->name, n,
                   CONFIG_UNITS_MAX);
    if (n == 0 || n > CONFIG_UNITS_MAX)
        return;

    g->units = calloc((size_t)n, sizeof *g->units);
    if (!g->units) {
        l->out_of_memory = true;
        return;
    }
    for (int i = 0; i < n; i++)
        take_unit(l, config_setting_get_elem(s, (unsigned)i), g);
}

static void take_group_name(struct loader *l, const config_setting_t *group, struct config_group *g)
{
    const config_setting_t *s = config_setting_get_member(group, "name");
    char value[VALUE_TEXT_MAX], wants[UNIT_NAME_LEN_MAX + 1];
    const char *name;

    if (!s) {
        problem_at(l, group, "a group has no name: write name = \"billing\";");
        return;
    }
    g->line = config_setting_source_line(s);
    name = take_string(l, s, "name = \"billing\";");
    if (!name)
        return;
    if (!group_name_valid(name)) {
        problem_at(l, s,
                   "group name %s is not valid: 1 to %d letters, digits and _.-, a letter or "
                   "digit first",
                   value_text(s, value, sizeof value), GROUP_NAME_MAX);
        return;
    }
    /* A dash takes four bytes in the slice's name, and file names end at 255: those of directories
     * that systemctl makes, too. */
    if (group_slice_unit(name, wants, sizeof wants - strlen(".wants")) < 0) {
        problem_at(
            l, s,
            "group name %s has too many dashes, no unit can be named after it: write it with "
            "fewer, or with \"_\"",
            value_text(s, value, sizeof value));
        return;
    }
    (void)snprintf(g->name, sizeof g->name, "%s", name);
}

/* Returns 0 or -ENOMEM. */
static int reserve_group(struct loader *l)
{
    if (l->config->n_groups < l->room_groups)
        return 0;

    size_t room = l->room_groups ? l->room_groups * 2 : 16;
    struct config_group *more = reallocarray(l->config->groups, room, sizeof *more);

    if (!more)
        return -ENOMEM;
    l->config->groups = more;
    l->room_groups = room;
    return 0;
}

static void load_group(struct loader *l, const config_setting_t *s)
{
    static const char *const keys[] = {"name",         "units", "method",   "lease",
                                       "stop_timeout", "fence", "watchdog", NULL};
    char value[VALUE_TEXT_MAX];

    if (!config_setting_is_group(s)) {
        problem_at(l, s, "a group is %s: write { name = \"billing\"; units = [ … ]; }",
                   value_text(s, value, sizeof value));
        return;
    }
    if (l->config->n_groups >= CONFIG_GROUPS_MAX) {
        if (!l->too_many_groups)
            problem_at(l, s, "there are more than %d groups: %d are taken", CONFIG_GROUPS_MAX,
                       CONFIG_GROUPS_MAX);
        l->too_many_groups = true;
        return;
    }
    if (reserve_group(l) < 0) {
        l->out_of_memory = true;
        return;
    }

    struct config_group *g = &l->config->groups[l->config->n_groups];
    *g = (struct config_group){.line = config_setting_source_line(s), .file = strdup(l->file)};
    if (!g->file) {
        l->out_of_memory = true;
        return;
    }
    take_group_name(l, s, g);
    refuse_unknown_keys(l, s, "in a group", keys,
                        "name, units, method, lease, stop_timeout, fence and watchdog");
    take_units(l, s, g);
    take_method(l, s, g);
    take_budget(l, s, g);
    take_fence(l, s, g);
    take_watchdog(l, s, g);
    l->config->n_groups++; /* also when something is wrong: its name and units still count */
}

static void load_groups(struct loader *l, const config_setting_t *s)
{
    char value[VALUE_TEXT_MAX];

    if (!config_setting_is_list(s)) {
        problem_at(l, s, "groups is %s: it must be a list: write groups = ( { … }, { … } );",
                   value_text(s, value, sizeof value));
        return;
    }
    for (int i = 0; i < config_setting_length(s); i++)
        load_group(l, config_setting_get_elem(s, (unsigned)i));
}

/* --- what is kept ------------------------------------------------------------------------- */

/* Only this program writes such a file: anything that is different in it is damage. */
static void load_kept(struct loader *l, const config_setting_t *s)
{
    const char *name = NULL;
    const config_setting_t *units = config_setting_get_member(s, "units");

    if (!config_setting_is_group(s) || !config_setting_lookup_string(s, "name", &name) ||
        !group_name_valid(name) || !units || !config_setting_is_aggregate(units)) {
        problem_at(l, s, "what is kept of a group is damaged");
        return;
    }
    for (int i = 0; i < config_setting_length(units); i++) {
        const char *unit = config_setting_get_string_elem(units, i);

        if (!unit || unit_name_problem(unit))
            problem_at(l, units, "a unit kept of group \"%s\" is damaged", name);
        else if (config_keep(l->config, name, unit) < 0)
            l->out_of_memory = true;
    }
}

static void load_all_kept(struct loader *l, const config_setting_t *s)
{
    if (!config_setting_is_list(s))
        problem_at(l, s, "what is kept is damaged");
    for (int i = 0; config_setting_is_list(s) && i < config_setting_length(s); i++)
        load_kept(l, config_setting_get_elem(s, (unsigned)i));
}

/* --- the rest ------------------------------------------------------------------------------ */

static void take_node(struct loader *l, const config_setting_t *s)
{
    char value[VALUE_TEXT_MAX];
    const char *name = take_string(l, s, "node = \"db1\";");

    if (!name)
        return;
    if (!node_name_valid(name))
        problem_at(l, s,
                   "node name %s is not valid: 1 to %d letters, digits and _.-, a letter or digit "
                   "first",
                   value_text(s, value, sizeof value), NODE_NAME_MAX);
    else
        (void)snprintf(l->config->node, sizeof l->config->node, "%s", name);
}

/* No message here ever shows the value: it may hold a password. */
static void take_conninfo(struct loader *l, const config_setting_t *arbiter)
{
    const config_setting_t *s = config_setting_get_member(arbiter, "conninfo");
    const char *text;

    if (!s) {
        problem_at(l, arbiter,
                   "the arbiter has no conninfo: write conninfo = \"host=… dbname=tenure "
                   "user=tenure\";");
        return;
    }
    if (config_setting_type(s) != CONFIG_TYPE_STRING) {
        problem_at(l, s,
                   "conninfo is no string: write conninfo = \"host=… dbname=tenure "
                   "user=tenure\";");
        return;
    }
    text = config_setting_get_string(s);
    if (text[strspn(text, " \t\r\n")] == '\0') {
        problem_at(l, s, "conninfo is empty: name at least host, dbname and user");
        return;
    }
    if (strlen(text) > CONFIG_CONNINFO_MAX) {
        problem_at(l, s, "conninfo is longer than %d bytes", CONFIG_CONNINFO_MAX);
        return;
    }
    l->config->arbiter.conninfo = strdup(text);
    l->config->arbiter.file = strdup(l->file);
    l->config->arbiter.line = config_setting_source_line(s);
    if (!l->config->arbiter.conninfo || !l->config->arbiter.file)
        l->out_of_memory = true;
}

/* Is the setting there? */
static bool take_bool(struct loader *l, const config_setting_t *parent, const char *key, bool *ret)
{
    const config_setting_t *s = config_setting_get_member(parent, key);
    char value[VALUE_TEXT_MAX];

    if (!s)
        return false;
    if (config_setting_type(s) != CONFIG_TYPE_BOOL)
        problem_at(l, s, "%s is %s: write true or false, without quotes", key,
                   value_text(s, value, sizeof value));
    else
        *ret = config_setting_get_bool(s);
    return true;
}

static void load_arbiter(struct loader *l, const config_setting_t *s)
{
    static const char *const keys[] = {"type", "conninfo", "require_sync", "allow_unverified",
                                       NULL};
    struct config_arbiter *a = &l->config->arbiter;
    char value[VALUE_TEXT_MAX];
    const config_setting_t *type;
    const char *name;

    l->have_arbiter = true;
    if (!config_setting_is_group(s)) {
        problem_at(l, s, "arbiter is not a group: write arbiter = { type = \"postgresql\"; … };");
        return;
    }
    refuse_unknown_keys(l, s, "in the arbiter", keys,
                        "type, conninfo, require_sync and allow_unverified");
    type = config_setting_get_member(s, "type");
    if (!type)
        problem_at(l, s, "the arbiter has no type: write type = \"postgresql\";");
    else {
        name = take_string(l, type, "type = \"postgresql\";");
        if (name && strcmp(name, "postgresql") != 0)
            problem_at(l, type, "arbiter type %s is not known: write \"postgresql\"",
                       value_text(type, value, sizeof value));
    }
    take_conninfo(l, s);
    (void)take_bool(l, s, "require_sync", &a->require_sync);
    a->decided = take_bool(l, s, "allow_unverified", &a->allow_unverified);
    a->unjudged = !a->decided && l->kind == FILE_SNAPSHOT;
}

void load_root(struct loader *l, const config_setting_t *root)
{
    static const char *const main_keys[] = {"node", "arbiter", "groups", NULL};
    static const char *const groups_keys[] = {"groups", NULL};
    static const char *const snapshot_keys[] = {"node", "arbiter", "groups", "kept", NULL};
    const config_setting_t *s;

    assert(l);
    assert(root);

    if (l->kind == FILE_GROUPS)
        refuse_unknown_keys(l, root, "in a file of groups", groups_keys,
                            "groups (node and arbiter belong into tenure.conf)");
    else if (l->kind == FILE_SNAPSHOT)
        refuse_unknown_keys(l, root, "here", snapshot_keys, "node, arbiter, groups and kept");
    else
        refuse_unknown_keys(l, root, "here", main_keys, "node, arbiter and groups");

    s = config_setting_get_member(root, "node");
    if (s && l->kind != FILE_GROUPS)
        take_node(l, s);
    s = config_setting_get_member(root, "arbiter");
    if (s && l->kind != FILE_GROUPS)
        load_arbiter(l, s);
    s = config_setting_get_member(root, "kept");
    if (s && l->kind == FILE_SNAPSHOT)
        load_all_kept(l, s);
    s = config_setting_get_member(root, "groups");
    if (s)
        load_groups(l, s);
    else if (l->kind == FILE_GROUPS && config_setting_length(root) == 0)
        config_problem_add(l->problems, l->file, 0,
                           "declares no groups: write groups = ( { … } ); or remove the file");
}
