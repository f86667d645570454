/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/agent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "config/config.h"
#include "ctl/systemd.h"

#define AGENT_PATH "/org/tenure1"
#define AGENT_MANAGER "org.tenure1.Manager"
#define AGENT_GROUP "org.tenure1.Group"
#define AGENT_RELOAD_TIMEOUT_USEC (30 * USEC_PER_SEC)
/* A password, the longest watch, and what is waited for then. */
#define AGENT_CONFIRM_TIMEOUT_USEC (180 * USEC_PER_SEC)

/* One property: where it goes. Types are those of the bus: 's', 't', 'b', 'U' for a(sss). */
struct property {
    const char *name;
    char type;
    size_t offset;
};

static const struct property manager_properties[] = {
    {"Version", 's', offsetof(struct agent_view, version)},
    {"Node", 's', offsetof(struct agent_view, node)},
    {"InstanceId", 's', offsetof(struct agent_view, instance)},
    {"Arbiter", 's', offsetof(struct agent_view, arbiter)},
    {"Status", 's', offsetof(struct agent_view, status)},
    {"Connected", 'b', offsetof(struct agent_view, connected)},
    {0},
};

static const struct property group_properties[] = {
    {"Name", 's', offsetof(struct agent_group, name)},
    {"Role", 's', offsetof(struct agent_group, role)},
    {"Leader", 's', offsetof(struct agent_group, leader)},
    {"Reason", 's', offsetof(struct agent_group, reason)},
    {"Method", 's', offsetof(struct agent_group, method)},
    {"Term", 't', offsetof(struct agent_group, term)},
    {"LeaderSince", 't', offsetof(struct agent_group, leader_since)},
    {"SeenUSec", 't', offsetof(struct agent_group, seen)},
    {"RenewedUSec", 't', offsetof(struct agent_group, renewed)},
    {"ClaimsInUSec", 't', offsetof(struct agent_group, claims_in)},
    {"UnchangedUSec", 't', offsetof(struct agent_group, unchanged)},
    {"WatchUSec", 't', offsetof(struct agent_group, watch)},
    {"DeadlineUSec", 't', offsetof(struct agent_group, deadline)},
    {"UnitsNotRunning", 't', offsetof(struct agent_group, units_not_running)},
    {"LeaderRunsUSec", 't', offsetof(struct agent_group, leader_runs)},
    {"Lease", 't', offsetof(struct agent_group, lease)},
    {"ConfiguredLease", 't', offsetof(struct agent_group, configured)},
    {"StopTimeout", 't', offsetof(struct agent_group, stop_timeout)},
    {"KeeperDuration", 't', offsetof(struct agent_group, keeper_duration)},
    {"Units", 'U', 0},
    {0},
};

/* --- the view ------------------------------------------------------------------------------ */

static void free_strings(void *object, const struct property *properties)
{
    for (const struct property *p = properties; p->name; p++)
        if (p->type == 's')
            free(*(char **)(void *)((char *)object + p->offset));
}

static void free_group(struct agent_group *g)
{
    free_strings(g, group_properties);
    for (size_t i = 0; i < g->n_units; i++) {
        free(g->units[i].name);
        free(g->units[i].active_state);
        free(g->units[i].sub_state);
    }
    free(g->units);
}

struct agent_view *agent_view_free(struct agent_view *v)
{
    if (!v)
        return NULL;
    free_strings(v, manager_properties);
    for (size_t i = 0; i < v->n_groups; i++)
        free_group(&v->groups[i]);
    free(v->groups);
    free(v);
    return NULL;
}

/* No NULL among the strings. */
static int fill_strings(void *object, const struct property *properties)
{
    for (const struct property *p = properties; p->name; p++) {
        char **s = (char **)(void *)((char *)object + p->offset);

        if (p->type == 's' && !*s && !(*s = strdup("")))
            return -ENOMEM;
    }
    return 0;
}

static int compare_groups(const void *a, const void *b)
{
    return strcmp(((const struct agent_group *)a)->name, ((const struct agent_group *)b)->name);
}

const struct agent_group *agent_find_group(const struct agent_view *v, const char *name)
{
    assert(v);
    assert(name);

    for (size_t i = 0; i < v->n_groups; i++)
        if (strcmp(v->groups[i].name, name) == 0)
            return &v->groups[i];
    return NULL;
}

usec_t agent_poll(const struct agent_group *g)
{
    assert(g);

    return usec_min(g->keeper_duration / BUDGET_TRIES, BUDGET_POLL_MAX_USEC);
}

/* --- reading it ---------------------------------------------------------------------------- */

