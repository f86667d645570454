/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status_json.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

static inline void cleanup_json(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* RFC 3339 in UTC, to the microsecond that was given; null when unknown. */
static json_t *moment(usec_t realtime)
{
    time_t seconds = (time_t)(realtime / USEC_PER_SEC);
    char text[40];
    struct tm tm;

    if (realtime == 0 || !gmtime_r(&seconds, &tm))
        return json_null();
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%06uZ", (unsigned)(realtime % USEC_PER_SEC));
    return json_string(text);
}

static json_t *seconds(usec_t usec)
{
    return usec == USEC_INFINITY ? json_null() : json_real((double)usec / (double)USEC_PER_SEC);
}

/* Terms fit: they are PostgreSQL's bigint. */
static json_t *term(uint64_t value)
{
    return value == 0 || value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

/* json_pack owns all "o" values from then on, also when it fails; it fails when one is NULL. */
static json_t *units(const struct agent_group *g)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < g->n_units; i++) {
        json_t *unit = json_pack("{s:s, s:s, s:s}", "name", g->units[i].name, "active_state",
                                 g->units[i].active_state, "sub_state", g->units[i].sub_state);

        if (!unit || json_array_append_new(list, unit) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *group(const struct agent_group *g)
{
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, "
        "s:o, s:o, s:o, s:I}",
        "name", g->name, "role", g->role, "method", g->method, "term", term(g->term), "leader",
        g->leader[0] ? json_string(g->leader) : json_null(), "leader_since",
        moment(g->leader_since), "seen_ago_seconds", seconds(g->seen), "renewed_ago_seconds",
        seconds(g->renewed), "claims_in_seconds", seconds(g->claims_in), "unchanged_seconds",
        g->watch > 0 ? seconds(g->unchanged) : json_null(), "watch_seconds",
        g->watch > 0 ? seconds(g->watch) : json_null(), "deadline_seconds",
        g->deadline > 0 ? seconds(g->deadline) : json_null(), "reason", g->reason, "lease_seconds",
        seconds(g->lease), "configured_lease_seconds",
        g->configured > 0 ? seconds(g->configured) : json_null(), "stop_timeout_seconds",
        seconds(g->stop_timeout), "renew_deadline_seconds", seconds(g->keeper_duration), "units",
        units(g), "units_not_running", (json_int_t)g->units_not_running);
}

static json_t *watchdog(const struct watchdog *w)
{
    bool set = w->state == WATCHDOG_ARMED || w->state == WATCHDOG_DEAD;

    return json_pack("{s:o, s:o, s:o}", "armed",
                     w->state == WATCHDOG_UNKNOWN ? json_null()
                                                  : json_boolean(w->state == WATCHDOG_ARMED),
                     "timeout_seconds", set ? seconds(w->timeout) : json_null(), "device",
                     w->device[0] ? json_string(w->device) : json_null());
}

static int print(FILE *f, const json_t *root)
{
    if (json_dumpf(root, f, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) < 0 || fputc('\n', f) == EOF)
        return -EIO;
    return 0;
}

int status_print_json(FILE *f, const struct agent_view *v, const struct watchdog *w,
                      const struct agent_group *only)
{
    assert(f);
    assert(v);
    assert(w);

    _cleanup_json_ json_t *root =
        json_pack("{s:s, s:n, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:[]}", "agent", "running",
                  "problem", "node", v->node, "instance", v->instance, "version", v->version,
                  "arbiter", v->arbiter, "connected", v->connected ? 1 : 0, "status", v->status,
                  "hardware_watchdog", watchdog(w), "groups");

    if (!root)
        return -ENOMEM;
    for (size_t i = 0; i < v->n_groups; i++)
        if ((!only || only == &v->groups[i]) &&
            json_array_append_new(json_object_get(root, "groups"), group(&v->groups[i])) < 0)
            return -ENOMEM;
    return print(f, root);
}

/* ---- without an agent ---- */

static const char *role_by_systemd(const char *active_state)
{
    if (strcmp(active_state, "activating") == 0)
        return "starting";
    return strcmp(active_state, "deactivating") == 0 ? "stopping" : "leader";
}

/* A keeper lives without the agent, until its deadline. */
const char *status_of_keeper(const char *active_state)
{
    assert(active_state);

    if (strcmp(active_state, "activating") == 0)
        return "is starting";
    return strcmp(active_state, "deactivating") == 0
               ? "is ending what it led"
               : "lives, and its units run until its deadline";
}

static json_t *silent_group(const struct silent_keeper *k)
{
    return json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:s+, s:n, s:n, "
                     "s:n, s:n, s:n, s:n}",
                     "name", k->group, "role", role_by_systemd(k->active_state), "method", "term",
                     "leader", "leader_since", "seen_ago_seconds", "renewed_ago_seconds",
                     "claims_in_seconds", "unchanged_seconds", "watch_seconds", "deadline_seconds",
                     "reason", "its keeper ", status_of_keeper(k->active_state), "lease_seconds",
                     "configured_lease_seconds", "stop_timeout_seconds", "renew_deadline_seconds",
                     "units", "units_not_running");
}

int status_print_silence(FILE *f, const struct silence *s)
{
    assert(f);
    assert(s);

    _cleanup_json_ json_t *root =
        json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:o}", "agent",
                  s->runs_not ? "not running" : "not reachable", "problem", s->why, "node",
                  "instance", "version", "arbiter", "connected", "status", "hardware_watchdog",
                  "groups", s->knows_keepers ? json_array() : json_null());

    if (!root)
        return -ENOMEM;
    for (size_t i = 0; s->knows_keepers && i < s->n_keepers; i++)
        if ((!s->group || strcmp(s->group, s->keepers[i].group) == 0) &&
            json_array_append_new(json_object_get(root, "groups"), silent_group(&s->keepers[i])) <
                0)
            return -ENOMEM;
    return print(f, root);
}
