/* SPDX-License-Identifier: Apache-2.0 */
#include "config/string_list.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int strings_add(char ***items, size_t *n, const char *text)
{
    assert(items);
    assert(n);
    assert(text);

    char *copy = strdup(text);
    char **longer = copy ? reallocarray(*items, *n + 1, sizeof(char *)) : NULL;

    if (!longer) {
        free(copy);
        return -ENOMEM;
    }
    *items = longer;
    longer[(*n)++] = copy;
    return 0;
}

/* Where the text is in a sorted array, or would be. */
static size_t position(char *const *items, size_t n, const char *text)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(items[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool strings_contain(char *const *items, size_t n, const char *text)
{
    size_t at = position(items, n, text);

    return at < n && strcmp(items[at], text) == 0;
}

int strings_insert(char ***items, size_t *n, const char *text)
{
    assert(items);
    assert(n);
    assert(text);

    size_t at = position(*items, *n, text);

    if (at < *n && strcmp((*items)[at], text) == 0)
        return 0;
    int r = strings_add(items, n, text);
    if (r < 0)
        return r;
    char *added = (*items)[*n - 1];
    memmove(*items + at + 1, *items + at, (*n - 1 - at) * sizeof(char *));
    (*items)[at] = added;
    return 1;
}

void strings_free(char **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(items[i]);
    free(items);
}
