/* SPDX-License-Identifier: Apache-2.0 */
#include "config/trigger.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/names.h"
#include "config/file.h"
#include "config/unit_name.h"

#define TRIGGER_FILE_SIZE_MAX (1024 * 1024)
#define TRIGGER_DROP_INS_MAX 256

const char *const trigger_unit_dirs[] = {
    "/etc/systemd/system.control", "/run/systemd/system.control",
    "/run/systemd/transient",      "/run/systemd/generator.early",
    "/etc/systemd/system",         "/etc/systemd/system.attached",
    "/run/systemd/system",         "/run/systemd/system.attached",
    "/run/systemd/generator",      "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",     "/lib/systemd/system",
    "/run/systemd/generator.late", NULL,
};

struct trigger {
    const char *section; /* "[Timer]" */
    const char *key;     /* "Unit" or "Service" */
    char value[UNIT_NAME_LEN_MAX + 1];
    bool accept;
};

static char *strip(char *s)
{
    s += strspn(s, " \t\r");
    for (size_t n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

static bool truth(const char *s)
{
    return strcasecmp(s, "yes") == 0 || strcasecmp(s, "true") == 0 || strcasecmp(s, "on") == 0 ||
           strcasecmp(s, "y") == 0 || strcasecmp(s, "t") == 0 || strcmp(s, "1") == 0;
}

/* Takes the wanted keys from a unit file's text, which it cuts up. Values that go on over several
 * lines do not occur for these keys. */
static void trigger_scan(struct trigger *t, char *text)
{
    bool inside = false;
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line = strip(line);
        if (line[0] == '[')
            inside = strcmp(line, t->section) == 0;
        char *equal = strchr(line, '=');
        if (!inside || line[0] == '#' || line[0] == ';' || !equal)
            continue;
        *equal = '\0';

        const char *key = strip(line), *value = strip(equal + 1);
        if (strcmp(key, t->key) == 0)
            (void)snprintf(t->value, sizeof t->value, "%s", value);
        else if (strcmp(key, "Accept") == 0)
            t->accept = truth(value);
    }
}

static int scan_file(struct trigger *t, const char *dir, const char *sub, const char *name)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s%s", dir, sub, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }

    _cleanup_free_ char *text = NULL;
    int r = file_read(path, TRIGGER_FILE_SIZE_MAX, &text);
    if (r == 0)
        trigger_scan(t, text);
    return r;
}

/* The unit's own file: the first one found counts. */
static int scan_main(struct trigger *t, const char *const dirs[], const char *name)
{
    for (size_t i = 0; dirs[i]; i++) {
        int r = scan_file(t, dirs[i], "", name);

        if (r == -ENOENT || r == -ENOTDIR)
            continue;
        if (r == -ENOTSUP) /* masked: a link to /dev/null */
            return -ENOENT;
        return r == 0 || r == -ENOMEM ? r : -ENODATA;
    }
    return -ENOENT;
}

