/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/trigger.h"
#include "config/unit_name.h"

#define UNIT_TEXT_MAX (UNIT_NAME_LEN_MAX + 1)

/* Names in these texts need no escaping: systemd takes the backslashes of unit names in dependency
 * lists and Slice= as they are, and '%', its specifiers' character, is in no valid group or unit
 * name. */

/* A text that grows. An error stays until finish(). */
struct text {
    FILE *f;
    char *buffer;
    size_t size;
    int error;
};

static void begin(struct text *t)
{
    *t = (struct text){.f = NULL};
    t->f = open_memstream(&t->buffer, &t->size);
    if (!t->f)
        t->error = -ENOMEM;
}

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
    va_list ap;

    if (!t->f)
        return;
    va_start(ap, format);
    if (vfprintf(t->f, format, ap) < 0)
        t->error = -ENOMEM;
    va_end(ap);
}

static int finish(struct text *t, char **ret)
{
    if (t->f && fclose(t->f) != 0 && t->error == 0)
        t->error = -ENOMEM;
    if (t->error < 0 || !t->buffer) {
        free(t->buffer);
        return t->error < 0 ? t->error : -ENOMEM;
    }
    assert(!strchr(t->buffer, '%'));
    *ret = t->buffer;
    return 0;
}

/* ---- settings ---- */

/* Environment= is the only setting here that interprets backslashes. */
static void add_quoted(struct text *t, const char *s)
{
    for (; *s; s++)
        add(t, *s == '\\' ? "\\%c" : "%c", *s);
}

static void add_all_units(struct text *t, const struct config_group *g)
{
    add(t, "Environment=\"" KEEPER_UNITS_ENV "=");
    for (size_t i = 0; i < g->n_units; i++) {
        if (i > 0)
            add(t, " ");
        add_quoted(t, g->units[i]);
    }
    add(t, "\"\n");
}

static void add_setting(struct text *t, const struct guard_setting *s, const struct config_group *g,
                        const char *unit)
{
    char value[GUARD_VALUE_SIZE];
    int r = guard_value(s, g->name, g->budget.stop, unit, value, sizeof value);

    if (r < 0)
        t->error = r;
    else /* "-": a keeper makes that file */
        add(t, "%s=%s%s\n", s->key, s->value == GUARD_ENV ? "-" : "", value);
}

static void add_for_all(struct text *t, const struct guard_setting *s, const struct config_group *g,
                        char *const *more, size_t n_more)
{
    if (s->value == GUARD_ALL_UNITS)
        add_all_units(t, g);
    else if (s->value != GUARD_UNIT)
        add_setting(t, s, g, NULL);
    for (size_t k = 0; s->value == GUARD_UNIT && k < g->n_units; k++)
        add_setting(t, s, g, g->units[k]);
    for (size_t k = 0; s->value == GUARD_UNIT && k < n_more; k++)
        add_setting(t, s, g, more[k]);
}

static void add_settings(struct text *t, enum guard_of of, bool of_unit,
                         const struct config_group *g, char *const *more, size_t n_more)
{
    for (size_t i = 0; i < guard_n_settings; i++)
        if ((guard_settings[i].of & (unsigned)of) && guard_settings[i].of_unit == of_unit)
            add_for_all(t, &guard_settings[i], g, more, n_more);
}

/* ---- drop-ins ---- */

int guard_unit_text(const struct config_group *g, const char *unit, char **ret)
{
    assert(g);
    assert(unit);
    assert(ret);

    enum guard_of type = guard_type(unit);
    struct text t;

    begin(&t);
    add(&t,
        "# Written by tenure: this unit belongs to group \"%s\" and runs on its leader only.\n"
        "[Unit]\n",
        g->name);
    add_settings(&t, type, true, g, NULL, 0);
    if (type != GUARD_OF_OTHER) {
        add(&t, "\n[%s]\n", guard_section(type));
        add_settings(&t, type, false, g, NULL, 0);
    }
    return finish(&t, ret);
}

