/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"
#include "guard/copy.h"

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
    };

    return ctl_run(&ctl, argc, argv);
}
