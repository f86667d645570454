/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "base/cleanup.h"
#include "base/text.h"

/* ---- properties ---- */

/* Everything that is shown passes here: with one string that is not UTF-8, sd-bus refuses the whole
 * answer, and status would say nothing just when there is something to say. */
static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const char *const *value = userdata;
    char text[API_TEXT_MAX];

    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;
    return sd_bus_message_append(reply, "s", text_clean(*value, text, sizeof text));
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const bool *value = userdata;

    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;
    return sd_bus_message_append(reply, "b", (int)*value);
}

static int get_units(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    const struct api_group *g = userdata;
    int r = sd_bus_message_open_container(reply, 'a', "(sss)");

    (void)bus;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;
    for (size_t i = 0; i < g->n_units && r >= 0; i++) {
        const struct api_unit *u = &g->units[i];
        char name[API_TEXT_MAX], active[API_TEXT_MAX], sub[API_TEXT_MAX];

        r = sd_bus_message_append(reply, "(sss)", text_clean(u->name, name, sizeof name),
                                  text_clean(u->active_state, active, sizeof active),
                                  text_clean(u->sub_state, sub, sizeof sub));
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define MANAGER(member) offsetof(struct api_manager, member)
#define GROUP(member) offsetof(struct api_group, member)
#define CONST SD_BUS_VTABLE_PROPERTY_CONST
#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

/* Methods are marked unprivileged because sd-bus would otherwise wait for the bus to tell it who
 * calls; call.c asks the same without waiting. */
static const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Retire", SD_BUS_ARGS("as", groups), SD_BUS_NO_RESULT, api_on_retire,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, api_on_reload,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ConfirmDead", SD_BUS_ARGS("s", node),
                            SD_BUS_RESULT("a(sttts)", confirmed), api_on_confirm_dead,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Version", "s", get_text, MANAGER(version), CONST),
    SD_BUS_PROPERTY("Node", "s", get_text, MANAGER(node), EMITS),
    SD_BUS_PROPERTY("InstanceId", "s", get_text, MANAGER(instance_id), CONST),
    SD_BUS_PROPERTY("Arbiter", "s", get_text, MANAGER(arbiter), EMITS),
    SD_BUS_PROPERTY("Connected", "b", get_bool, MANAGER(connected), EMITS),
    SD_BUS_PROPERTY("Status", "s", get_text, MANAGER(status), EMITS),
    SD_BUS_VTABLE_END,
};

/* What changes with every renewal is not signalled. */
static const sd_bus_vtable group_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", get_text, GROUP(name), CONST),
    SD_BUS_PROPERTY("Role", "s", get_text, GROUP(role), EMITS),
    SD_BUS_PROPERTY("Term", "t", NULL, GROUP(term), EMITS),
    SD_BUS_PROPERTY("Leader", "s", get_text, GROUP(leader), EMITS),
    SD_BUS_PROPERTY("LeaderSince", "t", NULL, GROUP(leader_since), EMITS),
    SD_BUS_PROPERTY("SeenUSec", "t", NULL, GROUP(seen), 0),
    SD_BUS_PROPERTY("RenewedUSec", "t", NULL, GROUP(renewed), 0),
    SD_BUS_PROPERTY("ClaimsInUSec", "t", NULL, GROUP(claims_in), 0),
    SD_BUS_PROPERTY("UnchangedUSec", "t", NULL, GROUP(unchanged), 0),
    SD_BUS_PROPERTY("WatchUSec", "t", NULL, GROUP(watch), 0),
    SD_BUS_PROPERTY("DeadlineUSec", "t", NULL, GROUP(deadline), 0),
    SD_BUS_PROPERTY("LeaderRunsUSec", "t", NULL, GROUP(leader_runs), 0),
    SD_BUS_PROPERTY("Reason", "s", get_text, GROUP(reason), EMITS),
    SD_BUS_PROPERTY("Units", "a(sss)", get_units, 0, EMITS),
    SD_BUS_PROPERTY("UnitsNotRunning", "t", NULL, GROUP(missed), EMITS),
    SD_BUS_PROPERTY("Lease", "t", NULL, GROUP(lease), EMITS),
    SD_BUS_PROPERTY("ConfiguredLease", "t", NULL, GROUP(configured), EMITS),
    SD_BUS_PROPERTY("StopTimeout", "t", NULL, GROUP(stop_timeout), EMITS),
    SD_BUS_PROPERTY("KeeperDuration", "t", NULL, GROUP(duration), EMITS),
    SD_BUS_PROPERTY("Method", "s", get_text, GROUP(method), EMITS),
    SD_BUS_VTABLE_END,
};

/* ---- objects ---- */

static int find_manager(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *error)
{
    struct api *a = userdata;

    (void)bus;
    (void)interface;
    (void)error;
    if (strcmp(path, API_PATH) != 0)
        return 0;
    a->manager = (struct api_manager){0};
    a->source->describe_manager(a->userdata, &a->manager);
    *ret_found = &a->manager;
    return 1;
}