int guard_kept_text(const char *group, const char *unit, char **ret)
{
    assert(group);
    assert(unit);
    assert(ret);

    enum guard_of type = guard_type(unit);
    struct config_group g = {.n_units = 0};
    struct text t;

    (void)snprintf(g.name, sizeof g.name, "%s", group);
    begin(&t);
    add(&t,
        "# Written by tenure: this unit left group \"%s\" on this host. Other hosts may run it, "
        "so\n"
        "# it cannot start here. When none does: tenurectl apply --release %s.\n"
        "# (Without tenure on this host: remove this file, then systemctl daemon-reload.)\n"
        "[Unit]\n",
        group, group);
    for (size_t i = 0; i < guard_n_settings; i++) {
        const struct guard_setting *s = &guard_settings[i];

        if (!(s->of & (unsigned)type) || !s->of_unit)
            continue;
        if (s->value == GUARD_STATE)
            add(&t, "%s=" GUARD_KEPT_PATH "%s\n", s->key, group);
        else
            add_setting(&t, s, &g, NULL);
    }
    return finish(&t, ret);
}

/* Whether a timer or path of the group starts this unit, or may: 1, 0 or -ENOMEM. (What a socket
 * starts is pulled up by the keeper as well: it serves the socket, and the first client need not
 * wait for it.) */
static int has_its_time(const struct config_group *g, const char *unit,
                        const char *const unit_dirs[])
{
    for (size_t i = 0; i < g->n_units; i++) {
        const char *suffix = unit_name_suffix(g->units[i]);

        if (strcmp(suffix, "timer") != 0 && strcmp(suffix, "path") != 0)
            continue;
        int r = trigger_may_start(unit_dirs, g->units[i], unit);
        if (r != 0)
            return r;
    }
    return 0;
}

/* What is added to the keeper's own confinement, for groups that may restart the host alone. */
static void add_reboot(struct text *t, const struct config_group *g)
{
    add(t,
        "Environment=" KEEPER_REBOOT_ENV "=%" PRIu64 "\n"
        "CapabilityBoundingSet=CAP_SYS_BOOT\n"
        "SystemCallFilter=reboot\n",
        g->budget.kill);
}

int guard_keeper_text(const struct config_group *g, char *const *more, size_t n_more,
                      const char *const unit_dirs[], char **ret)
{
    assert(g);
    assert(more || n_more == 0);
    assert(unit_dirs);
    assert(ret);

    struct text t;

    begin(&t);
    add(&t,
        "# Written by tenure: the keeper of group \"%s\" gets its slice and its units, and the "
        "time it needs to end them.\n"
        "[Unit]\n",
        g->name);
    add_settings(&t, GUARD_OF_KEEPER, true, g, more, n_more);
    /* Here, and not as links in a directory of the keeper's: both copies of those would count. */
    for (size_t i = 0; i < g->n_units; i++) {
        int timed = has_its_time(g, g->units[i], unit_dirs);

        if (timed < 0)
            t.error = timed;
        else if (!timed)
            add(&t, "Wants=%s\n", g->units[i]);
    }
    add(&t, "\n[Service]\n");
    add_settings(&t, GUARD_OF_KEEPER, false, g, more, n_more);
    if (g->reboot)
        add_reboot(&t, g);
    return finish(&t, ret);
}

/* All settings but those by which its stop would stop the units. The units are bound to today's
 * keeper, whose start stops this one: if that stopped the units beside their start, PID 1 might
 * drop both stops from that transaction. */
static void add_earlier(struct text *t, const struct config_group *g)
{
    for (size_t i = 0; i < guard_n_settings; i++) {
        const struct guard_setting *s = &guard_settings[i];

        if ((s->of & (unsigned)GUARD_OF_KEEPER) && s->of_unit &&
            strcmp(s->key, "PropagatesStopTo") != 0)
            add_for_all(t, s, g, NULL, 0);
    }
}

