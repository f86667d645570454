/* SPDX-License-Identifier: Apache-2.0 */
#include "host/slice.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/names.h"
#include "base/parse.h"
#include "host/small_file.h"

#define PATH_SIZE 512
#define CGROUP_STAT_MAX 4096

/* The number behind the key, in a line of its own. */
static int parse_line(const char *text, const char *key, uint64_t *ret)
{
    const char *p = text;

    while (strncmp(p, key, strlen(key)) != 0) {
        p = strchr(p, '\n');
        if (!p)
            return -EBADMSG;
        p++;
    }
    p += strlen(key);

    char number[24];
    size_t length = strcspn(p, "\n");
    if (length >= sizeof number)
        return -EBADMSG;
    memcpy(number, p, length);
    number[length] = '\0';
    return parse_u64(number, ret) < 0 ? -EBADMSG : 0;
}

int cgroup_stat_parse(const char *text, uint64_t *ret)
{
    assert(text);
    assert(ret);

    return parse_line(text, "nr_descendants ", ret);
}

int cgroup_events_parse(const char *text, bool *ret)
{
    assert(text);
    assert(ret);

    uint64_t populated;

    if (parse_line(text, "populated ", &populated) < 0 || populated > 1)
        return -EBADMSG;
    *ret = populated == 1;
    return 0;
}

int slice_read(const char *cgroup_root, const char *group, bool empty_counts, bool *ret_empty)
{
    assert(cgroup_root);
    assert(group);
    assert(ret_empty);

    char slice[UNIT_NAME_LEN_MAX + 32], path[PATH_SIZE], text[CGROUP_STAT_MAX];
    uint64_t descendants = 0;
    bool populated = false;
    int r = group_slice_cgroup(group, slice, sizeof slice);

    if (r < 0)
        return r;
    r = snprintf(path, sizeof path, "%s/%s/%s", cgroup_root, slice,
                 empty_counts ? "cgroup.stat" : "cgroup.events");
    if (r < 0 || r >= PATH_SIZE)
        return -ENAMETOOLONG;
    ssize_t n = small_file_read(path, text, sizeof text);
    /* ENODEV: removed between open and read. */
    if (n == -ENOENT || n == -ENODEV) {
        *ret_empty = true;
        return 0;
    }
    if (n < 0)
        return (int)n;
    text[n] = '\0';
    r = empty_counts ? cgroup_stat_parse(text, &descendants)
                     : cgroup_events_parse(text, &populated);
    if (r < 0)
        return r;
    *ret_empty = descendants == 0 && !populated;
    return 0;
}
