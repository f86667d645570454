/* SPDX-License-Identifier: Apache-2.0 */
#include "config/problem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Makes room for one more. Doubles, so few calls allocate. Returns 0 or -ENOMEM. */
static int problems_reserve(struct config_problems *p)
{
    if (p->n > 0 && (p->n & (p->n - 1)) != 0)
        return 0;

    size_t room = p->n == 0 ? 1 : p->n * 2;
    struct config_problem *items = reallocarray(p->items, room, sizeof *items);

    if (!items)
        return -ENOMEM;
    p->items = items;
    return 0;
}

void config_problem_add(struct config_problems *p, const char *file, unsigned line,
                        const char *format, ...)
{
    assert(p);
    assert(file);

    va_list ap;

    if (p->n >= CONFIG_PROBLEMS_MAX) {
        p->n_more++;
        return;
    }

    _cleanup_free_ char *copy = strdup(file);
    _cleanup_free_ char *text = NULL;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        text = NULL;
    if (!text || !copy || problems_reserve(p) < 0) {
        p->out_of_memory = true;
        return;
    }
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    p->items[p->n++] =
        (struct config_problem){.file = TAKE_PTR(copy), .line = line, .text = TAKE_PTR(text)};
}

void config_problems_clear(struct config_problems *p)
{
    assert(p);

    for (size_t i = 0; i < p->n; i++) {
        free(p->items[i].file);
        free(p->items[i].text);
    }
    free(p->items);
    *p = (struct config_problems){0};
}