int guard_earlier_keeper_text(const struct config_group *g, char **ret)
{
    assert(g);
    assert(ret);

    struct text t;

    begin(&t);
    add(&t,
        "# Written by tenure: the keeper of group \"%s\" has another name in this version. The one "
        "of\n"
        "# the earlier name ends, and cannot be started any more.\n"
        "[Unit]\n",
        g->name);
    add(&t,
        "BindsTo=tenure@%s.service\n"
        "Conflicts=tenure@%s.service\n"
        "Before=tenure@%s.service\n",
        g->name, g->name, g->name);
    add_earlier(&t, g);
    /* The unit file would make another name of it now. */
    add(&t,
        "\n[Service]\n"
        "RuntimeDirectory=\n"
        "RuntimeDirectory=tenure/groups/%s\n",
        g->name);
    add_settings(&t, GUARD_OF_KEEPER, false, g, NULL, 0);
    if (g->reboot)
        add_reboot(&t, g);
    return finish(&t, ret);
}

int guard_kept_keeper_text(const char *group, char **units, size_t n_units, char **ret)
{
    assert(group);
    assert(units || n_units == 0);
    assert(ret);

    struct config_group g = {.units = units, .n_units = n_units};
    struct text t;

    (void)snprintf(g.name, sizeof g.name, "%s", group);
    begin(&t);
    add(&t,
        "# Written by tenure: group \"%s\" left this host, and its units must not run here.\n"
        "[Unit]\n",
        group);
    for (size_t i = 0; i < guard_n_settings; i++)
        for (size_t k = 0; guard_settings[i].value == GUARD_UNIT && k < n_units; k++)
            add_setting(&t, &guard_settings[i], &g, units[k]);
    return finish(&t, ret);
}

int guard_agent_text(const struct tenure_config *c, char **ret)
{
    assert(c);
    assert(ret);

    char keeper[UNIT_TEXT_MAX];
    struct text t;

    begin(&t);
    add(&t, "# Written by tenure: systemd keeps the units of all groups loaded.\n[Unit]\n");
    for (size_t i = 0; i < c->n_groups; i++) {
        int r = group_keeper_unit(c->groups[i].name, keeper, sizeof keeper);

        if (r < 0)
            t.error = r;
        else
            add(&t, "Before=%s\n", keeper);
    }
    return finish(&t, ret);
}

int guard_lock_text(const char *unit, char **ret)
{
    assert(unit);
    assert(ret);

    struct text t;

    begin(&t);
    add(&t, "# Written by tenure: the applied configuration is missing or broken, so nothing that "
            "belongs to a group may start.\n"
            "[Unit]\n"
            "AssertPathExists=" GUARD_LOCK_PATH "\n");
    /* On systemd 257, an automatic restart is a start that does not check this. */
    if (guard_type(unit) == GUARD_OF_SERVICE)
        add(&t, "\n[Service]\nRestart=no\n");
    return finish(&t, ret);
}

/* ---- reading ---- */

/* The rest of the first line that begins with this; NULL: there is none. */
static const char *line_of(const char *text, const char *key, size_t *ret_length)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0) {
            *ret_length = strcspn(line, "\n") - strlen(key);
            return line + strlen(key);
        }
    }
    return NULL;
}

static bool is_line(const char *line, size_t length, const char *expected)
{
    return strlen(expected) == length && strncmp(line, expected, length) == 0;
}

int guard_group_of_text(const char *text, char ret[static GROUP_NAME_MAX + 1])
{
    char group[GROUP_NAME_MAX + 1], state[GUARD_VALUE_SIZE], kept[GUARD_VALUE_SIZE];
    size_t bound = 0, asserted = 0;

    assert(text);
    const char *keeper = line_of(text, "BindsTo=", &bound);
    const char *path = line_of(text, "AssertPathExists=", &asserted);
    if (!keeper || !path || group_of_keeper_unit(keeper, bound, group, sizeof group) < 0)
        return -EBADMSG;
    (void)snprintf(state, sizeof state, TENURE_GROUPS_DIR "/%s/" KEEPER_STATE_FILE, group);
    (void)snprintf(kept, sizeof kept, GUARD_KEPT_PATH "%s", group);
    if (!is_line(path, asserted, state) && !is_line(path, asserted, kept))
        return -EBADMSG;
    memcpy(ret, group, strlen(group) + 1);
    return 0;
}
