/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper_config config;
pid_t keeper = -1;
char notified[4096];
int barrier_fd = -1;

static char tickets[PATH_MAX], groups[PATH_MAX], units[PATH_MAX], stops_dir[PATH_MAX];
static char notify_path[PATH_MAX];
static int notify_fd = -1;

/* ---- the surroundings ---- */

/* In place, as the keeper holds it open. */
static void write_over(const char *path, const char *text)
{
    int fd = open(in_folder(path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, text, strlen(text), 0), (int)strlen(text));
    (void)close(fd);
}

void set_populated(bool populated)
{
    write_over(CGROUP "cgroup.events",
               populated ? "populated 1\nfrozen 0\n" : "populated 0\nfrozen 0\n");
}

void set_children(int n)
{
    char text[128];

    /* As the kernel writes it. */
    (void)snprintf(text, sizeof text, "nr_descendants %d\nnr_dying_descendants 7\n", n);
    write_over(CGROUP "cgroup.stat", text);
    set_populated(n > 0);
}

void put_stops(uint64_t term, enum stops stops)
{
    char text[STOPS_HEAD_MAX + 64];
    int n = stops_head_format(term, stops, text, sizeof text);

    ck_assert_int_gt(n, 0);
    (void)strcpy(text + n, "unit=a.service 0123456789abcdef 1 1 5\n");
    folder_put(STOPS, text);
}

void set_up_unit(const char *name, bool up)
{
    char link[64];

    (void)snprintf(link, sizeof link, "units/invocation:%s", name);
    ck_assert_int_eq(up ? symlink("0123456789abcdef", in_folder(link)) : unlink(in_folder(link)),
                     0);
}

bool killed(void)
{
    const char *text = file_get(in_folder(CGROUP "cgroup.kill"));

    return text && strcmp(text, "1") == 0;
}

/* Without a pause: tests compare the time with a bound. */
usec_t wait_killed(usec_t end)
{
    while (!killed())
        ck_assert_msg(clock_boottime() < end, "the slice is not killed");
    return clock_boottime();
}

bool state_there(void)
{
    return access(in_folder(RUNTIME "live/state"), F_OK) == 0;
}

static void make_folders(void)
{
    folder_make();
    ck_assert_int_eq(chmod(folder(), 0755), 0);
    (void)strcpy(tickets, in_folder("tickets"));
    (void)strcpy(groups, in_folder("groups"));
    (void)strcpy(units, in_folder("units"));
    (void)strcpy(stops_dir, in_folder("instance"));
    (void)strcpy(notify_path, in_folder("notify"));
    folder_make_folder("tickets");
    folder_make_folder("groups");
    folder_make_folder("units");
    folder_make_folder("instance");
    folder_make_folder(RUNTIME);
    folder_put(CGROUP "cgroup.kill", "");
    set_children(1);
}

void set_up(void)
{
    make_folders();
    notify_fd = socket_bind_datagrams(notify_path, 0);
    ck_assert_int_eq(chmod(notify_path, 0777), 0);
    config = (struct keeper_config){
        .instance = INSTANCE,
        .tickets_dir = tickets,
        .groups_dir = groups,
        .cgroup_root = folder(),
        .notify_socket = notify_path,
        .units_dir = units,
        .stops_dir = stops_dir,
        .units = "  a.service b\\x2dc.service ",
        .uid = geteuid(),
        .gid = getegid(),
    };
}

void tear_down(void)
{
    if (keeper > 0) {
        (void)kill(keeper, SIGKILL);
        (void)waitpid(keeper, NULL, 0);
    }
}

/* ---- the agent's side ---- */

struct ticket a_ticket(void)
{
    struct budget b;
    struct ticket t = {
        .version = TICKET_VERSION,
        .group = GROUP,
        .node = "db1",
        .owner = "db1/0123456789abcdef0123456789abcdef",
        .term = TERM,
        .lease = LEASE,
        .stop = STOP,
    };

    ck_assert_int_eq(budget_compute(LEASE, STOP, &b), 0);
    t.duration = b.duration;
    t.deadline = clock_boottime() + b.duration;
    return t;
}

void put_ticket(const struct ticket *t)
{
    char text[TICKET_SIZE_MAX];

    ck_assert_int_gt(ticket_format(t, text, sizeof text), 0);
    folder_put(TICKETS INSTANCE, text);
}

