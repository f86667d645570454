/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/mounts.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* Is there a mount point at this directory, or at one of so many above it? */
static bool is_mounted(const char *path, int above)
{
    _cleanup_free_ char *dir = strdup(path);
    struct statx own, parent;
    bool mounted = false;

    for (int i = 0; dir && i <= above && !mounted; i++) {
        char *slash = strrchr(dir, '/');

        if (!slash || statx(AT_FDCWD, dir, 0, STATX_MNT_ID, &own) < 0)
            return false;
        slash[slash == dir] = '\0';
        mounted = statx(AT_FDCWD, dir, 0, STATX_MNT_ID, &parent) == 0 &&
                  (own.stx_mask & parent.stx_mask & STATX_MNT_ID) &&
                  own.stx_mnt_id != parent.stx_mnt_id;
    }
    return mounted;
}

/* PID 1 reads these before it mounts anything. */
void ctl_warn_mounted_late(const struct ctl *ctl)
{
    assert(ctl);

    static const char why[] = "lies on a file system of its own, which may be mounted at boot only "
                              "after it is needed: have it on the one of /etc";
    const char *slash = strrchr(ctl->applied[0], '/');
    _cleanup_free_ char *dir =
        slash ? strndup(ctl->applied[0], (size_t)(slash - ctl->applied[0])) : NULL;

    if (dir && is_mounted(dir, 0))
        ctl_warn(ctl, "%s %s", dir, why);
    if (is_mounted(ctl->copy_dir, 1))
        ctl_warn(ctl, "%s %s", ctl->copy_dir, why);
}

/* ---- what is declared ---- */

static bool same_mount(const char *a, const char *b)
{
    struct statx one, other;

    /* Links are followed. What is not there is nowhere else. */
    return statx(AT_FDCWD, a, 0, STATX_MNT_ID, &one) < 0 ||
           statx(AT_FDCWD, b, 0, STATX_MNT_ID, &other) < 0 ||
           !(one.stx_mask & other.stx_mask & STATX_MNT_ID) || one.stx_mnt_id == other.stx_mnt_id;
}

/* Of /etc/tenure/tenure.conf: /etc. For free(3); NULL without memory, or a name that has no such
 * directory. */
static char *directory_above(const char *file)
{
    char *dir = strdup(file);

    for (int i = 0; dir && i < 2; i++) {
        char *slash = strrchr(dir, '/');

        if (!slash) {
            free(dir);
            return NULL;
        }
        slash[slash == dir] = '\0';
    }
    return dir;
}

bool ctl_warn_declared_late(const struct ctl *ctl)
{
    assert(ctl);

    const char *const read[] = {ctl->paths.main_file, ctl->paths.groups_dir};
    _cleanup_free_ char *etc = directory_above(ctl->paths.main_file);
    bool late = false;

    for (size_t i = 0; etc && i < sizeof read / sizeof *read; i++) {
        if (same_mount(read[i], etc))
            continue;
        ctl_warn(ctl,
                 "%s lies on another file system than %s, and may be mounted at boot only after it "
                 "is needed: enabled units that it names would start then, before tenured does and "
                 "whichever node leads; have it on that of %s, or disable its units",
                 read[i], etc, etc);
        late = true;
    }
    return late;
}