static int find_group(sd_bus *bus, const char *path, const char *interface, void *userdata,
                      void **ret_found, sd_bus_error *error)
{
    _cleanup_free_ char *name = NULL;
    struct api *a = userdata;
    int r = sd_bus_path_decode(path, API_GROUP_PATH, &name);

    (void)bus;
    (void)interface;
    (void)error;
    if (r <= 0)
        return r;
    if (!group_name_valid(name))
        return 0;
    /* Outlives this function: the description may point to it. */
    (void)snprintf(a->group_name, sizeof a->group_name, "%s", name);
    a->group = (struct api_group){0};
    if (!a->source->describe_group(a->userdata, a->group_name, &a->group))
        return 0;
    *ret_found = &a->group;
    return 1;
}

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

static int enumerate_groups(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                            sd_bus_error *error)
{
    struct api *a = userdata;
    size_t n = a->source->n_groups(a->userdata);
    char **nodes = calloc(n + 1, sizeof(char *));

    (void)bus;
    (void)prefix;
    (void)error;
    if (!nodes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int r =
            sd_bus_path_encode(API_GROUP_PATH, a->source->group_name(a->userdata, i), &nodes[i]);
        if (r < 0) {
            free_list(nodes);
            return r;
        }
    }
    *ret_nodes = nodes;
    return 0;
}

/* ---- the connection ---- */

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
    struct api *a = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    char text[API_TEXT_MAX];
    uint32_t answer;

    (void)unused;
    if (error)
        a->source->unavailable(
            a->userdata,
            text_clean(error->message && *error->message ? error->message : error->name, text,
                       sizeof text));
    else if (sd_bus_message_read(m, "u", &answer) < 0)
        a->source->unavailable(a->userdata, "the bus did not say whose the name is");
    else if (answer != 1 && answer != 4) /* primary owner; already owner */
        a->source->unavailable(a->userdata, "the bus name " API_BUS_NAME " is another's");
    return 0;
}

static void detach(struct api *a)
{
    for (size_t i = 0; i < sizeof a->slots / sizeof a->slots[0]; i++)
        a->slots[i] = sd_bus_slot_unref(a->slots[i]);
    api_calls_disconnect(a);
    a->bus = sd_bus_unref(a->bus);
}

int api_attach(struct api *a, sd_bus *bus)
{
    assert(a);

    int r;

    detach(a);
    if (!bus)
        return 0;
    a->bus = sd_bus_ref(bus);
    if ((r = sd_bus_add_object_manager(bus, &a->slots[0], API_PATH)) < 0 ||
        (r = sd_bus_add_fallback_vtable(bus, &a->slots[1], API_PATH, API_MANAGER_INTERFACE,
                                        manager_vtable, find_manager, a)) < 0 ||
        (r = sd_bus_add_fallback_vtable(bus, &a->slots[2], API_GROUP_PATH, API_GROUP_INTERFACE,
                                        group_vtable, find_group, a)) < 0 ||
        (r = sd_bus_add_node_enumerator(bus, &a->slots[3], API_GROUP_PATH, enumerate_groups, a)) <
            0 ||
        /* Last: who sees the name finds the objects. */
        (r = sd_bus_request_name_async(bus, &a->slots[4], API_BUS_NAME, 0, on_name, a)) < 0) {
        detach(a);
        return r;
    }
    return 0;
}

int api_new(const struct api_source *source, void *userdata, struct api **ret)
{
    assert(source && source->describe_manager && source->n_groups && source->group_name);
    assert(source->describe_group && source->reload && source->retire && source->confirm_dead);
    assert(source->caller_gone && source->unavailable);
    assert(ret);

    struct api *a = calloc(1, sizeof *a);

    if (!a)
        return -ENOMEM;
    a->source = source;
    a->userdata = userdata;
    *ret = a;
    return 0;
}

struct api *api_free(struct api *a)
{
    if (!a)
        return NULL;
    detach(a);
    api_calls_free(a);
    free(a);
    return NULL;
}

/* ---- signals ---- */

void api_manager_changed(struct api *a)
{
    if (a->bus)
        (void)sd_bus_emit_properties_changed_strv(a->bus, API_PATH, API_MANAGER_INTERFACE, NULL);
}

/* The group's path, or NULL without a connection or memory. */
static char *group_path(const struct api *a, const char *group)
{
    char *path = NULL;

    if (!a->bus || sd_bus_path_encode(API_GROUP_PATH, group, &path) < 0)
        return NULL;
    return path;
}

void api_group_changed(struct api *a, const char *group)
{
    _cleanup_free_ char *path = group_path(a, group);

    if (path)
        (void)sd_bus_emit_properties_changed_strv(a->bus, path, API_GROUP_INTERFACE, NULL);
}

void api_group_added(struct api *a, const char *group)
{
    _cleanup_free_ char *path = group_path(a, group);

    if (path)
        (void)sd_bus_emit_interfaces_added(a->bus, path, API_GROUP_INTERFACE, NULL);
}

void api_group_removed(struct api *a, const char *group)
{
    _cleanup_free_ char *path = group_path(a, group);

    if (path)
        (void)sd_bus_emit_interfaces_removed(a->bus, path, API_GROUP_INTERFACE, NULL);
}
