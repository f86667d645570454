/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/lines.h"

#include <assert.h>

static void end_line(struct lines *l, line_taker take, void *userdata)
{
    l->line[l->length] = '\0';
    if (!l->too_long)
        take(userdata, l->line);
    l->length = 0;
    l->too_long = false;
}

void lines_feed(struct lines *l, const char *bytes, size_t n, line_taker take, void *userdata)
{
    assert(l);
    assert(bytes || n == 0);
    assert(take);

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            end_line(l, take, userdata);
        else if (l->length < sizeof l->line - 1)
            l->line[l->length++] = bytes[i];
        else
            l->too_long = true;
    }
}
