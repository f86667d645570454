/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "guard/copy.h"

/* systemd.exec(5), $JOURNAL_STREAM: somebody may have inherited it and writes elsewhere. */
static bool writes_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

int main(int argc, char *argv[])
{
    const struct ctl ctl = {
        .paths = {.main_file = CONFIG_MAIN_FILE, .groups_dir = CONFIG_GROUPS_DIR},
        .applied = config_applied_files,
        .copy_dir = GUARD_COPY_DIR,
        .asks_systemd = true,
        .remember_dir = TENURE_UNITS_DIR,
        .lock_file = TENURE_APPLY_LOCK,
        .out = stdout,
        .err = stderr,
        .to_journal = writes_to_journal(),
    };

    return ctl_run(&ctl, argc, argv);
}
