/* SPDX-License-Identifier: Apache-2.0 */
#include "host/properties.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        free(*p);
    free(list);
}

void unit_properties_clear(struct unit_properties *p)
{
    free(p->fragment_path);
    free(p->source_path);
    free(p->pam_name);
    free(p->control_group);
    free(p->exec_start.path);
    free(p->exec_stop.path);
    free(p->exec_stop_post.path);
    free(p->exec_stop_pre.path);
    free_list(p->binds_to);
    free_list(p->after);
    free_list(p->wanted_by);
    free_list(p->requires);
    free_list(p->before);
    free_list(p->propagates_stop_to);
    free_list(p->wants);
    free_list(p->upholds);
    free_list(p->required_by);
    free_list(p->bound_by);
    free_list(p->triggers);
    free_list(p->triggered_by);
    free_list(p->environment);
    free_list(p->environment_files);
    free_list(p->asserts_path_exists);
    free_list(p->drop_in_paths);
    *p = (struct unit_properties){0};
}

bool state_is_dead(const char *active_state)
{
    assert(active_state);
    return strcmp(active_state, "inactive") == 0 || strcmp(active_state, "failed") == 0;
}

#ifndef __clang__
/* gcc's analyzer loses sight of what is stored under an index it does not know. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Into a list of strings. Returns 0 or -ENOMEM. */
static int list_add(char ***list, const char *what)
{
    size_t n = 0;

    while (*list && (*list)[n])
        n++;
    char **longer = realloc(*list, (n + 2) * sizeof(char *));
    if (!longer)
        return -ENOMEM;
    *list = longer;
    longer[n + 1] = NULL;
    longer[n] = strdup(what);
    return longer[n] ? 0 : -ENOMEM;
}

#ifndef __clang__
#pragma GCC diagnostic pop
#endif

/* Readers of one property each; `at` is its place in struct unit_properties. */

static int read_word(sd_bus_message *m, void *at)
{
    const char *s;
    int r = sd_bus_message_read(m, "v", "s", &s);

    if (r >= 0)
        (void)snprintf(at, PROPERTY_MAX, "%s", s);
    return r;
}

static int read_unit_name(sd_bus_message *m, void *at)
{
    const char *s;
    int r = sd_bus_message_read(m, "v", "s", &s);

    if (r >= 0)
        (void)snprintf(at, UNIT_NAME_LEN_MAX + 1, "%s", s);
    return r;
}

static int read_string(sd_bus_message *m, void *at)
{
    const char *s;
    char **ret = at;
    int r = sd_bus_message_read(m, "v", "s", &s);

    if (r < 0)
        return r;
    free(*ret);
    *ret = strdup(s);
    return *ret ? 0 : -ENOMEM;
}

static int read_bool(sd_bus_message *m, void *at)
{
    int b;
    int r = sd_bus_message_read(m, "v", "b", &b);

    if (r >= 0)
        *(bool *)at = b;
    return r;
}

static int read_int(sd_bus_message *m, void *at)
{
    return sd_bus_message_read(m, "v", "i", at);
}

static int read_usec(sd_bus_message *m, void *at)
{
    return sd_bus_message_read(m, "v", "t", at);
}

static int read_list(sd_bus_message *m, void *at)
{
    char ***list = at;
    const char *s;
    int r = sd_bus_message_enter_container(m, 'v', "as");

    if (r < 0 || (r = sd_bus_message_enter_container(m, 'a', "s")) < 0)
        return r;
    while ((r = sd_bus_message_read(m, "s", &s)) > 0)
        if ((r = list_add(list, s)) < 0)
            return r;
    if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
        return r;
    return sd_bus_message_exit_container(m);
}

static int read_environment_files(sd_bus_message *m, void *at)
{
    char ***list = at;
    const char *s;
    int r = sd_bus_message_enter_container(m, 'v', "a(sb)");

    if (r < 0 || (r = sd_bus_message_enter_container(m, 'a', "(sb)")) < 0)
        return r;
    while ((r = sd_bus_message_read(m, "(sb)", &s, NULL)) > 0)
        if ((r = list_add(list, s)) < 0)
            return r;
    if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
        return r;
    return sd_bus_message_exit_container(m);
}

