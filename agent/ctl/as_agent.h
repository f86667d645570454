/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_CTL_AS_AGENT_H
#define TENURE_CTL_AS_AGENT_H

/* Something is tried as the agent would: in a process of its own, as the agent's user where this is
 * root, with the environment that systemd gives the agent, and with nothing else of this process:
 * in a session of its own, without descriptors. What hangs there is killed. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/usec.h"

struct as_agent {
    pid_t pid; /* 0: none */
    int fd;    /* its answer */
};
#define AS_AGENT_NONE                                                                              \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Can it be tried as this user? 0; -ESRCH: there is no such user; -EPERM: this is neither root nor
 * that user, so what is tried is tried as the present user. */
int as_agent_possible(const char *user);

/* Does it find there what LoadCredential= of the agent's unit names? Only while the agent runs. */
bool as_agent_has_credentials(void);

/* Starts `work` there. It fills one answer of `size` bytes, all zero when it begins; then the
 * process waits for its end. Returns 0 or negative errno. */
int as_agent_start(const char *user, void (*work)(void *userdata, void *answer), void *userdata,
                   size_t size, struct as_agent *ret);

/* Waits for its answer, until then by CLOCK_BOOTTIME; one that is there already is taken even
 * later. Returns 0, -ETIMEDOUT, or -EIO when it ended without one. */
int as_agent_await(const struct as_agent *a, void *answer, size_t size, usec_t until);

/* The same, and ends it. */
int as_agent_take(struct as_agent *a, void *answer, size_t size, usec_t until);

/* Ends it, if it is there. */
void as_agent_end(struct as_agent *a);

#endif
