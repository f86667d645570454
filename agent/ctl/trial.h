/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_TRIAL_H
#define TENURE_CTL_TRIAL_H

/* Would an agent with this connection string get to its arbiter? All hosts of it are tried, side by
 * side and as the agent's user. Variables that a drop-in of tenured.service sets with Environment=
 * are not in it. */

#include "arbiter/attempt.h"
#include "ctl/ctl.h"

/* The whole of it, silent servers and name servers included. */
#define TRIAL_LIMIT_USEC (7 * USEC_PER_SEC)

#define TRIAL_FILES_MAX 5

/* A file that the string names and that cannot be used: why, and what to do. */
struct trial_files {
    char text[TRIAL_FILES_MAX][ARBITER_TEXT_MAX];
    size_t n;
};

/* Is this path, or where it leads to, below a directory that the agent does not see? */
bool trial_is_hidden(const char *const dirs[], const char *path);

struct trial_run; /* what is at work */

struct trial {
    int error;       /* negative errno: nothing could be tried; -ESRCH: there is no such user */
    bool as_agent;   /* false: it was tried as the present user */
    size_t n_named;  /* files that were checked */
    int files_error; /* negative errno: they were not checked */
    struct trial_files files, hidden; /* hidden: this process sees them, the agent does not */
    struct attempt attempts[CONNINFO_HOSTS_MAX];
    size_t n;
    struct trial_run *run;
};

/* Begins it; other things may be done meanwhile. NULL: out of memory. */
struct trial *trial_start(const struct ctl *ctl, const struct config_arbiter *arbiter);

/* Ends it, TRIAL_LIMIT_USEC after its begin at the latest: then the rest of it can be read. */
void trial_finish(struct trial *t);

struct trial *trial_free(struct trial *t); /* returns NULL */

static inline void cleanup_trial(struct trial **t)
{
    (void)trial_free(*t);
}
#define _cleanup_trial_ _cleanup_(cleanup_trial)

/* Of the hosts one that would do, else the one that got furthest; NULL: there is none. */
const struct attempt *trial_best(const struct trial *t);

/* Would it do? */
bool trial_usable(const struct trial *t);

/* What is wrong with a server that waits for standbys and has none. */
extern const char trial_alone_text[];

/* Of an attempt: the first thing that speaks against it, with what to do; "" when there is none.
 * Returns ret. */
const char *trial_obstacle(const struct attempt *a, char *ret, size_t size);

#endif