void send_bytes(const void *bytes, size_t length)
{
    struct sockaddr_un address = socket_address(in_folder(RUNTIME "extend"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert(fd >= 0);
    ssize_t n =
        sendto(fd, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
    assert(n == (ssize_t)length);
    (void)close(fd);
}

void send_verb(enum keeper_verb verb, uint64_t term, usec_t deadline)
{
    const struct ticket t = a_ticket();
    struct keeper_message m = {
        .magic = KEEPER_MESSAGE_MAGIC,
        .verb = verb,
        .term = term,
        .deadline = deadline,
        .lease = t.lease,
        .duration = t.duration,
    };

    send_bytes(&m, sizeof m);
}

/* ---- the keeper's life ---- */

void start_process(int (*run)(const struct keeper_config *))
{
    keeper = fork();
    ck_assert_int_ge(keeper, 0);
    if (keeper == 0) {
        /* A test that is killed takes its keeper along. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run(&config));
    }
}

bool exited(int *ret_status)
{
    pid_t r = waitpid(keeper, ret_status, WNOHANG);

    ck_assert_int_ge(r, 0);
    if (r == keeper)
        keeper = -1;
    return r > 0;
}

int wait_exit(void)
{
    int status = 0;
    bool over = WAIT_FOR(exited(&status), PATIENCE);

    ck_assert_msg(over, "the process goes on");
    ck_assert_msg(WIFEXITED(status), "status %d", status);
    return WEXITSTATUS(status);
}

bool take_notification(usec_t span)
{
    char text[1024];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = text, .iov_len = sizeof text - 2};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    struct pollfd p = {.fd = notify_fd, .events = POLLIN};

    if (poll(&p, 1, (int)(span / 1000)) <= 0)
        return false;
    ssize_t n = recvmsg(notify_fd, &m, MSG_CMSG_CLOEXEC);
    ck_assert_int_gt((int)n, 0);
    text[n] = '\n';
    text[n + 1] = '\0';
    ck_assert_int_lt((int)(strlen(notified) + (size_t)n + 2), (int)sizeof notified);
    strcat(notified, text);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS) {
        ck_assert_str_eq(text, "BARRIER=1\n"); /* PID 1 wants nothing else beside it */
        memcpy(&barrier_fd, CMSG_DATA(c), sizeof barrier_fd);
    }
    return true;
}

usec_t wait_notified(const char *text)
{
    for (usec_t end = clock_boottime() + PATIENCE; !strstr(notified, text);)
        ck_assert_msg(clock_boottime() < end && take_notification(PATIENCE), "no %s in: %s", text,
                      notified);
    return clock_boottime();
}

void answer_barrier(void)
{
    (void)wait_notified("BARRIER=1");
    ck_assert_int_ge(barrier_fd, 0);
    (void)close(barrier_fd);
}

struct ticket start_leading(void)
{
    struct ticket t = a_ticket();

    put_ticket(&t);
    start_process(keeper_run);
    (void)wait_notified("READY=1");
    return t;
}

usec_t deadline_in_state(void)
{
    const char *text = file_get(in_folder(RUNTIME "live/state"));
    struct ticket t;

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(ticket_parse(text, strlen(text), &t), 0);
    return t.deadline;
}

void wait_deadline_in_state(usec_t deadline)
{
    bool extended = WAIT_FOR(deadline_in_state() == deadline, PATIENCE);

    ck_assert_msg(extended, "the deadline was not extended");
}

/* ---- the last resort ---- */

/* In a file, as only the tests outlive it: "allowed?", then "restarted". */
static int restart(bool really)
{
    if (!really) {
        folder_put("asked", "");
        return access(in_folder("forbidden"), F_OK) == 0 ? -EPERM : 0;
    }
    folder_put("restarted", "");
    return -EAGAIN;
}

bool restarted(void)
{
    return access(in_folder("restarted"), F_OK) == 0;
}

const char *pressed(void)
{
    return file_get(in_folder("sysrq"));
}

void fence_by_reboot(void)
{
    static char button[PATH_MAX];

    (void)strcpy(button, in_folder("sysrq"));
    folder_put("sysrq", "");
    config.reboot_after = KILL;
    config.sysrq_trigger = button;
    config.restart = restart;
}

usec_t wait_restart(void)
{
    bool done = WAIT_FOR(restarted(), PATIENCE);

    ck_assert_msg(done, "the host is not restarted");
    return clock_boottime();
}