static int read_asserts(sd_bus_message *m, void *at)
{
    char ***list = at;
    const char *type, *parameter;
    int trigger, negated;
    int r = sd_bus_message_enter_container(m, 'v', "a(sbbsi)");

    if (r < 0 || (r = sd_bus_message_enter_container(m, 'a', "(sbbsi)")) < 0)
        return r;
    while ((r = sd_bus_message_read(m, "(sbbsi)", &type, &trigger, &negated, &parameter, NULL)) > 0)
        if (strcmp(type, "AssertPathExists") == 0 && !trigger && !negated &&
            (r = list_add(list, parameter)) < 0)
            return r;
    if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
        return r;
    return sd_bus_message_exit_container(m);
}

/* The ID of the run, 128 bits, in hex. */
static int read_invocation(sd_bus_message *m, void *at)
{
    const void *bytes;
    size_t n;
    char *ret = at;
    int r = sd_bus_message_enter_container(m, 'v', "ay");

    if (r < 0 || (r = sd_bus_message_read_array(m, 'y', &bytes, &n)) < 0)
        return r;
    ret[0] = '\0';
    if (n != INVOCATION_ID_LEN / 2)
        n = 0; /* none */
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    return sd_bus_message_exit_container(m);
}

/* FNV-1a, 64 bits. Files of root's are not made to collide. */
static uint64_t fingerprint_add(uint64_t fingerprint, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    if (fingerprint == 0)
        fingerprint = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        fingerprint = (fingerprint ^ p[i]) * UINT64_C(0x100000001b3);
    return fingerprint == 0 ? 1 : fingerprint;
}

/* Its NUL too: "a", "bc" is not "ab", "c". */
static uint64_t fingerprint_string(uint64_t fingerprint, const char *s)
{
    return fingerprint_add(fingerprint, s, strlen(s) + 1);
}

static int read_arguments(sd_bus_message *m, struct unit_commands *c)
{
    const char *argument;
    int r = sd_bus_message_enter_container(m, 'a', "s");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(m, "s", &argument)) > 0)
        c->fingerprint = fingerprint_string(c->fingerprint, argument);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* One command: path, arguments, whether its failure counts, times, process, and how it ended. */
static int read_command(sd_bus_message *m, struct unit_commands *c)
{
    const char *path;
    int ignored, code, status, r;
    uint32_t pid;

    if ((r = sd_bus_message_read(m, "s", &path)) < 0)
        return r;
    if (!c->path && !(c->path = strdup(path)))
        return -ENOMEM;
    c->fingerprint = fingerprint_string(c->fingerprint, path);
    if ((r = read_arguments(m, c)) < 0 ||
        (r = sd_bus_message_read(m, "bttttuii", &ignored, NULL, NULL, NULL, NULL, &pid, &code,
                                 &status)) < 0)
        return r;
    c->fingerprint = fingerprint_add(c->fingerprint, ignored ? "-" : "+", 1);
    bool clean = pid > 0 && code == CLD_EXITED && status == 0;
    if (!clean && c->n_clean == c->n) {
        c->ran = pid > 0 && code != 0;
        c->code = code;
        c->status = status;
    }
    c->n_clean += clean;
    c->n++;
    return 0;
}

