/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_KEEPER_KEEPER_CONFIG_H
#define TENURE_KEEPER_KEEPER_CONFIG_H

/* What keeper, fence and tenure-stop@ work with. main.c fills it with constants; the tests fill it
 * with a directory of their own. */

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

#endif
