/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/units.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_PREFIX "invocation:"

static bool is_up(const char *units_dir, const char *name, int length)
{
    char path[PATH_MAX], target;
    int n = snprintf(path, sizeof path, "%s/" LINK_PREFIX "%.*s", units_dir, length, name);

    /* The link leads nowhere: its target is the id of the invocation. */
    return n > 0 && (size_t)n < sizeof path && readlink(path, &target, sizeof target) > 0;
}

struct units_look units_look(const char *units_dir, const char *names)
{
    assert(units_dir);

    struct units_look look = {.up = false};

    while (names && *names) {
        size_t length = strcspn(names, " ");

        if (length > NAME_MAX - strlen(LINK_PREFIX))
            look.unlinked = true;
        else if (length > 0 && is_up(units_dir, names, (int)length))
            look.up = true;
        names += length;
        names += strspn(names, " ");
    }
    return look;
}
