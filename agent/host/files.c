/* SPDX-License-Identifier: Apache-2.0 */
#include "host/files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/guard.h"
#include "base/parse.h"

#define STOPS_SIZE_MAX ((size_t)64 * 1024) /* the units of one group, and room */

#define PATH_SIZE 512
#define CGROUP_STAT_MAX 4096
#define STATE_READS_MAX 3

static int ticket_path(const char *tickets_dir, const char *group, char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s", tickets_dir, group);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int keeper_path(const char *groups_dir, const char *group, const char *file,
                       char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s/%s", groups_dir, group, file);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int write_all(int fd, const char *text, size_t length)
{
    ssize_t n = write(fd, text, length);

    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

int ticket_publish(const char *tickets_dir, const struct ticket *t)
{
    assert(tickets_dir);
    assert(t);

    char text[TICKET_SIZE_MAX], path[PATH_SIZE], self[64];
    int length = ticket_format(t, text, sizeof text);
    int r;

    if (length < 0)
        return length;
    if ((r = ticket_path(tickets_dir, t->group, path)) < 0)
        return r;
    /* Without a name until it is complete: a keeper never sees half of it, and an agent that dies
     * here leaves nothing behind. */
    _cleanup_close_ int fd = open(tickets_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if ((r = write_all(fd, text, (size_t)length)) < 0)
        return r;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}

int ticket_withdraw(const char *tickets_dir, const char *group)
{
    assert(tickets_dir);
    assert(group);

    char path[PATH_SIZE];
    int r = ticket_path(tickets_dir, group, path);

    if (r < 0)
        return r;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* 0, or why what the directory shall be in is none. */
static int try_parent(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    char parent[PATH_SIZE];

    (void)snprintf(parent, sizeof parent, "%.*s/", (int)(slash ? slash - dir : 0), dir);
    return access(parent, F_OK) < 0 ? -errno : 0;
}

/* What there is to do where a directory does not take a file. */
static const char *remedy_of(const char *tickets_dir, int error)
{
    struct stat st;

    switch (error) {
    case ENOENT:
        if (try_parent(tickets_dir) == -ENOENT)
            return "all of " TENURE_RUN_DIR
                   " is missing, without which no term goes on here: run systemctl stop tenured "
                   "first, which hands over what this host leads; then systemd-tmpfiles --create "
                   "tenure.conf, tenurectl apply and systemctl start tenured";
        return "it is missing: run systemd-tmpfiles --create tenure.conf, then systemctl restart "
               "tenured";
    case ENOTDIR:
        if (try_parent(tickets_dir) == -ENOTDIR)
            return "a file is in the place of " TENURE_RUN_DIR
                   ", without which no term goes on here: run systemctl stop tenured first, which "
                   "hands over what this host leads; then remove that file, run systemd-tmpfiles "
                   "--create tenure.conf, tenurectl apply and systemctl start tenured";
        return "a file is in its place: remove that, run systemd-tmpfiles --create tenure.conf, "
               "then systemctl restart tenured";
    case EMFILE:
        return "the agent has as many files open as it may, which it never needs: run systemctl "
               "restart tenured, and report it";
    case ENFILE:
        return "this host has as many files open as it may: see sysctl fs.file-nr, and what has "
               "them open";
    case ENOMEM:
        return "this host is out of memory: see free, and what uses it";
    case EROFS: /* also where the agent was started before the directory was made */
        return "the file system is read-only, or the directory was made anew while the agent runs: "
               "mount -o remount,rw /run if need be, then systemctl restart tenured";
    case ENOSPC:
    case EDQUOT:
        return "the file system is full: make room there, see df -h /run and df -i /run";
    case EACCES:
    case EPERM:
        if (stat(tickets_dir, &st) == 0 && st.st_uid != geteuid())
            return "it belongs to another user: run systemd-tmpfiles --create tenure.conf, which "
                   "gives it back to user " TENURE_USER;
        return "its mode does not let the agent: run systemd-tmpfiles --create tenure.conf";
    default:
        return "see journalctl -k for errors of the file system";
    }
}

static int try_write(const char *tickets_dir)
{
    static const char text[TICKET_SIZE_MAX] = "";
    _cleanup_close_ int fd = open(tickets_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    return fd < 0 ? -errno : write_all(fd, text, sizeof text);
}

int tickets_try(const char *tickets_dir, char text[static HOST_TEXT_MAX])
{
    assert(tickets_dir);
    assert(text);

    int r = try_write(tickets_dir);

    text[0] = '\0';
    if (r < 0)
        (void)snprintf(text, HOST_TEXT_MAX, "no ticket can be written to %s: %s: %s", tickets_dir,
                       strerror(-r), remedy_of(tickets_dir, -r));
    return r;
}

int tickets_clear(const char *tickets_dir)
{
    assert(tickets_dir);

    DIR *dir = opendir(tickets_dir);
    int r = 0;

    if (!dir)
        return -errno;
    for (;;) {
        errno = 0; /* an error must not pass for the end: tickets behind it would be left */
        const struct dirent *entry = readdir(dir);

        if (!entry) {
            r = errno ? -errno : r;
            break;
        }
        if (entry->d_type != DT_DIR && unlinkat(dirfd(dir), entry->d_name, 0) < 0 &&
            errno != ENOENT)
            r = -errno;
    }
    (void)closedir(dir);
    return r;
}

/* A whole small file; -E2BIG when it does not fit. Returns the length. */
static ssize_t read_file(const char *path, char *ret, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t length = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(fd, ret + length, size - length);

        if (n < 0)
            return -errno;
        if (n == 0)
            return (ssize_t)length;
        length += (size_t)n;
        if (length == size)
            return -E2BIG;
    }
}

/* The keeper rewrites its deadline in place, so one reading may hold half of another. */
ssize_t read_settled(small_reader reader, const void *from, char *ret, size_t size)
{
    assert(reader);
    assert(ret);
    assert(size <= TICKET_SIZE_MAX + 1);

    char again[TICKET_SIZE_MAX + 1];
    ssize_t length = reader(from, ret, size);

    for (size_t i = 1; i < STATE_READS_MAX && length >= 0; i++) {
        ssize_t n = reader(from, again, size);

        if (n < 0 || (n == length && memcmp(again, ret, (size_t)n) == 0))
            return n;
        memcpy(ret, again, (size_t)n);
        length = n;
    }
    return length < 0 ? length : -EAGAIN;
}

static ssize_t read_path(const void *path, char *ret, size_t size)
{
    return read_file(path, ret, size);
}

int state_load(const char *groups_dir, const char *group, struct ticket *ret)
{
    assert(groups_dir);
    assert(group);
    assert(ret);

    char path[PATH_SIZE], text[TICKET_SIZE_MAX + 1];
    struct ticket t;
    int r = keeper_path(groups_dir, group, KEEPER_STATE_FILE, path);

    if (r < 0)
        return r;
    ssize_t length = read_settled(read_path, path, text, sizeof text);
    if (length < 0)
        return (int)length;
    if ((r = ticket_parse(text, (size_t)length, &t)) < 0)
        return r;
    if (strcmp(t.group, group) != 0)
        return -EBADMSG;
    *ret = t;
    return 0;
}

/* The number that stands in a line of its own behind the key. */
static int parse_line(const char *text, const char *key, uint64_t *ret)
{
    const char *p = text;

    while (strncmp(p, key, strlen(key)) != 0) {
        p = strchr(p, '\n');
        if (!p)
            return -EBADMSG;
        p++;
    }
    p += strlen(key);

    char number[24];
    size_t length = strcspn(p, "\n");
    if (length >= sizeof number)
        return -EBADMSG;
    memcpy(number, p, length);
    number[length] = '\0';
    return parse_u64(number, ret) < 0 ? -EBADMSG : 0;
}

int cgroup_stat_parse(const char *text, uint64_t *ret)
{
    assert(text);
    assert(ret);

    return parse_line(text, "nr_descendants ", ret);
}

int cgroup_events_parse(const char *text, bool *ret)
{
    assert(text);
    assert(ret);

    uint64_t populated;

    if (parse_line(text, "populated ", &populated) < 0 || populated > 1)
        return -EBADMSG;
    *ret = populated == 1;
    return 0;
}

int slice_look(const char *cgroup_root, const char *group, bool empty_counts, bool *ret_empty)
{
    assert(cgroup_root);
    assert(group);
    assert(ret_empty);

    char slice[UNIT_NAME_LEN_MAX + 32], path[PATH_SIZE], text[CGROUP_STAT_MAX];
    uint64_t descendants = 0;
    bool populated = false;
    int r = group_slice_cgroup(group, slice, sizeof slice);

    if (r < 0)
        return r;
    r = snprintf(path, sizeof path, "%s/%s/%s", cgroup_root, slice,
                 empty_counts ? "cgroup.stat" : "cgroup.events");
    if (r < 0 || r >= PATH_SIZE)
        return -ENAMETOOLONG;
    ssize_t n = read_file(path, text, sizeof text);
    /* ENODEV: removed between open and read. */
    if (n == -ENOENT || n == -ENODEV) {
        *ret_empty = true;
        return 0;
    }
    if (n < 0)
        return (int)n;
    text[n] = '\0';
    r = empty_counts ? cgroup_stat_parse(text, &descendants)
                     : cgroup_events_parse(text, &populated);
    if (r < 0)
        return r;
    *ret_empty = descendants == 0 && !populated;
    return 0;
}

/* ---- how units stop ---- */

static int stops_path(const char *dir, const char *group, const char *before,
                      char ret[static PATH_SIZE])
{
    if (!group_name_valid(group))
        return -EINVAL;
    int n = snprintf(ret, PATH_SIZE, "%s/%s" STOPS_FILE_PREFIX "%s", dir, before, group);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

/* "unit=NAME …" with seven numbers. */
static int write_began(FILE *f, const char *unit, const struct stop_began *b)
{
    return fprintf(f, "unit=%s %d %d %d %" PRIu64 " %d %" PRIu64 " %" PRIu64 "\n", unit,
                   b->as.known, b->as.commands, b->as.remains, b->as.fingerprint, b->was_up,
                   b->since, b->proven) < 0
               ? -EIO
               : 0;
}

static int write_stops(const char *path, const struct stops_file *f)
{
    char head[STOPS_HEAD_MAX];
    int r = stops_head_format(f->term, f->stops, head, sizeof head);

    if (r < 0)
        return r;
    _cleanup_fclose_ FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    r = fputs(head, out) < 0 ? -EIO : 0;
    for (size_t i = 0; i < f->n && r >= 0; i++)
        r = write_began(out, f->units[i], &f->began[i]);
    if (r >= 0 && fflush(out) != 0)
        r = -errno;
    return r;
}

int stops_save(const char *dir, const char *group, const struct stops_file *f)
{
    assert(dir);
    assert(group);
    assert(f);

    char path[PATH_SIZE], new[PATH_SIZE];
    int r = stops_path(dir, group, "", path);

    /* No name of a file that is read begins with a dot. */
    if (r < 0 || (r = stops_path(dir, group, ".", new)) < 0)
        return r;
    r = write_stops(new, f);
    if (r >= 0 && rename(new, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(new);
    return r;
}

static int take_number(char **line, uint64_t *ret)
{
    const char *word = strsep(line, " ");

    return word && parse_u64(word, ret) >= 0 ? 0 : -EBADMSG;
}

static int take_bool(char **line, bool *ret)
{
    uint64_t n;

    if (take_number(line, &n) < 0 || n > 1)
        return -EBADMSG;
    *ret = n == 1;
    return 0;
}

static int read_began(char *line, const struct stops_file *f, struct stop_began *ret)
{
    static const char key[] = "unit=";
    struct stop_began b;

    if (strncmp(line, key, strlen(key)) != 0)
        return -EBADMSG;
    line += strlen(key);
    const char *name = strsep(&line, " ");
    if (take_bool(&line, &b.as.known) < 0 || take_bool(&line, &b.as.commands) < 0 ||
        take_bool(&line, &b.as.remains) < 0 || take_number(&line, &b.as.fingerprint) < 0 ||
        take_bool(&line, &b.was_up) < 0 || take_number(&line, &b.since) < 0 ||
        take_number(&line, &b.proven) < 0 || line)
        return -EBADMSG;
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->units[i], name) == 0)
            ret[i] = b;
    return 0;
}

static int read_stops(char *text, size_t length, struct stops_file *f, struct stop_began *began)
{
    int head = stops_head_parse(text, length, &f->term, &f->stops);
    char *rest = text + (head < 0 ? 0 : head);

    if (head < 0)
        return head;
    for (char *line; (line = strsep(&rest, "\n")) && rest;) {
        int r = read_began(line, f, began);

        if (r < 0)
            return r;
    }
    return 0;
}

int stops_load(const char *dir, const char *group, struct stops_file *f)
{
    assert(dir);
    assert(group);
    assert(f);

    struct stops_file found = *f;
    char path[PATH_SIZE];
    int r = stops_path(dir, group, "", path);

    if (r < 0)
        return r;
    _cleanup_free_ char *text = malloc(STOPS_SIZE_MAX);
    _cleanup_free_ struct stop_began *began = calloc(f->n, sizeof *began);
    if (!text || !began)
        return -ENOMEM;
    ssize_t n = read_file(path, text, STOPS_SIZE_MAX);
    if (n < 0)
        return (int)n;
    text[n] = '\0'; /* a file that fills it is refused */
    r = read_stops(text, (size_t)n, &found, began);
    if (r < 0)
        return r;
    f->term = found.term;
    f->stops = found.stops;
    memcpy(f->began, began, f->n * sizeof *began);
    return 0;
}

int drop_in_look(const char *dir, const char *unit, bool *ret_there)
{
    assert(dir);
    assert(unit);
    assert(ret_there);

    char path[PATH_SIZE];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s.d/" GUARD_FILE, dir, unit);

    if (n < 0 || n >= PATH_SIZE)
        return -ENAMETOOLONG;
    *ret_there = false;
    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    *ret_there = S_ISREG(st.st_mode) && st.st_size > 0;
    return 0;
}

int datagram_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

int datagram_send(int fd, const char *groups_dir, const char *group,
                  const struct keeper_message *message, size_t length)
{
    assert(groups_dir);
    assert(group);
    assert(message && length <= sizeof *message);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_SIZE];
    int r = keeper_path(groups_dir, group, KEEPER_SOCKET, path);

    if (r < 0)
        return r;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* The keeper asks the kernel who sent it (SO_PASSCRED): nothing to add here. */
    if (sendto(fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
               sizeof address) < 0)
        return -errno;
    return 0;
}
