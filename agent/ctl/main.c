/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/verbs.h"
#include "guard/copy.h"

/* systemd.exec(5), $JOURNAL_STREAM: a process may have inherited it and write elsewhere. */
static bool writes_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, ours) == 0;
}

/* By ProtectHome= and PrivateTmp= of tenured.service. */
static const char *const hidden[] = {"/home", "/root", "/run/user", "/tmp", "/var/tmp", NULL};

int main(int argc, char *argv[])
{
    const struct ctl ctl = {
        .paths = {.main_file = CONFIG_MAIN_FILE, .groups_dir = CONFIG_GROUPS_DIR},
        .applied = config_applied_files,
        .copy_dir = GUARD_COPY_DIR,
        .asks_systemd = true,
        .remember_dir = TENURE_UNITS_DIR,
        .lock_file = TENURE_APPLY_LOCK,
        .tries = true,
        .agent_user = TENURE_USER,
        .hidden = hidden,
        .out = stdout,
        .err = stderr,
        .in = stdin,
        .is_person = isatty(STDIN_FILENO) > 0,
        .to_journal = writes_to_journal(),
    };

    return ctl_run(&ctl, argc, argv);
}
