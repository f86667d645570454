/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_COMMAND_H
#define TENURE_KEEPER_COMMAND_H

/* A program that runs beside a caller who has no time to wait for it. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "keeper/lines.h"

#define COMMAND_ARGUMENTS_MAX 8 /* before the names */

struct command {
    pid_t pid;     /* 0: none runs */
    int output_fd; /* -1: what it writes is not wanted, or all of it was read */
    struct lines lines;
};

#define COMMAND_NONE ((struct command){.output_fd = -1})

/* Starts arguments[0], a path, with these arguments (NULL at the end), then these names. It gets no
 * signal blocked, an environment of its own, and SIGKILL when this process ends. output: what it
 * writes is wanted. Returns 0 or negative errno. */
int command_start(struct command *c, const char *const arguments[], const char *const names[],
                  size_t n_names, bool output);

/* Takes what it has written so far, and looks whether it has ended. Never waits. Returns 1 and its
 * exit status (-1: killed) when it has; 0 when it has not, or none runs. */
int command_look(struct command *c, line_taker take, void *userdata, int *ret_status);

/* Ends it with SIGKILL if it runs. Waits for a moment only: for what hangs, PID 1 will. */
void command_end(struct command *c);

#endif