/* Its drop-ins, the least important directory first. */
static int scan_drop_ins(struct trigger *t, const char *const dirs[], const char *name)
{
    char sub[UNIT_NAME_LEN_MAX + 4];
    size_t n_dirs = 0;

    (void)snprintf(sub, sizeof sub, "%s.d/", name);
    while (dirs[n_dirs])
        n_dirs++;
    for (size_t i = n_dirs; i-- > 0;) {
        _cleanup_free_ char *path = NULL;
        char **names;
        size_t n;

        if (asprintf(&path, "%s/%s", dirs[i], sub) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        int r = file_names(path, ".conf", TRIGGER_DROP_INS_MAX, &names, &n);
        if (r == -ENOENT || r == -ENOTDIR)
            continue;
        if (r < 0)
            return r == -ENOMEM ? r : -ENODATA;
        for (size_t k = 0; k < n && r != -ENOMEM; k++)
            r = scan_file(t, dirs[i], sub, names[k]);
        file_names_free(names, n);
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}

/* "worker@1.timer" -> "worker@.timer"; a name without an instance as it is. */
static void template_of(const char *unit, char *ret, size_t size)
{
    const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

    if (at && dot)
        (void)snprintf(ret, size, "%.*s%s", (int)(at - unit) + 1, unit, dot);
    else
        (void)snprintf(ret, size, "%s", unit);
}

static int scan_unit(struct trigger *t, const char *const dirs[], const char *unit)
{
    char template[UNIT_NAME_LEN_MAX + 1];

    template_of(unit, template, sizeof template);
    bool instance = strcmp(template, unit) != 0;

    int r = scan_main(t, dirs, unit);
    if (r == -ENOENT && instance)
        r = scan_main(t, dirs, template);
    if (r == 0 && instance)
        r = scan_drop_ins(t, dirs, template);
    return r < 0 ? r : scan_drop_ins(t, dirs, unit);
}

/* ---- what it names ---- */

#define ALIAS_STEPS_MAX 8

static void append(char *ret, size_t size, const char *text, size_t length)
{
    size_t used = strlen(ret);

    (void)snprintf(ret + used, size - used, "%.*s", (int)length, text);
}

/* What a specifier of the unit's own name means. Returns its length; 0: it is another one, or
 * says nothing of this unit. */
static size_t specified(const char *unit, char specifier, const char **ret)
{
    const char *dot = strrchr(unit, '.'), *at = strchr(unit, '@');
    size_t stem = dot ? (size_t)(dot - unit) : strlen(unit);
    size_t prefix = at ? (size_t)(at - unit) : stem;

    *ret = unit;
    switch (specifier) {
    case 'n':
        return strlen(unit);
    case 'N':
        return stem;
    case 'p':
        return prefix;
    case 'i':
        *ret = at ? at + 1 : unit;
        return at ? stem - prefix - 1 : 0;
    case 'j':
        for (size_t i = prefix; i-- > 0;)
            if (unit[i] == '-') {
                *ret = unit + i + 1;
                return prefix - i - 1;
            }
        return prefix;
    default:
        return 0;
    }
}

/* The value with the specifiers of this unit's name resolved; any other specifier becomes '*'.
 * Returns whether there is no other one. */
static bool specify(const char *unit, const char *value, char *ret, size_t size)
{
    bool whole = true;

    ret[0] = '\0';
    for (; *value; value++) {
        const char *text = value;
        size_t length = 1;

        if (*value == '%') {
            value += value[1] != '\0';
            length = specified(unit, *value, &text);
            whole = whole && length > 0;
        }
        append(ret, size, length > 0 ? text : "*", length > 0 ? length : 1);
    }
    return whole;
}

/* "oldjob.service", a link to realjob.service, is that one. */
static void follow_alias(const char *const dirs[], char *name, size_t size)
{
    for (int step = 0; step < ALIAS_STEPS_MAX; step++) {
        char target[PATH_MAX];
        ssize_t n = -1;

        for (size_t i = 0; dirs[i] && n < 0; i++) {
            _cleanup_free_ char *path = NULL;

            if (asprintf(&path, "%s/%s", dirs[i], name) < 0) {
                path = NULL;
                return;
            }
            n = readlink(path, target, sizeof target - 1);
            if (n < 0 && access(path, F_OK) == 0)
                return; /* a file, and by this name */
        }
        if (n < 0)
            return;
        target[n] = '\0';
        const char *slash = strrchr(target, '/'), *other = slash ? slash + 1 : target;
        if (strcmp(other, name) == 0 || strchr(other, '@') ||
            strcmp(unit_name_suffix(other), unit_name_suffix(name)) != 0)
            return;
        (void)snprintf(name, size, "%s", other);
    }
}

/* Returns as trigger_find(); with -ENODATA, ret is what the name looks like, "" when nothing is
 * known. */
static int look_for(const char *const dirs[], const char *unit, char *ret, size_t size)
{
    const char *suffix = unit_name_suffix(unit);
    bool is_socket = strcmp(suffix, "socket") == 0;
    struct trigger t = {.key = is_socket ? "Service" : "Unit"};

    t.section = is_socket ? "[Socket]" : strcmp(suffix, "timer") == 0 ? "[Timer]" : "[Path]";
    ret[0] = '\0';
    int r = scan_unit(&t, dirs, unit);
    if (r < 0)
        return r;
    if (t.accept)
        return -EXDEV;
    if (!t.value[0])
        (void)snprintf(ret, size, "%.*sservice", (int)(suffix - unit), unit);
    else if (!specify(unit, t.value, ret, size))
        return -ENODATA;
    follow_alias(dirs, ret, size);
    return 0;
}

/* Units that another program's generator makes may have no file yet; a timer's service has its
 * name. */
static bool same_stem(const char *unit, const char *other)
{
    const char *suffix = unit_name_suffix(unit), *other_suffix = unit_name_suffix(other);

    return strcmp(other_suffix, "service") == 0 && suffix - unit == other_suffix - other &&
           strncmp(unit, other, (size_t)(suffix - unit)) == 0;
}

int trigger_may_start(const char *const dirs[], const char *unit, const char *other)
{
    assert(dirs);
    assert(unit);
    assert(other);

    char name[UNIT_NAME_LEN_MAX + 1];
    int r = look_for(dirs, unit, name, sizeof name);

    if (r == 0)
        return strcmp(name, other) == 0;
    if (r == -ENOENT)
        return same_stem(unit, other);
    if (r == -ENODATA)
        return name[0] ? fnmatch(name, other, FNM_NOESCAPE) == 0
                       : strcmp(unit_name_suffix(other), "service") == 0;
    return r == -ENOMEM ? r : 0;
}

int trigger_find(const char *const dirs[], const char *unit, char *ret, size_t size)
{
    assert(dirs);
    assert(unit);
    assert(ret);
    assert(size > UNIT_NAME_LEN_MAX);

    return look_for(dirs, unit, ret, size);
}