static int read_commands(sd_bus_message *m, void *at)
{
    struct unit_commands *c = at;
    int r = sd_bus_message_enter_container(m, 'v', "a(sasbttttuii)");

    if (r < 0 || (r = sd_bus_message_enter_container(m, 'a', "(sasbttttuii)")) < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'r', "sasbttttuii")) > 0)
        if ((r = read_command(m, c)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
            return r;
    if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
        return r;
    return sd_bus_message_exit_container(m);
}

#define PROPERTY(name, reader, member)                                                             \
    {                                                                                              \
        name, reader, offsetof(struct unit_properties, member)                                     \
    }

static const struct {
    const char *name;
    int (*read)(sd_bus_message *m, void *at);
    size_t offset;
} properties[] = {
    PROPERTY("Id", read_unit_name, id),
    PROPERTY("LoadState", read_word, load_state),
    PROPERTY("ActiveState", read_word, active_state),
    PROPERTY("Slice", read_unit_name, slice),
    PROPERTY("KillMode", read_word, kill_mode),
    PROPERTY("Restart", read_word, restart),
    PROPERTY("RestartMode", read_word, restart_mode),
    PROPERTY("FileDescriptorStorePreserve", read_word, fd_store_preserve),
    PROPERTY("Type", read_word, type),
    PROPERTY("TimeoutStopFailureMode", read_word, timeout_stop_failure_mode),
    PROPERTY("FreezerState", read_word, freezer_state),
    PROPERTY("SourcePath", read_string, source_path),
    PROPERTY("PAMName", read_string, pam_name),
    PROPERTY("FragmentPath", read_string, fragment_path),
    PROPERTY("ControlGroup", read_string, control_group),
    PROPERTY("ExecStart", read_commands, exec_start),
    PROPERTY("ExecStop", read_commands, exec_stop),
    PROPERTY("ExecStopPost", read_commands, exec_stop_post),
    PROPERTY("ExecStopPre", read_commands, exec_stop_pre),
    PROPERTY("InvocationID", read_invocation, invocation),
    PROPERTY("Result", read_word, result),
    PROPERTY("RemainAfterExit", read_bool, remain_after_exit),
    PROPERTY("InactiveExitTimestampMonotonic", read_usec, inactive_exit),
    PROPERTY("ActiveEnterTimestampMonotonic", read_usec, active_enter),
    PROPERTY("NeedDaemonReload", read_bool, need_daemon_reload),
    PROPERTY("SendSIGKILL", read_bool, send_sigkill),
    PROPERTY("Accept", read_bool, accept),
    PROPERTY("WatchdogSignal", read_int, watchdog_signal),
    PROPERTY("FinalKillSignal", read_int, final_kill_signal),
    PROPERTY("TimeoutStopUSec", read_usec, timeout_stop),
    PROPERTY("TimeoutAbortUSec", read_usec, timeout_abort),
    PROPERTY("TimeoutUSec", read_usec, timeout),
    PROPERTY("BindsTo", read_list, binds_to),
    PROPERTY("After", read_list, after),
    PROPERTY("Before", read_list, before),
    PROPERTY("PropagatesStopTo", read_list, propagates_stop_to),
    PROPERTY("WantedBy", read_list, wanted_by),
    PROPERTY("Requires", read_list, requires),
    PROPERTY("Wants", read_list, wants),
    PROPERTY("Upholds", read_list, upholds),
    PROPERTY("RequiredBy", read_list, required_by),
    PROPERTY("BoundBy", read_list, bound_by),
    PROPERTY("Triggers", read_list, triggers),
    PROPERTY("TriggeredBy", read_list, triggered_by),
    PROPERTY("Environment", read_list, environment),
    PROPERTY("EnvironmentFiles", read_environment_files, environment_files),
    PROPERTY("Asserts", read_asserts, asserts_path_exists),
    PROPERTY("DropInPaths", read_list, drop_in_paths),
};

const void *properties_find(const struct unit_properties *p, const char *name)
{
    assert(p);
    assert(name);

    if (strcmp(name, "AssertPathExists") == 0)
        name = "Asserts";
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (strcmp(properties[i].name, name) == 0)
            return (const char *)p + properties[i].offset;
    return NULL;
}

static int read_property(sd_bus_message *m, const char *name, struct unit_properties *p)
{
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].read(m, (char *)p + properties[i].offset);
    return sd_bus_message_skip(m, "v");
}

int properties_read(sd_bus_message *m, struct unit_properties *ret)
{
    assert(m);
    assert(ret);

    _cleanup_(unit_properties_clear) struct unit_properties p = {0};
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *name;

        if ((r = sd_bus_message_read(m, "s", &name)) < 0 || (r = read_property(m, name, &p)) < 0 ||
            (r = sd_bus_message_exit_container(m)) < 0)
            return r;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
        return r;
    *ret = p;
    p = (struct unit_properties){0};
    return 0;
}