static int read_string(sd_bus_message *m, char **ret)
{
    const char *s;
    int r = sd_bus_message_read_basic(m, 's', &s);

    if (r < 0)
        return r;
    free(*ret);
    *ret = strdup(s);
    return *ret ? 0 : -ENOMEM;
}

static int read_unit(sd_bus_message *m, struct agent_unit *u)
{
    const char *name, *active, *sub;
    int r = sd_bus_message_read(m, "(sss)", &name, &active, &sub);

    if (r <= 0)
        return r;
    u->name = strdup(name);
    u->active_state = strdup(active);
    u->sub_state = strdup(sub);
    return u->name && u->active_state && u->sub_state ? 1 : -ENOMEM;
}

static int read_units(sd_bus_message *m, struct agent_group *g)
{
    int r = sd_bus_message_enter_container(m, 'a', "(sss)");

    if (r < 0)
        return r;
    if (g->units) /* sent twice */
        return -EBADMSG;
    g->units = calloc(CONFIG_UNITS_MAX + 1, sizeof *g->units);
    if (!g->units)
        return -ENOMEM;
    do {
        if (g->n_units > CONFIG_UNITS_MAX)
            return -E2BIG;
        r = read_unit(m, &g->units[g->n_units]);
        if (r != 0)
            g->n_units++; /* also half read: it is to be freed */
    } while (r > 0);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, const struct property *p, void *object)
{
    void *place = (char *)object + p->offset;
    const char *contents = p->type == 'U' ? "a(sss)" : (const char[]){p->type, '\0'};
    int r = sd_bus_message_enter_container(m, 'v', contents), truth;

    if (r < 0)
        return r;
    switch (p->type) {
    case 's':
        r = read_string(m, place);
        break;
    case 't':
        r = sd_bus_message_read_basic(m, 't', place);
        break;
    case 'b':
        r = sd_bus_message_read_basic(m, 'b', &truth);
        if (r >= 0)
            *(bool *)place = truth;
        break;
    default:
        r = read_units(m, object);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* a{sv}; unknown keys are those of a newer agent. */
static int read_properties(sd_bus_message *m, const struct property *properties, void *object)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const struct property *p = properties;
        const char *name;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
            return r;
        while (p->name && strcmp(p->name, name) != 0)
            p++;
        r = p->name ? read_value(m, p, object) : sd_bus_message_skip(m, "v");
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_group(sd_bus_message *m, struct agent_view *v)
{
    if (v->n_groups >= CONFIG_GROUPS_MAX)
        return -E2BIG;

    struct agent_group *more = reallocarray(v->groups, v->n_groups + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    v->groups = more;

    struct agent_group *g = &v->groups[v->n_groups++];
    *g = (struct agent_group){.seen = USEC_INFINITY,
                              .renewed = USEC_INFINITY,
                              .claims_in = USEC_INFINITY,
                              .leader_runs = USEC_INFINITY};
    int r = read_properties(m, group_properties, g);
    return r < 0 ? r : fill_strings(g, group_properties);
}

/* a{sa{sv}} of one object. */
static int read_interfaces(sd_bus_message *m, struct agent_view *v)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
        const char *interface;

        r = sd_bus_message_read_basic(m, 's', &interface);
        if (r < 0)
            return r;
        if (strcmp(interface, AGENT_MANAGER) == 0)
            r = read_properties(m, manager_properties, v);
        else if (strcmp(interface, AGENT_GROUP) == 0)
            r = read_group(m, v);
        else
            r = sd_bus_message_skip(m, "a{sv}");
        if (r < 0)
            return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* GetManagedObjects leaves out the object it is called on: Manager's properties come from a second
 * question, agent_read(). An agent that puts them in is understood as well. */
int agent_view_read(sd_bus_message *m, struct agent_view **ret)
{
    assert(m);
    assert(ret);

    _cleanup_agent_view_ struct agent_view *v = calloc(1, sizeof *v);
    int r;

    if (!v)
        return -ENOMEM;
    r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
        r = sd_bus_message_skip(m, "o");
        if (r >= 0)
            r = read_interfaces(m, v);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r >= 0)
        r = fill_strings(v, manager_properties);
    if (r < 0)
        return r;
    if (v->n_groups > 0)
        qsort(v->groups, v->n_groups, sizeof *v->groups, compare_groups);
    *ret = TAKE_PTR(v);
    return 0;
}

/* --- calls --------------------------------------------------------------------------------- */

static int new_call(sd_bus *bus, const char *interface, const char *method, sd_bus_message **ret)
{
    int r = sd_bus_message_new_method_call(bus, ret, AGENT_NAME, AGENT_PATH, interface, method);

    if (r < 0)
        return r;
    return sd_bus_message_set_auto_start(*ret, false);
}

/* That the agent is not on the bus is an answer of its own: -ENXIO. */
static int call(sd_bus *bus, sd_bus_message *m, usec_t timeout, sd_bus_error *error,
                sd_bus_message **ret)
{
    int r = sd_bus_call(bus, m, timeout, error, ret);

    if (r < 0 && (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                  sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)))
        return -ENXIO;
    return r < 0 ? r : 0;
}

static int read_manager(sd_bus *bus, struct agent_view *v)
{
    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = new_call(bus, "org.freedesktop.DBus.Properties", "GetAll", &m);

    if (r < 0)
        return r;
    r = sd_bus_message_append_basic(m, 's', AGENT_MANAGER);
    if (r < 0)
        return r;
    r = call(bus, m, AGENT_CALL_TIMEOUT_USEC, &error, &reply);
    return r < 0 ? r : read_properties(reply, manager_properties, v);
}

int agent_read(sd_bus *bus, struct agent_view **ret)
{
    assert(ret);

    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_agent_view_ struct agent_view *v = NULL;
    int r = new_call(bus, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &m);

    if (r < 0)
        return r;
    r = call(bus, m, AGENT_CALL_TIMEOUT_USEC, &error, &reply);
    if (r < 0)
        return r;
    r = agent_view_read(reply, &v);
    if (r < 0)
        return r;
    if (!v->node[0])
        r = read_manager(bus, v);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(v);
    return 0;
}

int agent_running(sd_bus *bus)
{
    _cleanup_message_ sd_bus_message *reply = NULL;
    int running;
    int r =
        sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s", AGENT_NAME);

    if (r < 0)
        return r;
    r = sd_bus_message_read_basic(reply, 'b', &running);
    return r < 0 ? r : running != 0;
}

int agent_retire(sd_bus *bus, const char *const *groups, size_t n, usec_t timeout,
                 sd_bus_error *error)
{
    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    int r = new_call(bus, AGENT_MANAGER, "Retire", &m);

    if (r < 0)
        return r;
    r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < n && r >= 0; i++)
        r = sd_bus_message_append_basic(m, 's', groups[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : call(bus, m, timeout, error, &reply);
}

int agent_reload(sd_bus *bus, sd_bus_error *error)
{
    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    int r = new_call(bus, AGENT_MANAGER, "Reload", &m);

    return r < 0 ? r : call(bus, m, AGENT_RELOAD_TIMEOUT_USEC, error, &reply);
}

void agent_confirmed_free(struct agent_confirmed *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].group);
        free(list[i].note);
    }
    free(list);
}

