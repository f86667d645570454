/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/copy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/file.h"
#include "config/string_list.h"
#include "config/unit_name.h"
#include "guard/each.h"
#include "guard/file.h"
#include "guard/text.h"

/* More files than that go to the disk with everything else that is pending, by one sync. */
#define SYNC_EACH_MAX 32
#define DROP_INS_MAX 200000
#define DROP_IN_SIZE_MAX (1024 * 1024)

/* ---- one drop-in ---- */

static bool same_bytes(int fd, const char *text)
{
    size_t length = strlen(text), at = 0;
    char buffer[4096];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        if ((size_t)n > length - at || memcmp(buffer, text + at, (size_t)n) != 0)
            return false;
        at += (size_t)n;
    }
    return n == 0 && at == length;
}

static bool is_same(int dir_fd, const char *unit, const char *text)
{
    _cleanup_close_ int drop_ins = guard_file_open_directory(dir_fd, unit);
    struct stat st;

    if (drop_ins < 0)
        return false;
    _cleanup_close_ int fd =
        openat(drop_ins, GUARD_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0444) == 0444 &&
           same_bytes(fd, text);
}

/* Fails when files are there. */
static int remove_directory(int dir_fd, const char *unit)
{
    char name[NAME_MAX + 1];

    (void)snprintf(name, sizeof name, "%s.d", unit);
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Readable by all users: any of them may use `systemctl cat`. */
static int stage_in(int dir_fd, const char *unit, const char *text, bool made)
{
    _cleanup_close_ int drop_ins = guard_file_open_directory(dir_fd, unit);

    if (drop_ins < 0)
        return drop_ins;
    if (made && fchmod(drop_ins, 0755) < 0)
        return -errno;
    return guard_file_stage(drop_ins, text);
}

static int stage(int dir_fd, const char *unit, const char *text)
{
    int made = guard_file_make_directory(dir_fd, unit);
    int r = made < 0 ? made : stage_in(dir_fd, unit, text, made > 0);

    if (r < 0 && made > 0)
        (void)remove_directory(dir_fd, unit);
    return r;
}

static int publish(int dir_fd, const char *unit)
{
    _cleanup_close_ int drop_ins = guard_file_open_directory(dir_fd, unit);

    if (drop_ins < 0)
        return drop_ins;
    return guard_file_publish(drop_ins, GUARD_FILE);
}

/* And what an interrupted writer left there. */
static int take_away(int dir_fd, const char *unit, const char *file)
{
    _cleanup_close_ int drop_ins = guard_file_open_directory(dir_fd, unit);

    if (drop_ins < 0)
        return drop_ins;
    if (unlinkat(drop_ins, file, 0) < 0 && errno != ENOENT)
        return -errno;
    (void)unlinkat(drop_ins, GUARD_FILE_STAGED, 0);
    return remove_directory(dir_fd, unit) == 0 || fsync(drop_ins) == 0 ? 0 : -errno;
}

/* ---- writing ---- */

struct writer {
    int dir_fd;
    struct guard_copy *result;
    char **units; /* staged */
    size_t n;
};

/* Not for lack of something that may be there next time. */
static bool is_final(int error)
{
    return error == -EROFS || error == -EACCES || error == -EPERM || error == -ENOTDIR ||
           error == -ELOOP || error == -EISDIR || error == -ENAMETOOLONG;
}

/* Returns the error itself unless it is final. */
static int refuse(struct writer *w, const char *unit, int error)
{
    if (!is_final(error))
        return error;
    if (w->result->refused == 0) {
        w->result->refused = error;
        (void)snprintf(w->result->refused_unit, sizeof w->result->refused_unit, "%s", unit);
    }
    return 0;
}

/* The directory existed before it had a drop-in of ours: its owner has to open it. */
static void note_hidden(const struct writer *w, const char *unit)
{
    _cleanup_close_ int drop_ins = guard_file_open_directory(w->dir_fd, unit);
    struct stat st;

    if (*w->result->hidden_unit || drop_ins < 0 || fstat(drop_ins, &st) < 0 ||
        (st.st_mode & S_IXOTH))
        return;
    (void)snprintf(w->result->hidden_unit, sizeof w->result->hidden_unit, "%s", unit);
    w->result->hidden_mode = st.st_mode & 07777;
}

static int take(void *userdata, const char *unit, const char *text)
{
    struct writer *w = userdata;

    note_hidden(w, unit);
    if (is_same(w->dir_fd, unit, text))
        return 0;
    int r = stage(w->dir_fd, unit, text);
    if (r == 0)
        return strings_add(&w->units, &w->n, unit);
    return refuse(w, unit, r);
}

static int sync_each(const struct writer *w, const char *file)
{
    for (size_t i = 0; i < w->n; i++) {
        _cleanup_close_ int drop_ins = guard_file_open_directory(w->dir_fd, w->units[i]);

        if (drop_ins < 0)
            return drop_ins;
        _cleanup_close_ int fd = openat(drop_ins, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0 || fsync(drop_ins) < 0)
            return -errno;
    }
    return fsync(w->dir_fd) < 0 ? -errno : 0;
}

static int sync_all(const struct writer *w, const char *file)
{
    if (w->n <= SYNC_EACH_MAX)
        return w->n == 0 ? 0 : sync_each(w, file);
    return syncfs(w->dir_fd) < 0 ? -errno : 0;
}

static int publish_all(struct writer *w)
{
    size_t n = 0;
    int first = 0;

    for (size_t i = 0; i < w->n; i++) {
        int r = publish(w->dir_fd, w->units[i]);

        if (r == 0) {
            w->units[n++] = w->units[i];
            continue;
        }
        (void)take_away(w->dir_fd, w->units[i], GUARD_FILE_STAGED);
        r = refuse(w, w->units[i], r);
        first = first < 0 ? first : r;
        free(w->units[i]);
    }
    w->n = n;
    w->result->n_written = n;
    return first;
}

static void discard(const struct writer *w)
{
    for (size_t i = 0; i < w->n; i++)
        (void)take_away(w->dir_fd, w->units[i], GUARD_FILE_STAGED);
}

/* A directory that cannot be opened, or made, is no place for a copy: the first unit is named. */
static int open_dir(const char *dir)
{
    if (mkdir(dir, 0755) < 0 && errno != EEXIST && errno != EROFS)
        return -errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int guard_copy_write(const struct tenure_config *c, const char *dir, const char *const unit_dirs[],
                     struct guard_copy *ret)
{
    assert(c);
    assert(dir);
    assert(unit_dirs);
    assert(ret);

    _cleanup_close_ int dir_fd = open_dir(dir);
    struct writer w = {.dir_fd = dir_fd, .result = ret};

    *ret = (struct guard_copy){.n_written = 0};
    if (dir_fd < 0) {
        ret->refused = is_final(dir_fd) ? dir_fd : 0;
        return is_final(dir_fd) ? 0 : dir_fd;
    }
    int r = guard_each(c, unit_dirs, take, &w);
    if (r == 0)
        r = sync_all(&w, GUARD_FILE_STAGED);
    if (r < 0)
        discard(&w);
    else {
        r = publish_all(&w);
        int synced = sync_all(&w, GUARD_FILE);

        r = r < 0 ? r : synced;
    }
    strings_free(w.units, w.n);
    return r;
}

/* ---- taking away ---- */

static int remember_name(void *userdata, const char *unit, const char *text)
{
    struct writer *w = userdata;

    (void)text;
    int r = strings_insert(&w->units, &w->n, unit);
    return r < 0 ? r : 0;
}

static bool has_file(const char *dir, const char *unit, const char *file)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s.d/%s", dir, unit, file);

    return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

/* What has a drop-in of ours, or if so wanted one that was only staged; for file_names_free(). */
static int drop_ins_of(const char *dir, bool staged, char ***ret, size_t *ret_n)
{
    char **names;
    size_t n, kept = 0;
    int r = file_names(dir, ".d", DROP_INS_MAX, &names, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        names[i][strlen(names[i]) - strlen(".d")] = '\0';
        if (has_file(dir, names[i], GUARD_FILE) ||
            (staged && has_file(dir, names[i], GUARD_FILE_STAGED)))
            names[kept++] = names[i];
        else
            free(names[i]);
    }
    *ret = names;
    *ret_n = kept;
    return 0;
}

/* A unit's drop-in that does not name its group: whether that was released is not known. */
static bool is_strange(const char *dir, const char *unit)
{
    char group[GROUP_NAME_MAX + 1];

    return !unit_name_problem(unit) && has_file(dir, unit, GUARD_FILE) &&
           guard_copy_find(dir, unit, group) < 0;
}

static int prune(const struct writer *of, const char *dir, int dir_fd)
{
    char **units;
    size_t n, removed = 0;
    int first = drop_ins_of(dir, true, &units, &n);

    if (first < 0)
        return first;
    for (size_t i = 0; i < n; i++) {
        if (strings_contain(of->units, of->n, units[i]) || is_strange(dir, units[i]))
            continue;
        int r = take_away(dir_fd, units[i], GUARD_FILE);

        removed += r == 0;
        if (r < 0 && first == 0)
            first = r;
    }
    strings_free(units, n);
    if (removed > 0 && fsync(dir_fd) < 0 && first == 0)
        first = -errno;
    return first;
}

/* The removal of the program leaves one where nothing was applied. What is applied has guards. */
static int take_locks(const struct writer *of, const char *dir)
{
    int first = 0;

    for (size_t i = 0; i < of->n; i++) {
        if (!has_file(dir, of->units[i], GUARD_LOCK_FILE))
            continue;
        int r = take_away(of->dir_fd, of->units[i], GUARD_LOCK_FILE);

        if (first == 0)
            first = r;
    }
    return first;
}

int guard_copy_prune(const struct tenure_config *c, const char *dir, const char *const unit_dirs[])
{
    assert(c);
    assert(dir);
    assert(unit_dirs);

    _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct writer of = {.dir_fd = dir_fd};

    if (dir_fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = guard_each(c, unit_dirs, remember_name, &of);
    if (r == 0)
        r = prune(&of, dir, dir_fd);
    int locks = take_locks(&of, dir);

    r = r < 0 ? r : locks;
    strings_free(of.units, of.n);
    return r;
}

/* ---- looking ---- */

struct comparer {
    int dir_fd;
    void (*differs)(void *userdata, const char *unit);
    void *userdata;
    int n;
};

static int compare_one(void *userdata, const char *unit, const char *text)
{
    struct comparer *c = userdata;

    if (!is_same(c->dir_fd, unit, text)) {
        c->differs(c->userdata, unit);
        c->n++;
    }
    return 0;
}

int guard_copy_compare(const struct tenure_config *c, const char *dir,
                       const char *const unit_dirs[],
                       void (*differs)(void *userdata, const char *unit), void *userdata)
{
    assert(c);
    assert(dir);
    assert(unit_dirs);
    assert(differs);

    _cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct comparer comparer = {.dir_fd = dir_fd, .differs = differs, .userdata = userdata};
    int r = guard_each(c, unit_dirs, compare_one, &comparer);

    return r < 0 ? r : comparer.n;
}

int guard_copy_find(const char *dir, const char *unit, char group[static GROUP_NAME_MAX + 1])
{
    assert(dir);
    assert(unit);

    _cleanup_free_ char *text = NULL;
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s.d/%s", dir, unit, GUARD_FILE);

    if (n < 0 || (size_t)n >= sizeof path)
        return -ENOENT;
    int r = file_read(path, DROP_IN_SIZE_MAX, &text);
    if (r < 0)
        return r == -ENOENT ? r : -EBADMSG;
    return guard_group_of_text(text, group);
}

int guard_copy_scan(const char *dir,
                    int (*found)(void *userdata, const char *unit, const char *group),
                    void *userdata)
{
    assert(dir);
    assert(found);

    char **units;
    size_t n;
    int r = drop_ins_of(dir, false, &units, &n);

    if (r < 0)
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
    for (size_t i = 0; i < n && r >= 0; i++) {
        char group[GROUP_NAME_MAX + 1] = "";

        if (unit_name_problem(units[i]))
            continue; /* keepers and the agent, or no unit */
        if (guard_copy_find(dir, units[i], group) < 0)
            group[0] = '\0';
        r = found(userdata, units[i], group);
    }
    strings_free(units, n);
    return r;
}
