/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_PROCESS_H
#define TENURE_KEEPER_PROCESS_H

/* The keeper, its fence and what stops strays, as processes. main.c fills the configuration with
 * constants; the tests fill it with a directory of their own. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/usec.h"

struct keeper_config {
    const char *instance;      /* of the unit: the group's name */
    const char *tickets_dir;   /* TENURE_TICKETS_DIR */
    const char *groups_dir;    /* TENURE_GROUPS_DIR */
    const char *cgroup_root;   /* TENURE_CGROUP_ROOT */
    const char *notify_socket; /* $NOTIFY_SOCKET; the fence needs none */
    const char *units_dir;     /* KEEPER_UNITS_DIR */
    const char *stops_dir;     /* TENURE_INSTANCE_DIR */
    const char *units; /* $TENURE_UNITS: the group's units, separated by spaces; may be NULL */
    /* Where root wrote which units these are, NULL at the end; see keeper/declared.h. */
    const char *const *drop_in_dirs;
    const char *systemctl; /* a path; NULL: PID 1 is not asked to stop anything */
    bool ended_well;       /* the fence: the keeper itself saw that nothing runs any more */
    usec_t stop_limit;     /* STOP_LIMIT_USEC */
    uid_t uid;             /* the user to become, and the only one whose messages count */
    gid_t gid;
    usec_t reboot_after;         /* $TENURE_REBOOT_USEC, K; 0: this host is never restarted */
    const char *sysrq_trigger;   /* reboot_sysrq_trigger() */
    int (*restart)(bool really); /* reboot_host() */
};

/* Keeps one term from ticket to end; logs; returns an exit status: EXIT_SUCCESS when the term has
 * ended as it should, EXIT_FAILURE when it did not begin or the fence has to finish it. */
int keeper_run(const struct keeper_config *config);

/* Sees to it that nothing of the group runs once the keeper is gone; logs; returns an exit status:
 * EXIT_SUCCESS when the slice is empty or not there. SIGTERM makes it kill at once. */
int fence_run(const struct keeper_config *config);

/* How long after S, when all is killed, what is left is killed again and PID 1 is asked. */
#define STOP_LIMIT_USEC (30 * USEC_PER_SEC)
/* When no copy of the keeper's drop-in is left that says S. */
#define STOP_UNKNOWN_USEC (5 * USEC_PER_SEC)
/* The group is led here. */
#define EXIT_LEADS 3

/* Ends whatever of the group runs here, by name, while this host does not lead it; logs; returns an
 * exit status: EXIT_SUCCESS when all is dead; EXIT_LEADS, without having done anything more, as
 * long as a keeper's term is not over, or one begins; EXIT_FAILURE when something is left after S
 * and stop_limit, or nobody knows of any units, or on SIGTERM. */
int stop_run(const struct keeper_config *config);

#endif