/* Returns 1, 0 at the end, or negative errno. */
static int read_one_confirmed(sd_bus_message *m, struct agent_confirmed **list, size_t *n)
{
    struct agent_confirmed c = {.group = NULL}, *more;
    const char *group, *note;
    int r = sd_bus_message_read(m, "(sttts)", &group, &c.term, &c.lease, &c.runs, &note);

    if (r <= 0)
        return r;
    if (*n >= CONFIG_GROUPS_MAX)
        return -E2BIG;
    more = reallocarray(*list, *n + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    *list = more;
    c.group = strdup(group);
    c.note = strdup(note);
    more[(*n)++] = c; /* also half read: it is to be freed */
    return c.group && c.note ? 1 : -ENOMEM;
}

static int read_confirmed(sd_bus_message *m, struct agent_confirmed **ret, size_t *ret_n)
{
    struct agent_confirmed *list = NULL;
    size_t n = 0;
    int r = sd_bus_message_enter_container(m, 'a', "(sttts)");

    while (r >= 0 && (r = read_one_confirmed(m, &list, &n)) > 0)
        ;
    if (r < 0) {
        agent_confirmed_free(list, n);
        return r;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

int agent_confirm_dead(sd_bus *bus, const char *node, struct agent_confirmed **ret, size_t *ret_n,
                       sd_bus_error *error)
{
    _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
    int r = new_call(bus, AGENT_MANAGER, "ConfirmDead", &m);

    if (r >= 0)
        r = sd_bus_message_append_basic(m, 's', node);
    if (r >= 0)
        r = sd_bus_message_set_allow_interactive_authorization(m, true);
    if (r >= 0)
        r = call(bus, m, AGENT_CONFIRM_TIMEOUT_USEC, error, &reply);
    return r < 0 ? r : read_confirmed(reply, ret, ret_n);
}
