/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_STRING_LIST_H
#define TENURE_CONFIG_STRING_LIST_H

/* Arrays of strings that grow: NULL and 0 are an empty one, strings_free() ends it. */

#include <stdbool.h>
#include <stddef.h>

/* Adds a copy of the text at the end. Returns 0 or -ENOMEM. */
int strings_add(char ***items, size_t *n, const char *text);

/* Keeps the array sorted, and every text in it once. Returns 1; 0 if it was there; -ENOMEM. */
int strings_insert(char ***items, size_t *n, const char *text);

/* Is the text in this sorted array? */
bool strings_contain(char *const *items, size_t n, const char *text);

void strings_free(char **items, size_t n);

#endif
