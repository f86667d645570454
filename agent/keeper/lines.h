/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_LINES_H
#define TENURE_KEEPER_LINES_H

/* Text that comes in pieces, line by line and without allocation. */

#include <stdbool.h>
#include <stddef.h>

#define LINE_SIZE 512

struct lines {
    char line[LINE_SIZE];
    size_t length;
    bool too_long; /* left out altogether */
};

/* Called for each whole line, without its end. */
typedef void (*line_taker)(void *userdata, const char *line);

/* The next piece. A line that has no end yet waits for it. */
void lines_feed(struct lines *l, const char *bytes, size_t n, line_taker take, void *userdata);

#endif
