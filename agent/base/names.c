/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEEPER_PREFIX "tenure@"
#define ESCAPED_DASH "\\x2d"

/* The C locale's classes, whatever setlocale() has set: names are ASCII. */
static bool ascii_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool name_valid(const char *name, size_t max)
{
    if (!name || !ascii_alnum(name[0]))
        return false;
    for (size_t i = 0; name[i]; i++)
        if (i >= max || (!ascii_alnum(name[i]) && !strchr("_.-", name[i])))
            return false;
    return true;
}

const char *method_name(enum method method)
{
    switch (method) {
    case METHOD_LEASE:
        return "lease";
    case METHOD_ADVISORY:
        return "advisory";
    }
    return "?";
}

bool group_name_valid(const char *name)
{
    return name_valid(name, GROUP_NAME_MAX);
}

bool node_name_valid(const char *name)
{
    return name_valid(name, NODE_NAME_MAX);
}

int group_escaped(const char *group, char *ret, size_t size)
{
    assert(ret);

    if (!group_name_valid(group))
        return -EINVAL;

    size_t n = 0;
    for (const char *p = group; *p; p++) {
        const char *piece = *p == '-' ? ESCAPED_DASH : (const char[]){*p, '\0'};
        size_t length = strlen(piece);

        if (n + length >= size)
            return -ENOBUFS;
        memcpy(ret + n, piece, length);
        n += length;
    }
    ret[n] = '\0';
    return 0;
}

/* One spelling or the other, no mixture of both. */
int group_from_instance(const char *instance, char *ret, size_t size)
{
    assert(instance);
    assert(ret);

    char group[GROUP_NAME_MAX + 1];
    bool escaped = strchr(instance, *ESCAPED_DASH);
    size_t n = 0;

    for (const char *p = instance; *p;) {
        if (n >= GROUP_NAME_MAX || (escaped && *p == '-'))
            return -EINVAL;
        if (strncmp(p, ESCAPED_DASH, strlen(ESCAPED_DASH)) == 0) {
            group[n++] = '-';
            p += strlen(ESCAPED_DASH);
        } else
            group[n++] = *p++;
    }
    group[n] = '\0';
    if (!group_name_valid(group))
        return -EINVAL;
    if (n >= size)
        return -ENOBUFS;
    memcpy(ret, group, n + 1);
    return 0;
}

static int format_name(const char *prefix, const char *group, const char *suffix, char *ret,
                       size_t size)
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, size, "%s%s%s", prefix, group, suffix);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int format_escaped(const char *prefix, const char *group, const char *suffix, char *ret,
                          size_t size)
{
    char escaped[GROUP_ESCAPED_MAX + 1];
    int r = group_escaped(group, escaped, sizeof escaped);

    if (r < 0)
        return r;
    int n = snprintf(ret, size, "%s%s%s", prefix, escaped, suffix);
    return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

int group_keeper_unit(const char *group, char *ret, size_t size)
{
    return format_name(KEEPER_PREFIX, group, ".service", ret, size);
}

int group_of_keeper_unit(const char *unit, size_t length, char *ret, size_t size)
{
    static const char prefix[] = KEEPER_PREFIX, suffix[] = ".service";
    const size_t around = strlen(prefix) + strlen(suffix);
    char instance[GROUP_ESCAPED_MAX + 1];

    assert(unit);
    assert(ret);

    if (length <= around || length - around >= sizeof instance ||
        strncmp(unit, prefix, strlen(prefix)) != 0 ||
        strncmp(unit + length - strlen(suffix), suffix, strlen(suffix)) != 0)
        return -EINVAL;
    (void)snprintf(instance, sizeof instance, "%.*s", (int)(length - around),
                   unit + strlen(prefix));
    return group_from_instance(instance, ret, size);
}

int group_stop_unit(const char *group, char *ret, size_t size)
{
    return format_name("tenure-stop@", group, ".service", ret, size);
}

int group_slice_unit(const char *group, char *ret, size_t size)
{
    return format_escaped("tenure-", group, ".slice", ret, size);
}

int group_slice_cgroup(const char *group, char *ret, size_t size)
{
    return format_escaped("tenure.slice/tenure-", group, ".slice", ret, size);
}

int group_earlier_keeper_unit(const char *group, char *ret, size_t size)
{
    if (group_name_valid(group) && !strchr(group, '-'))
        return -ENOENT;
    return format_escaped(KEEPER_PREFIX, group, ".service", ret, size);
}
