/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CONFIG_PROBLEM_H
#define TENURE_CONFIG_PROBLEM_H

/* A list of what is wrong with a configuration: all of it, so that it is mended in one go. */

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PROBLEMS_MAX 1000 /* further ones are only counted */

struct config_problem {
    char *file;
    unsigned line; /* 0: the file as a whole */
    char *text;    /* one sentence: the value, and what would be right */
};

/* = {0} is an empty list. */
struct config_problems {
    struct config_problem *items;
    size_t n;
    size_t n_more;      /* found beyond CONFIG_PROBLEMS_MAX */
    bool out_of_memory; /* at least one was lost: the list is not complete */
};

/* Control characters in the text are replaced: a message is one line. */
void config_problem_add(struct config_problems *p, const char *file, unsigned line,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Frees the contents; the list is empty afterwards. */
void config_problems_clear(struct config_problems *p);
#define _cleanup_problems_ _cleanup_(config_problems_clear)

#endif
