/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper and its fence as they run, against files that play the cgroup, a socket that plays
 * PID 1, and the real clock. Bounds on how long something may take are generous: they are there to
 * tell "at the deadline" from "never", not to measure. */
#include <assert.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/ticket.h"
#include "keeper/process.h"

#include "../suite.h"

#define GROUP "my-group"
#define INSTANCE "my\\x2dgroup"
#define LEASE ((usec_t)2500000)
#define STOP ((usec_t)600000)
#define TERM ((uint64_t)4294967297)
#define PATIENCE ((usec_t)5000000) /* for what has to come */
#define A_WHILE ((usec_t)150000)   /* for what must not come */
#define SOME_UID 4321              /* another user, when the tests are root */

static char dir[64], tickets[128], groups[128], cgroups[128], units[128], notify_path[128];
static int notify_fd = -1;
static int barrier_fd = -1; /* what came with BARRIER=1; -1 before */
static char notified[4096]; /* every message so far */
static pid_t keeper = -1;
static struct keeper_config config;

/* ---- the surroundings ---- */

static const char *in(const char *parent, const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned next;
    char *p = path[next++ % 4];

    (void)snprintf(p, PATH_MAX, "%s/%s", parent, name);
    return p;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* The file's text, or NULL when there is none. */
static const char *get(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    ck_assert_int_ge((int)n, 0);
    text[n] = '\0';
    return text;
}

static void set_children(int n)
{
    char text[128];

    /* As the kernel writes it; in place, as the keeper holds it open. */
    int length = snprintf(text, sizeof text, "nr_descendants %d\nnr_dying_descendants 7\n", n);
    int fd = open(in(cgroups, "cgroup.stat"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, text, (size_t)length, 0), length);
    (void)close(fd);
}

static bool killed(void)
{
    const char *text = get(in(cgroups, "cgroup.kill"));

    return text && strcmp(text, "1") == 0;
}

static bool state_there(void)
{
    return access(in(groups, GROUP "/live/state"), F_OK) == 0;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static void listen_as_pid1(void)
{
    struct sockaddr_un address = address_of(notify_path);

    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(notify_fd, 0);
    ck_assert_int_eq(bind(notify_fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(chmod(notify_path, 0777), 0);
}

static void set_up(void)
{
    strcpy(dir, "/tmp/test-keeper-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chmod(dir, 0755), 0);
    (void)snprintf(tickets, sizeof tickets, "%s/tickets", dir);
    (void)snprintf(groups, sizeof groups, "%s/groups", dir);
    (void)snprintf(cgroups, sizeof cgroups, "%s/tenure.slice/tenure-" INSTANCE ".slice", dir);
    (void)snprintf(notify_path, sizeof notify_path, "%s/notify", dir);
    ck_assert_int_eq(mkdir(tickets, 0755), 0);
    ck_assert_int_eq(mkdir(groups, 0755), 0);
    (void)snprintf(units, sizeof units, "%s/units", dir);
    ck_assert_int_eq(mkdir(units, 0755), 0);
    ck_assert_int_eq(mkdir(in(groups, GROUP), 0755), 0);
    ck_assert_int_eq(mkdir(in(dir, "tenure.slice"), 0755), 0);
    ck_assert_int_eq(mkdir(cgroups, 0755), 0);
    put(in(cgroups, "cgroup.kill"), "");
    set_children(1);
    listen_as_pid1();
    config = (struct keeper_config){
        .instance = INSTANCE,
        .tickets_dir = tickets,
        .groups_dir = groups,
        .cgroup_root = dir,
        .notify_socket = notify_path,
        .units_dir = units,
        .units = "  a.service b\\x2dc.service ",
        .uid = geteuid(),
        .gid = getegid(),
    };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void tear_down(void)
{
    if (keeper > 0) {
        (void)kill(keeper, SIGKILL);
        (void)waitpid(keeper, NULL, 0);
    }
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void pause_for(usec_t span)
{
    struct timespec t = {.tv_sec = (time_t)(span / USEC_PER_SEC),
                         .tv_nsec = (long)(span % USEC_PER_SEC * 1000)};

    (void)nanosleep(&t, NULL);
}

/* ---- the agent's side ---- */

static struct ticket a_ticket(void)
{
    struct budget b;
    struct ticket t = {
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

static void put_ticket(const struct ticket *t)
{
    char text[TICKET_SIZE_MAX];

    ck_assert_int_gt(ticket_format(t, text, sizeof text), 0);
    put(in(tickets, INSTANCE), text);
}

static void send_bytes(const void *bytes, size_t length)
{
    struct sockaddr_un address = address_of(in(groups, GROUP "/extend"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert(fd >= 0);
    ssize_t n =
        sendto(fd, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address);
    assert(n == (ssize_t)length);
    (void)close(fd);
}

static void send_verb(enum keeper_verb verb, uint64_t term, usec_t deadline)
{
    struct keeper_message m = {
        .magic = KEEPER_MESSAGE_MAGIC,
        .verb = verb,
        .term = term,
        .deadline = deadline,
    };

    send_bytes(&m, sizeof m);
}

/* ---- the keeper's life ---- */

static void start_process(int (*run)(const struct keeper_config *))
{
    keeper = fork();
    ck_assert_int_ge(keeper, 0);
    if (keeper == 0) {
        /* A test that is killed takes its keeper along. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run(&config));
    }
}

static bool exited(int *ret_status)
{
    pid_t r = waitpid(keeper, ret_status, WNOHANG);

    ck_assert_int_ge(r, 0);
    if (r == keeper)
        keeper = -1;
    return r > 0;
}

static int wait_exit(void)
{
    int status = 0;

    for (usec_t end = clock_boottime() + PATIENCE; !exited(&status); pause_for(1000))
        ck_assert_msg(clock_boottime() < end, "the process goes on");
    ck_assert_msg(WIFEXITED(status), "status %d", status);
    return WEXITSTATUS(status);
}

/* Takes in one message for PID 1; false when none comes within the span. */
static bool take_notification(usec_t span)
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

/* Waits for the text to turn up among the messages for PID 1; when it did. */
static usec_t wait_notified(const char *text)
{
    for (usec_t end = clock_boottime() + PATIENCE; !strstr(notified, text);)
        ck_assert_msg(clock_boottime() < end && take_notification(PATIENCE), "no %s in: %s", text,
                      notified);
    return clock_boottime();
}

static void answer_barrier(void)
{
    (void)wait_notified("BARRIER=1");
    ck_assert_int_ge(barrier_fd, 0);
    (void)close(barrier_fd);
}

/* A keeper that leads; its ticket. */
static struct ticket start_leading(void)
{
    struct ticket t = a_ticket();

    put_ticket(&t);
    start_process(keeper_run);
    (void)wait_notified("READY=1");
    return t;
}

static usec_t deadline_in_state(void)
{
    const char *text = get(in(groups, GROUP "/live/state"));
    struct ticket t;

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(ticket_parse(text, strlen(text), &t), 0);
    return t.deadline;
}

static void wait_deadline_in_state(usec_t deadline)
{
    for (usec_t end = clock_boottime() + PATIENCE; deadline_in_state() != deadline; pause_for(1000))
        ck_assert_msg(clock_boottime() < end, "the deadline was not extended");
}

/* ---- starting ---- */

START_TEST(begins)
{
    struct ticket t = start_leading();
    struct stat st;

    ck_assert_ptr_null(get(in(tickets, INSTANCE)));
    ck_assert_ptr_null(get(in(tickets, "." INSTANCE)));
    ck_assert_str_eq(get(in(groups, GROUP "/env")),
                     "TENURE_GROUP=my-group\nTENURE_TERM=4294967297\nTENURE_NODE=db1\n");
    ck_assert_uint_eq(deadline_in_state(), t.deadline);
    ck_assert_int_eq(stat(in(groups, GROUP "/extend"), &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(in(groups, GROUP "/env"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0644);

    uint64_t watchdog = 0;
    const char *span = strstr(notified, "WATCHDOG_USEC=");
    ck_assert_ptr_nonnull(span);
    ck_assert_int_eq(sscanf(span, "WATCHDOG_USEC=%" SCNu64, &watchdog), 1);
    ck_assert(watchdog > 0);
    ck_assert(watchdog <= t.duration + 50000);
    ck_assert_ptr_nonnull(strstr(notified, "STATUS=Leading as node db1, term 4294967297"));
}
END_TEST

START_TEST(consumes_the_ticket_once)
{
    struct ticket t = start_leading();
    pid_t first = keeper;

    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert_int_eq(kill(first, 0), 0);
    ck_assert_uint_eq(deadline_in_state(), t.deadline); /* the first one's state is untouched */
    keeper = first;
}
END_TEST

/* Of many keepers that want one ticket at the same time, one gets it. */
START_TEST(one_of_many_gets_the_ticket)
{
    enum { MANY = 20 };
    struct ticket t = a_ticket();
    pid_t all[MANY];
    int running = 0;

    put_ticket(&t);
    for (int i = 0; i < MANY; i++) {
        start_process(keeper_run);
        all[i] = keeper;
    }
    (void)wait_notified("READY=1");
    pause_for(A_WHILE);
    for (int i = 0; i < MANY; i++) {
        int status;

        keeper = all[i];
        if (exited(&status))
            ck_assert_int_eq(WEXITSTATUS(status), EXIT_FAILURE);
        else {
            running++;
            (void)kill(all[i], SIGKILL);
            (void)waitpid(all[i], NULL, 0);
        }
    }
    keeper = -1;
    ck_assert_int_eq(running, 1);
}
END_TEST

static void spoil_late(struct ticket *t)
{
    t->deadline = clock_boottime() - 1;
}
static void spoil_far(struct ticket *t)
{
    t->deadline = clock_boottime() + t->duration + PATIENCE;
}
static void spoil_group(struct ticket *t)
{
    strcpy(t->group, "other");
}
static void spoil_budget(struct ticket *t)
{
    t->duration += 1000;
}

static void (*const spoilers[])(struct ticket *) = {spoil_late, spoil_far, spoil_group,
                                                    spoil_budget};

/* Nothing of a refused start is visible to anybody. */
static void assert_refused(void)
{
    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert(!take_notification(0));
    ck_assert(!state_there());
    ck_assert(!killed());
}

START_TEST(refuses_a_bad_ticket)
{
    struct ticket t = a_ticket();

    spoilers[_i](&t);
    put_ticket(&t);
    assert_refused();
    ck_assert_ptr_null(get(in(tickets, INSTANCE))); /* gone all the same */
}
END_TEST

START_TEST(refuses_what_is_no_ticket)
{
    char text[4 * TICKET_SIZE_MAX];
    struct ticket t = a_ticket();

    assert_refused(); /* none at all */
    put(in(tickets, INSTANCE), "");
    assert_refused();
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put(in(tickets, INSTANCE), text);
    assert_refused();
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    put(in(tickets, "elsewhere"), text); /* a good one, behind a link */
    ck_assert_int_eq(symlink(in(tickets, "elsewhere"), in(tickets, INSTANCE)), 0);
    assert_refused();
    ck_assert_ptr_nonnull(get(in(tickets, "elsewhere")));
    ck_assert_int_eq(mkfifo(in(tickets, INSTANCE), 0666), 0); /* would wait for a writer */
    assert_refused();
    ck_assert_int_eq(mkdir(in(tickets, INSTANCE), 0755), 0);
    assert_refused();
}
END_TEST

START_TEST(refuses_without_its_surroundings)
{
    struct ticket t = a_ticket();

    put_ticket(&t);
    config.notify_socket = NULL;
    assert_refused();
    ck_assert_ptr_nonnull(get(in(tickets, INSTANCE))); /* nothing done at all */
    config.notify_socket = notify_path;
    config.instance = "my-group";
    assert_refused();
    config.instance = INSTANCE;
    ck_assert_int_eq(unlink(in(cgroups, "cgroup.kill")), 0);
    assert_refused();
}
END_TEST

START_TEST(refuses_a_strangers_ticket)
{
    struct ticket t = a_ticket();

    put_ticket(&t);
    ck_assert_int_eq(chown(in(tickets, INSTANCE), SOME_UID, SOME_UID), 0);
    assert_refused();
    config.uid = config.gid = SOME_UID; /* but of the agent's user */
    put_ticket(&t);
    ck_assert_int_eq(chown(in(tickets, INSTANCE), SOME_UID, SOME_UID), 0);
    start_process(keeper_run);
    (void)wait_notified("READY=1");
}
END_TEST

START_TEST(drops_to_the_agents_user)
{
    char path[64], line[256];
    int seen = 0;
    struct stat st;

    config.uid = config.gid = SOME_UID;
    (void)start_leading();
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)keeper);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "Uid:", 4) == 0 || strncmp(line, "Gid:", 4) == 0) {
            ck_assert_str_eq(line + 4, "\t4321\t4321\t4321\t4321\n");
            seen++;
        }
        if (strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0) {
            ck_assert_str_eq(line + 7, "\t0000000000000000\n");
            seen++;
        }
        if (strncmp(line, "Groups:", 7) == 0)
            ck_assert_str_eq(line + 7, "\t \n");
        if (strncmp(line, "NoNewPrivs:", 11) == 0) {
            ck_assert_str_eq(line + 11, "\t1\n");
            seen++;
        }
    }
    (void)fclose(f);
    ck_assert_int_eq(seen, 5);

    /* env is root's all the way up, state too; the directory of state is not. */
    ck_assert_int_eq(stat(in(groups, GROUP "/env"), &st), 0);
    ck_assert_uint_eq(st.st_uid, 0);
    ck_assert_int_eq(stat(in(groups, GROUP "/live/state"), &st), 0);
    ck_assert_uint_eq(st.st_uid, 0);
    ck_assert_int_eq(stat(in(groups, GROUP "/live"), &st), 0);
    ck_assert_uint_eq(st.st_uid, SOME_UID);
    ck_assert_int_eq(stat(in(groups, GROUP "/extend"), &st), 0);
    ck_assert_uint_eq(st.st_uid, SOME_UID);

    /* And so it can still end. */
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    ck_assert(!state_there());
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* ---- the deadline ---- */

START_TEST(ends_at_the_deadline)
{
    struct ticket t = start_leading();
    usec_t stopping = wait_notified("STOPPING=1");

    ck_assert(stopping >= t.deadline);
    ck_assert(stopping < t.deadline + 500 * USEC_PER_MSEC);
    ck_assert(!state_there()); /* removed before PID 1 hears of it */
    ck_assert(!killed());
    answer_barrier();
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < t.deadline + STOP); /* a clean stop waits for nothing */
    ck_assert(!killed());
}
END_TEST

START_TEST(extension_is_honoured)
{
    struct ticket t = start_leading();
    usec_t deadline = t.deadline;

    for (int i = 0; i < 3; i++) {
        pause_for(t.duration / 3);
        deadline = clock_boottime() + t.duration;
        send_verb(KEEPER_EXTEND, TERM, deadline);
        wait_deadline_in_state(deadline);
    }
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1"));
    (void)wait_notified("WATCHDOG=1\nWATCHDOG_USEC=");
    usec_t stopping = wait_notified("STOPPING=1");
    ck_assert(stopping >= deadline);
    ck_assert(stopping < deadline + 500 * USEC_PER_MSEC);
    ck_assert(deadline > t.deadline);
}
END_TEST

/* Everything that must not prolong, sent every 10 ms until the deadline and beyond. */
START_TEST(nothing_else_prolongs)
{
    struct ticket t = start_leading();
    char junk[200] = {0};

    while (clock_boottime() < t.deadline - 20 * USEC_PER_MSEC) {
        usec_t far = clock_boottime() + t.duration;

        send_verb(KEEPER_EXTEND, TERM + 1, far);
        send_verb(KEEPER_EXTEND, TERM - 1, far);
        send_verb(KEEPER_EXTEND, TERM, t.deadline);
        send_verb(KEEPER_EXTEND, TERM, far + PATIENCE);
        send_verb(KEEPER_EXTEND, TERM, USEC_INFINITY);
        send_verb((enum keeper_verb)7, TERM, far);
        send_verb(KEEPER_END, TERM + 1, 0);
        send_bytes(junk, 1);
        send_bytes(junk, sizeof junk);
        pause_for(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(deadline_in_state(), t.deadline);
    }
    usec_t stopping = wait_notified("STOPPING=1");
    ck_assert(stopping >= t.deadline);
    ck_assert(stopping < t.deadline + 500 * USEC_PER_MSEC);
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1"));
}
END_TEST

START_TEST(a_strangers_message_does_nothing)
{
    struct ticket t = start_leading();

    ck_assert_int_eq(chmod(in(groups, GROUP "/extend"), 0666), 0);
    pid_t stranger = fork();
    ck_assert_int_ge(stranger, 0);
    if (stranger == 0) {
        if (setresuid(SOME_UID, SOME_UID, SOME_UID) < 0)
            _exit(1);
        send_verb(KEEPER_EXTEND, TERM, clock_boottime() + t.duration);
        send_verb(KEEPER_END, TERM, 0);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(stranger, &status, 0), stranger);
    ck_assert_int_eq(status, 0);
    pause_for(A_WHILE);
    ck_assert_uint_eq(deadline_in_state(), t.deadline);
    ck_assert(!strstr(notified, "STOPPING=1"));
    /* The same from the right user works, so it was the sender. */
    usec_t deadline = clock_boottime() + t.duration;
    send_verb(KEEPER_EXTEND, TERM, deadline);
    wait_deadline_in_state(deadline);
}
END_TEST

START_TEST(frozen_past_the_deadline)
{
    struct ticket t = start_leading();
    int status;

    pause_for(t.duration / 2);
    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(keeper, &status, WUNTRACED), keeper);
    /* In the queue before the deadline, and good for half of D beyond it. */
    usec_t queued = clock_boottime() + t.duration;
    send_verb(KEEPER_EXTEND, TERM, queued);
    ck_assert(clock_boottime() < t.deadline);
    pause_for(t.deadline - clock_boottime() + 20 * USEC_PER_MSEC);
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    ck_assert(wait_notified("STOPPING=1") < queued);
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1")); /* not one ping for it */
    ck_assert(!state_there());
}
END_TEST

START_TEST(frozen_past_the_kill_time)
{
    struct ticket t = start_leading();
    int status;

    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(keeper, &status, WUNTRACED), keeper);
    pause_for(t.deadline + STOP - clock_boottime() + 10 * USEC_PER_MSEC);
    ck_assert(!killed());
    usec_t thawed = clock_boottime();
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    (void)wait_notified("STOPPING=1");
    while (!killed())
        ck_assert(clock_boottime() < thawed + STOP - 100 * USEC_PER_MSEC); /* not S once more */
}
END_TEST

/* ---- the end ---- */

START_TEST(ends_on_sigterm)
{
    struct ticket t = start_leading();

    ck_assert_int_eq(kill(keeper, SIGHUP), 0);
    ck_assert_int_eq(kill(keeper, SIGINT), 0);
    ck_assert_int_eq(kill(keeper, SIGPIPE), 0);
    ck_assert(!take_notification(A_WHILE));
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    ck_assert(wait_notified("STOPPING=1") < t.deadline);
    ck_assert(!state_there());
    set_children(0);
    answer_barrier();
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < t.deadline);
}
END_TEST

START_TEST(ends_when_the_agent_says_so)
{
    struct ticket t = start_leading();

    send_verb(KEEPER_END, TERM, 0);
    ck_assert(wait_notified("STOPPING=1") < t.deadline);
    send_verb(KEEPER_EXTEND, TERM, clock_boottime() + t.duration); /* no way back */
    answer_barrier();
    ck_assert(!state_there());
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

START_TEST(kills_at_s_and_not_before)
{
    (void)start_leading();
    usec_t told = clock_boottime();

    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    while (!killed())
        ck_assert(clock_boottime() < told + STOP + PATIENCE);
    ck_assert(clock_boottime() >= told + STOP);
    /* Again and again, for as long as anything is left. */
    put(in(cgroups, "cgroup.kill"), "");
    while (!killed())
        ck_assert(clock_boottime() < told + STOP + PATIENCE);
    int status;
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* As PID 1 does for what is not inactive. */
static void set_up_unit(const char *name, bool up)
{
    char link[64];

    (void)snprintf(link, sizeof link, "invocation:%s", name);
    ck_assert_int_eq(up ? symlink("0123456789abcdef", in(units, link)) : unlink(in(units, link)),
                     0);
}

/* A unit without a process has no cgroup; what it runs to stop will have one. */
START_TEST(empty_is_not_enough_while_a_unit_is_up)
{
    int status;

    (void)start_leading();
    set_up_unit("b\\x2dc.service", true);
    set_up_unit("stranger.service", true);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(1);
    set_up_unit("b\\x2dc.service", false);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!killed());
}
END_TEST

START_TEST(empty_is_not_enough_without_the_barrier)
{
    int status;

    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    set_children(0);
    (void)wait_notified("BARRIER=1");
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    (void)close(barrier_fd);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

START_TEST(the_barrier_is_not_enough_while_something_is_left)
{
    int status;

    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* Not known to be empty is not empty: killed at S, and nobody leaves. */
START_TEST(an_unreadable_slice_counts_as_full)
{
    int status;

    (void)start_leading();
    put(in(cgroups, "cgroup.stat"), "nonsense\n");
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    while (!killed())
        ck_assert(!exited(&status));
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* PID 1 reads nothing: its queue fills up, and the keeper neither waits for it nor gives up. */
START_TEST(a_pid1_that_reads_nothing)
{
    struct ticket t = start_leading();
    struct sockaddr_un address = address_of(notify_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    while (sendto(fd, "X=1", 3, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address) == 3)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    (void)close(fd);

    while (!killed())
        ck_assert(clock_boottime() < t.deadline + STOP + PATIENCE);
    ck_assert(clock_boottime() >= t.deadline + STOP);
    ck_assert(!state_there());
    /* Once it reads again, both messages come, in this order. */
    set_children(0);
    (void)wait_notified("STOPPING=1");
    ck_assert_int_eq(barrier_fd, -1);
    answer_barrier();
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* ---- the fence ---- */

static void leave_state(const struct ticket *t)
{
    char text[TICKET_SIZE_MAX];

    ck_assert_int_gt(ticket_format(t, text, sizeof text), 0);
    (void)mkdir(in(groups, GROUP "/live"), 0755);
    put(in(groups, GROUP "/live/state"), text);
}

/* Starts the fence and waits for the kill; when that was, counted from the start. */
static usec_t fence_until_kill(void)
{
    usec_t start = clock_boottime();

    start_process(fence_run);
    while (!killed())
        ck_assert(clock_boottime() < start + PATIENCE);
    return clock_boottime() - start;
}

static void assert_fence_goes_when_empty(void)
{
    int status;

    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

START_TEST(fence_has_nothing_to_do)
{
    usec_t start = clock_boottime();
    struct ticket t = a_ticket();

    leave_state(&t);
    set_children(0);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < start + STOP);
    ck_assert(!killed());
    ck_assert_int_eq(unlink(in(cgroups, "cgroup.kill")), 0);
    ck_assert_int_eq(unlink(in(cgroups, "cgroup.stat")), 0);
    ck_assert_int_eq(rmdir(cgroups), 0);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

START_TEST(fence_waits_for_units_that_are_up)
{
    struct ticket t = a_ticket();
    int status;

    leave_state(&t);
    set_children(0);
    set_up_unit("a.service", true);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_up_unit("a.service", false);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

START_TEST(fence_kills_at_once_without_state)
{
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_gives_s_with_state)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    ck_assert(fence_until_kill() >= STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_counts_from_a_deadline_that_passed)
{
    struct ticket t = a_ticket();

    t.deadline = clock_boottime() - STOP;
    leave_state(&t);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_believes_no_other_state)
{
    struct ticket t = a_ticket();

    strcpy(t.group, "other");
    leave_state(&t);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_believes_no_strangers_state)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    ck_assert_int_eq(chown(in(groups, GROUP "/live/state"), SOME_UID, SOME_UID), 0);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_hurries_on_sigterm)
{
    struct ticket t = a_ticket();
    usec_t start = clock_boottime();

    leave_state(&t);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!killed());
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    while (!killed())
        ck_assert(clock_boottime() < start + STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_takes_an_unreadable_slice_for_full)
{
    put(in(cgroups, "cgroup.stat"), "nonsense\n");
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}
END_TEST

START_TEST(fence_leaves_when_the_slice_goes)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert_int_eq(unlink(in(cgroups, "cgroup.kill")), 0);
    ck_assert_int_eq(unlink(in(cgroups, "cgroup.stat")), 0);
    ck_assert_int_eq(rmdir(cgroups), 0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
END_TEST

/* ---- the last resort ---- */

#define KILL (LEASE / 10) /* K */

/* In a file, as only the tests outlive it: "allowed?", then "restarted". */
static int restart(bool really)
{
    if (!really) {
        put(in(dir, "asked"), "");
        return access(in(dir, "forbidden"), F_OK) == 0 ? -EPERM : 0;
    }
    put(in(dir, "restarted"), "");
    return -EAGAIN;
}

static bool restarted(void)
{
    return access(in(dir, "restarted"), F_OK) == 0;
}

static const char *pressed(void)
{
    return get(in(dir, "sysrq"));
}

static void fence_by_reboot(void)
{
    put(in(dir, "sysrq"), "");
    config.reboot_after = KILL;
    config.sysrq_trigger = in(dir, "sysrq");
    config.restart = restart;
}

/* Until the restart; when that was. */
static usec_t wait_restart(void)
{
    for (usec_t end = clock_boottime() + PATIENCE; !restarted(); pause_for(1000))
        ck_assert_msg(clock_boottime() < end, "the host is not restarted");
    return clock_boottime();
}

START_TEST(keeper_restarts_the_host)
{
    struct ticket t;
    int status;

    fence_by_reboot();
    t = start_leading();
    ck_assert_int_eq(access(in(dir, "asked"), F_OK), 0);
    answer_barrier();
    usec_t restart_at = wait_restart();
    ck_assert(killed());
    ck_assert(restart_at >= t.deadline + STOP + KILL / 2);
    /* The button first; what it cannot do reboot(2) does, and all that again until it worked. */
    const char *button = pressed();
    ck_assert(button && button[0] == 'b');
    ck_assert_int_eq(unlink(in(dir, "restarted")), 0);
    (void)wait_restart();
    ck_assert(!exited(&status));
}
END_TEST

/* Its processes may be dead; what it has mounted is not gone. */
START_TEST(keeper_restarts_the_host_for_a_unit_that_stays)
{
    fence_by_reboot();
    (void)start_leading();
    set_up_unit("a.service", true);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    (void)wait_restart();
}
END_TEST

/* Nobody knows what a PID 1 that stands still is about to start. */
START_TEST(keeper_restarts_the_host_for_a_pid1_that_hangs)
{
    fence_by_reboot();
    config.sysrq_trigger = NULL;
    (void)start_leading();
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    (void)wait_restart();
    ck_assert_str_eq(pressed(), "");
}
END_TEST

START_TEST(no_restart_after_an_end_in_time)
{
    fence_by_reboot();
    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    while (!killed())
        ;
    pause_for(KILL / 10); /* SIGKILL takes its time */
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!restarted());
    ck_assert_str_eq(pressed(), "");
}
END_TEST

START_TEST(no_restart_unless_asked_for)
{
    int status;

    fence_by_reboot();
    config.reboot_after = 0;
    (void)start_leading();
    ck_assert_int_ne(access(in(dir, "asked"), F_OK), 0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    while (!killed())
        ;
    pause_for(3 * KILL);
    ck_assert(!restarted());
    ck_assert_str_eq(pressed(), "");
    ck_assert(!exited(&status));
}
END_TEST

START_TEST(no_term_without_the_right_to_restart)
{
    struct ticket t = a_ticket();

    fence_by_reboot();
    put(in(dir, "forbidden"), "");
    put_ticket(&t);
    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert(!state_there());
    ck_assert(!take_notification(A_WHILE));
}
END_TEST

START_TEST(fence_restarts_the_host)
{
    struct ticket t = a_ticket();
    usec_t start = clock_boottime();

    fence_by_reboot();
    config.reboot_after = PATIENCE; /* the term's K counts */
    leave_state(&t);
    start_process(fence_run);
    ck_assert(wait_restart() >= start + STOP + KILL / 2);
    ck_assert(killed());
}
END_TEST

START_TEST(fence_restarts_the_host_without_state)
{
    usec_t start = clock_boottime();

    fence_by_reboot();
    set_up_unit("a.service", true);
    set_children(0);
    start_process(fence_run);
    usec_t took = wait_restart() - start;
    ck_assert(took >= KILL / 2);
    ck_assert(took < STOP);
}
END_TEST

START_TEST(fence_does_not_unless_asked_for)
{
    fence_by_reboot();
    config.reboot_after = 0;
    (void)fence_until_kill();
    pause_for(BUDGET_KILL_MAX_USEC + KILL);
    ck_assert(!restarted());
    assert_fence_goes_when_empty();
}
END_TEST

/* Of all that root may do this is what it keeps, for this one purpose. */
START_TEST(keeps_one_capability)
{
    char path[64];

    fence_by_reboot();
    config.uid = SOME_UID;
    config.gid = SOME_UID;
    ck_assert_int_eq(chmod(dir, 0777), 0); /* the file that restart() leaves */
    (void)start_leading();
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)keeper);
    const char *status = get(path);
    ck_assert(status);
    ck_assert_ptr_nonnull(strstr(status, "CapEff:\t0000000000400000\n"));
    ck_assert_ptr_nonnull(strstr(status, "CapPrm:\t0000000000400000\n"));
    ck_assert_ptr_nonnull(strstr(status, "CapInh:\t0000000000000000\n"));
}
END_TEST

static void add_last_resort(TCase *t)
{
    tcase_add_test(t, keeper_restarts_the_host);
    tcase_add_test(t, keeper_restarts_the_host_for_a_unit_that_stays);
    tcase_add_test(t, keeper_restarts_the_host_for_a_pid1_that_hangs);
    tcase_add_test(t, no_restart_after_an_end_in_time);
    tcase_add_test(t, no_restart_unless_asked_for);
    tcase_add_test(t, no_term_without_the_right_to_restart);
    tcase_add_test(t, fence_restarts_the_host);
    tcase_add_test(t, fence_restarts_the_host_without_state);
    tcase_add_test(t, fence_does_not_unless_asked_for);
    if (geteuid() == 0)
        tcase_add_test(t, keeps_one_capability);
}

static void add_for_root(TCase *t)
{
    if (geteuid() != 0)
        return; /* they need another user to be, or to give files to */
    tcase_add_test(t, refuses_a_strangers_ticket);
    tcase_add_test(t, drops_to_the_agents_user);
    tcase_add_test(t, a_strangers_message_does_nothing);
    tcase_add_test(t, fence_believes_no_strangers_state);
}

static void add_fence(TCase *t)
{
    tcase_add_test(t, fence_has_nothing_to_do);
    tcase_add_test(t, fence_waits_for_units_that_are_up);
    tcase_add_test(t, fence_kills_at_once_without_state);
    tcase_add_test(t, fence_gives_s_with_state);
    tcase_add_test(t, fence_counts_from_a_deadline_that_passed);
    tcase_add_test(t, fence_believes_no_other_state);
    tcase_add_test(t, fence_hurries_on_sigterm);
    tcase_add_test(t, fence_takes_an_unreadable_slice_for_full);
    tcase_add_test(t, fence_leaves_when_the_slice_goes);
}

int main(void)
{
    Suite *suite = suite_create("keeper-process");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, begins);
    tcase_add_test(t, consumes_the_ticket_once);
    tcase_add_test(t, one_of_many_gets_the_ticket);
    tcase_add_loop_test(t, refuses_a_bad_ticket, 0, sizeof spoilers / sizeof *spoilers);
    tcase_add_test(t, refuses_what_is_no_ticket);
    tcase_add_test(t, refuses_without_its_surroundings);
    tcase_add_test(t, ends_at_the_deadline);
    tcase_add_test(t, extension_is_honoured);
    tcase_add_test(t, nothing_else_prolongs);
    tcase_add_test(t, frozen_past_the_deadline);
    tcase_add_test(t, frozen_past_the_kill_time);
    tcase_add_test(t, ends_on_sigterm);
    tcase_add_test(t, ends_when_the_agent_says_so);
    tcase_add_test(t, kills_at_s_and_not_before);
    tcase_add_test(t, empty_is_not_enough_while_a_unit_is_up);
    tcase_add_test(t, empty_is_not_enough_without_the_barrier);
    tcase_add_test(t, the_barrier_is_not_enough_while_something_is_left);
    tcase_add_test(t, an_unreadable_slice_counts_as_full);
    tcase_add_test(t, a_pid1_that_reads_nothing);
    add_for_root(t);
    add_fence(t);
    add_last_resort(t);
    suite_add_tcase(suite, t);

    return run_suite(suite);
}
