/* SPDX-License-Identifier: Apache-2.0 */
/* tenure-keeper INSTANCE           the dead-man's switch of one group, tenure@INSTANCE.service
 * tenure-keeper --fence INSTANCE   what PID 1 runs when that is gone, by ExecStopPost=
 * tenure-keeper --stop INSTANCE    ends what runs without a term, tenure-stop@INSTANCE.service */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/names.h"
#include "base/parse.h"
#include "keeper/fence.h"
#include "keeper/process.h"
#include "keeper/reboot.h"
#include "keeper/stop.h"

#define EXIT_USAGE 2
#define SYSTEMCTL "/usr/bin/systemctl"

/* 0 without the variable. Returns 0 or -EINVAL. */
static int read_reboot(usec_t *ret)
{
    const char *text = getenv(KEEPER_REBOOT_ENV);
    usec_t after = 0;

    if (text && (parse_u64(text, &after) < 0 || after == 0 || after > BUDGET_KILL_MAX_USEC))
        return -EINVAL;
    *ret = after;
    return 0;
}

/* systemd.exec(5): for ExecStopPost= alone. */
static bool keeper_ended_well(void)
{
    const char *result = getenv("SERVICE_RESULT"), *status = getenv("EXIT_STATUS");

    return result && strcmp(result, "success") == 0 && status && strcmp(status, "0") == 0;
}

int main(int argc, char *argv[])
{
    static const char *const drop_in_dirs[] = {KEEPER_DROP_IN_DIRS, NULL};
    struct keeper_config config = {
        .tickets_dir = TENURE_TICKETS_DIR,
        .groups_dir = TENURE_GROUPS_DIR,
        .cgroup_root = TENURE_CGROUP_ROOT,
        .notify_socket = getenv("NOTIFY_SOCKET"),
        .units_dir = KEEPER_UNITS_DIR,
        .stops_dir = TENURE_INSTANCE_DIR,
        .units = getenv(KEEPER_UNITS_ENV),
        .drop_in_dirs = drop_in_dirs,
        .systemctl = SYSTEMCTL,
        .ended_well = keeper_ended_well(),
        .stop_limit = STOP_LIMIT_USEC,
        .sysrq_trigger = reboot_sysrq_trigger(),
        .restart = reboot_host,
    };

    /* A journal that reads nothing must not stop the keeper: a line lost is better. */
    log_never_wait();

    /* A value that cannot be parsed must neither enable the restart nor silently disable it. */
    int r = read_reboot(&config.reboot_after);
    if (r < 0)
        log_error(KEEPER_REBOOT_ENV " is %s, not microseconds up to %" PRIu64,
                  getenv(KEEPER_REBOOT_ENV), BUDGET_KILL_MAX_USEC);
    if (argc == 3 && strcmp(argv[1], "--fence") == 0) {
        config.instance = argv[2];
        return fence_run(&config);
    }
    if (argc == 3 && strcmp(argv[1], "--stop") == 0) {
        config.instance = argv[2];
        return stop_run(&config);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("tenure-keeper %s\n", TENURE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (argc != 2 || argv[1][0] == '-') {
        log_error(
            "Usage: tenure-keeper [--fence | --stop] INSTANCE (started by systemd, not by hand)");
        return EXIT_USAGE;
    }

    if (r < 0)
        return EXIT_FAILURE;
    errno = 0; /* stays 0 when the user is simply not there */
    const struct passwd *user = getpwnam(TENURE_USER);
    if (!user || user->pw_uid == 0) {
        log_error("no user \"%s\" other than root: %s", TENURE_USER,
                  errno ? strerror(errno) : "see sysusers.d/tenure.conf");
        return EXIT_FAILURE;
    }
    config.instance = argv[1];
    config.uid = user->pw_uid;
    config.gid = user->pw_gid;
    return keeper_run(&config);
}
