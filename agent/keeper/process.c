/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/parse.h"
#include "keeper/cgroup.h"
#include "keeper/files.h"
#include "keeper/last_resort.h"
#include "keeper/reboot.h"
#include "keeper/rules.h"
#include "keeper/units.h"

#define MESSAGES_AT_ONCE 16 /* then the deadline is checked again */
#define REFUSALS_LOGGED 5   /* in each window; the rest is counted */
#define REFUSALS_WINDOW_USEC (10 * USEC_PER_SEC)
#define REALTIME_PRIORITY 1
#define STACK_USED_MAX ((size_t)64 * 1024)
#define NOTIFY_TEXT_MAX 512
#define SECONDS_PER_DAY 86400

enum poll_slot {
    POLL_AGENT,
    POLL_SIGNAL,
    POLL_TIMER,
    POLL_BARRIER,
    POLL_SLOTS,
};

/* What comes again with every try is logged once of each kind. */
enum trouble {
    TROUBLE_NOTIFY,
    TROUBLE_STATE_WRITE,
    TROUBLE_STATE_REMOVE,
    TROUBLE_SLICE,
    TROUBLES,
};

/* All that a keeper has, on the stack of keeper_run(): nothing is allocated. */
struct process {
    const struct keeper_config *config;
    char group[GROUP_NAME_MAX + 1];
    struct ticket ticket;
    struct keeper keeper;

    struct notifier notifier;
    struct slice slice;
    struct last_resort_state last_resort;
    struct state_file state;
    int agent_fd;
    int signal_fd;
    int timer_fd;
    int barrier_read_fd;
    int barrier_write_fd; /* given to PID 1; ours is closed once that is done */

    bool published; /* the state; READY=1 is pending until ready_sent */
    bool ready_sent;
    bool ping_pending;
    bool end_logged;
    bool state_removed;
    bool stopping_sent;
    bool barrier_sent;
    bool barrier_answered;
    bool kill_logged;
    bool troubles_logged[TROUBLES];

    usec_t refusals_since;
    unsigned refusals;
};

static void log_trouble(struct process *p, enum trouble kind, const char *what, int error)
{
    if (p->troubles_logged[kind])
        return;
    p->troubles_logged[kind] = true;
    errno = -error;
    log_warning("%s: cannot %s, trying again: %m", p->group, what);
}

/* ---- set-up: as root, may fail, is allowed to wait ---- */

static int set_up_notify(struct process *p)
{
    return notify_open(p->config->notify_socket, &p->notifier);
}

static int set_up_events(struct process *p)
{
    sigset_t all, term;
    int barrier[2];

    /* Everything but SIGTERM stays pending for ever: no hang-up, broken pipe or key press takes a
     * guard away. A fault or an abort still kills, blocked or not. */
    if (sigfillset(&all) < 0 || sigemptyset(&term) < 0 || sigaddset(&term, SIGTERM) < 0 ||
        sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return -errno;
    p->signal_fd = signalfd(-1, &term, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->signal_fd < 0)
        return -errno;
    p->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (p->timer_fd < 0)
        return -errno;
    /* Made now: at the end there may be no descriptor left to be had. */
    if (pipe2(barrier, O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    p->barrier_read_fd = barrier[0];
    p->barrier_write_fd = barrier[1];
    return 0;
}

static int set_up_slice(struct process *p)
{
    last_resort_init(&p->last_resort, p->config, p->group, budget_kill(p->keeper.lease));
    return slice_open(p->config->cgroup_root, p->group, &p->slice);
}

/* The name is short and the working directory set: the path below groups_dir can be longer than a
 * socket address holds. */
static int listen_for_agent(struct process *p)
{
    static const int yes = 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = KEEPER_SOCKET};

    p->agent_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->agent_fd < 0)
        return -errno;
    /* Before bind(): no message can come without the kernel's word on who sent it. */
    if (setsockopt(p->agent_fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
        return -errno;
    if (unlink(KEEPER_SOCKET) < 0 && errno != ENOENT)
        return -errno;

    mode_t old = umask(0177);
    int r = bind(p->agent_fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    (void)umask(old);
    if (r < 0)
        return r;
    return lchown(KEEPER_SOCKET, p->config->uid, p->config->gid) < 0 ? -errno : 0;
}

static int set_up_files(struct process *p)
{
    const struct keeper_config *c = p->config;
    char path[PATH_MAX];
    int r = snprintf(path, sizeof path, "%s/%s", c->groups_dir, p->group);

    if (r < 0 || (size_t)r >= sizeof path)
        return -ENAMETOOLONG;
    _cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir_fd < 0 || fchdir(dir_fd) < 0)
        return -errno;
    r = env_write(dir_fd, &p->ticket);
    if (r < 0)
        return r;
    r = listen_for_agent(p);
    if (r < 0)
        return r;
    return state_create(dir_fd, &p->ticket, c->uid, c->gid, &p->state);
}

/* What makes the keeper punctual on a machine in trouble. Not having it is no reason to refuse: a
 * late keeper is what PID 1's watchdog is for. */
static int set_up_punctuality(struct process *p)
{
    volatile char stack[STACK_USED_MAX];
    const struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};

    /* Touched, so that there is stack to be locked. */
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 0;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        log_warning("%s: cannot lock memory, may be late when the host swaps: %m", p->group);
    /* Refused in containers and where real-time groups have no budget. */
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) < 0)
        log_debug("%s: no real-time priority: %m", p->group);
    return 0;
}

/* From here on nothing can be opened, killed or signalled that the agent's user could not. */
static int become_user(struct process *p)
{
    uid_t uid = p->config->uid;
    gid_t gid = p->config->gid;
    bool may_reboot = p->config->reboot_after > 0;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (geteuid() == uid)
        return 0;
    if (may_reboot && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return -errno;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    if (may_reboot) {
        int r = reboot_keep_right();

        if (r < 0)
            return r;
    }
    if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0)
        return -ENOTRECOVERABLE; /* kept the way back: not what this process may be */
    return 0;
}

/* Better not to lead at all than to find out when it is needed. */
static int try_reboot(struct process *p)
{
    return p->config->reboot_after > 0 ? p->config->restart(false) : 0;
}

static const struct {
    const char *what;
    int (*run)(struct process *p);
} set_up_steps[] = {
    {"prepare signals and timers", set_up_events},
    {"open the cgroup of the group's slice", set_up_slice},
    {"create the group's files", set_up_files},
    {"become punctual", set_up_punctuality},
    {"give up privileges", become_user},
    {"restart this host if need be, as fence = \"reboot\" wants", try_reboot},
};

/* ---- notifications to PID 1 ---- */

/* "HH:MM:SS" of the day in UTC: true for as long as the status line shows it, and needs no time
 * zone file. */
static const char *wall_time(usec_t at, usec_t now, char *ret, size_t size)
{
    struct timespec ts = {0};

    /* Cannot fail on this clock; a wrong hour in a status line would be all. */
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    usec_t wall =
        usec_add((usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000, usec_sub(at, now));
    unsigned seconds = (unsigned)(wall / USEC_PER_SEC % SECONDS_PER_DAY);

    (void)snprintf(ret, size, "%02u:%02u:%02u", seconds / 3600, seconds / 60 % 60, seconds % 60);
    return ret;
}

/* Was it sent? What was not is sent again from a short timer: PID 1 may be busy, and waiting for it
 * here would make one guard depend on the other. */
static bool notify(struct process *p, const char *text, int fd)
{
    int r = notify_send(&p->notifier, text, fd);

    if (r < 0 && r != -EAGAIN)
        log_trouble(p, TROUBLE_NOTIFY, "notify the service manager", r);
    return r >= 0;
}

static void notify_leading(struct process *p)
{
    char text[NOTIFY_TEXT_MAX], lease[SPAN_FORMAT_MAX], at[sizeof "HH:MM:SS" + 16];
    usec_t now = clock_boottime();
    int n =
        snprintf(text, sizeof text,
                 "%s=1\nWATCHDOG_USEC=%" PRIu64 "\nSTATUS=leads as node %s, term %" PRIu64
                 ", lease %s; ends at %s UTC unless renewed",
                 p->ready_sent ? "WATCHDOG" : "READY", keeper_watchdog_span(&p->keeper, now),
                 p->ticket.node, p->keeper.term, format_span(p->keeper.lease, lease, sizeof lease),
                 wall_time(p->keeper.deadline, now, at, sizeof at));

    assert(n > 0 && (size_t)n < sizeof text);
    if (notify(p, text, -1)) {
        p->ready_sent = true;
        p->ping_pending = false;
    }
}

/* STOPPING makes PID 1 stop the bound units. The descriptor that goes with BARRIER is closed when
 * PID 1 has read everything sent before; the reading end then hangs up. */
static void notify_ending(struct process *p)
{
    char text[NOTIFY_TEXT_MAX], at[sizeof "HH:MM:SS" + 16];
    usec_t now = clock_boottime();
    int n = snprintf(text, sizeof text,
                     "STOPPING=1\nSTATUS=ending term %" PRIu64
                     ": %s; what still runs at %s UTC is killed",
                     p->keeper.term, keeper_end_reason_text(p->keeper.reason),
                     wall_time(keeper_kill_time(&p->keeper), now, at, sizeof at));

    assert(n > 0 && (size_t)n < sizeof text);
    if (!p->stopping_sent)
        p->stopping_sent = notify(p, text, -1);
    if (p->stopping_sent && !p->barrier_sent && notify(p, "BARRIER=1", p->barrier_write_fd)) {
        p->barrier_sent = true;
        (void)close(take_fd(&p->barrier_write_fd)); /* or we would wait for ourselves */
    }
}

static bool notify_pending(const struct process *p)
{
    if (p->keeper.phase == KEEPER_LEADING)
        return !p->ready_sent || p->ping_pending;
    return !p->barrier_sent;
}

/* ---- what comes in ---- */

static void log_refusal(struct process *p, enum message_verdict verdict, uid_t uid, usec_t now)
{
    if (usec_sub(now, p->refusals_since) >= REFUSALS_WINDOW_USEC) {
        if (p->refusals > REFUSALS_LOGGED)
            log_warning("%s: refused %u more messages", p->group, p->refusals - REFUSALS_LOGGED);
        p->refusals_since = now;
        p->refusals = 0;
    }
    if (p->refusals < UINT_MAX)
        p->refusals++;
    if (p->refusals <= REFUSALS_LOGGED)
        log_warning("%s: refused a message from uid %u: %s", p->group, (unsigned)uid,
                    message_verdict_text(verdict));
}

/* The uid the kernel says the message is from, or (uid_t)-1, which no user has. */
static uid_t sender_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
            c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred sender;

            memcpy(&sender, CMSG_DATA(c), sizeof sender);
            return sender.uid;
        }
    return (uid_t)-1;
}

static void take_extension(struct process *p)
{
    p->ticket.lease = p->keeper.lease;
    p->ticket.duration = p->keeper.duration;
    p->ticket.deadline = p->keeper.deadline;
    last_resort_set(&p->last_resort, budget_kill(p->keeper.lease));
    int r = state_update(&p->state, &p->ticket);

    /* The state then names an earlier deadline: the fence would be early, never late. */
    if (r < 0)
        log_trouble(p, TROUBLE_STATE_WRITE, "write the new deadline to the state file", r);
    p->ping_pending = true;
}

/* One message. Returns false when there is none. */
static bool take_message(struct process *p)
{
    struct keeper_message message = {0};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))]; /* no room for descriptors: closed */
    } control;
    struct iovec iov = {.iov_base = &message, .iov_len = sizeof message};
    struct msghdr m = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t n = recvmsg(p->agent_fd, &m, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return false; /* EAGAIN; anything else gives no message either, and the deadline rules */

    usec_t now = clock_boottime(); /* after the read, so that no queue makes a message younger */
    uid_t uid = sender_of(&m);
    enum message_verdict verdict =
        keeper_receive(&p->keeper, &message, (size_t)n, uid == p->config->uid, now);

    switch (verdict) {
    case MESSAGE_EXTENDED:
        take_extension(p);
        break;
    case MESSAGE_ENDED:
    case MESSAGE_REPEATED:
        break;
    case MESSAGE_ALREADY_ENDING:
        /* The agent repeats the end until the keeper has gone; only an extension must not come now.
         */
        if (message.verb != KEEPER_END)
            log_refusal(p, verdict, uid, now);
        break;
    case MESSAGE_WRONG_SENDER:
    case MESSAGE_MALFORMED:
    case MESSAGE_OTHER_TERM:
    case MESSAGE_TOO_LATE:
    case MESSAGE_BROKEN_BUDGET:
    case MESSAGE_NOT_LATER:
    case MESSAGE_TOO_FAR:
        log_refusal(p, verdict, uid, now);
        break;
    }
    return true;
}

static void take_signal(struct process *p)
{
    struct signalfd_siginfo info;

    if (read(p->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        keeper_end(&p->keeper, KEEPER_END_SIGNAL, clock_boottime());
}

/* Sleeps until something comes or the time has come, and takes it in. Returns 0 or a negative
 * errno: a keeper that cannot wait for its deadline has to die, so that PID 1 and the fence see. */
static int wait_and_take(struct process *p)
{
    usec_t at = keeper_wakeup(&p->keeper, notify_pending(p), clock_boottime());
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(at / USEC_PER_SEC),
                     .tv_nsec = (long)(at % USEC_PER_SEC * 1000)},
    };
    struct pollfd fds[POLL_SLOTS] = {
        [POLL_AGENT] = {.fd = p->agent_fd, .events = POLLIN},
        [POLL_SIGNAL] = {.fd = p->signal_fd, .events = POLLIN},
        [POLL_TIMER] = {.fd = p->timer_fd, .events = POLLIN},
        [POLL_BARRIER] = {.fd = p->barrier_sent && !p->barrier_answered ? p->barrier_read_fd : -1},
    };

    /* Absolute and on the deadline's own clock, which counts suspend. Setting it again also clears
     * an expiration that is pending. */
    if (timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL) < 0)
        return -errno;
    if (ppoll(fds, POLL_SLOTS, NULL, NULL) < 0 && errno != EINTR)
        return -errno;

    /* First of all, however long the sleep or a stop signal took. */
    keeper_check_deadline(&p->keeper, clock_boottime());
    if (fds[POLL_BARRIER].revents & POLLHUP)
        p->barrier_answered = true;
    if (fds[POLL_SIGNAL].revents)
        take_signal(p);
    if (fds[POLL_AGENT].revents)
        for (int i = 0; i < MESSAGES_AT_ONCE && take_message(p); i++)
            ;
    return 0;
}

/* ---- the two phases ---- */

static int lead(struct process *p)
{
    if (!p->published) {
        /* The last thing before READY, as PID 1 starts no unit of the group without it. */
        int r = state_publish(&p->state);

        if (r < 0)
            return r;
        p->published = true;
    }
    if (notify_pending(p))
        notify_leading(p);
    return 0;
}

/* Takes away what lets a unit start. Tried again while it fails: PID 1 refuses the start of a unit
 * whose keeper is stopping also without it. */
static void withdraw_state(struct process *p)
{
    int r = state_remove(&p->state);

    p->state_removed = r >= 0;
    if (r < 0)
        log_trouble(p, TROUBLE_STATE_REMOVE, "remove the state file", r);
}

static int kill_if_due(struct process *p, const struct keeper_look *look)
{
    if (!keeper_kill_due(&p->keeper, clock_boottime()))
        return 0;

    int r = slice_kill(&p->slice);

    if (!p->kill_logged && look->populated) {
        p->kill_logged = true;
        log_warning("%s: the stop timeout is over; killing what is left: %" PRIu64 " cgroups",
                    p->group, look->children);
    }
    last_resort(&p->last_resort, look);
    return r;
}

/* In this order: see struct keeper_look. */
static int look(struct process *p, struct keeper_look *ret)
{
    const struct keeper_config *c = p->config;

    *ret = (struct keeper_look){.populated = true, .children = UINT64_MAX};
    ret->answered = p->barrier_answered;
    ret->stops = stops_read(c->stops_dir, p->group, p->keeper.term);

    struct units_look units = units_look(c->units_dir, c->units);

    ret->up = units.up;
    ret->unlinked = units.unlinked;
    int r = slice_children(&p->slice, &ret->children);
    if (r < 0)
        return r;
    r = slice_populated(&p->slice, &ret->populated);
    if (r < 0)
        ret->populated = true;
    return r;
}

/* One look. Returns 1 when the term is over for good, 0 when there is something left, -ENODEV when
 * the slice we hold was removed: there may be another of its name that only the fence can see. */
static int end(struct process *p)
{
    struct keeper_look found;

    if (!p->state_removed)
        withdraw_state(p);
    if (notify_pending(p))
        notify_ending(p);
    if (!p->end_logged) {
        p->end_logged = true;
        log_notice("%s: ending term %" PRIu64 ": %s", p->group, p->keeper.term,
                   keeper_end_reason_text(p->keeper.reason));
    }

    int r = look(p, &found);
    if (r >= 0 && keeper_may_exit(&p->keeper, &found, p->config->reboot_after > 0))
        return 1;

    int killed = kill_if_due(p, &found);
    if (r == -ENODEV || killed == -ENODEV)
        return -ENODEV;
    if (r < 0 || killed < 0)
        log_trouble(p, TROUBLE_SLICE, "read or kill the slice's cgroup", r < 0 ? r : killed);
    return 0;
}

static int run(struct process *p)
{
    for (;;) {
        int r;

        keeper_check_deadline(&p->keeper, clock_boottime());
        switch (p->keeper.phase) {
        case KEEPER_LEADING:
            r = lead(p);
            if (r < 0)
                return r;
            break;
        case KEEPER_ENDING:
            r = end(p);
            if (r != 0)
                return r < 0 ? r : 0;
            break;
        }
        r = wait_and_take(p);
        if (r < 0)
            return r;
    }
}

/* ---- from start to exit ---- */

/* The one place where a bad ticket ends. Logs; returns an exit status. */
static int accept_ticket(struct process *p)
{
    const struct keeper_config *c = p->config;
    int r = group_from_instance(c->instance, p->group, sizeof p->group);

    /* A name as earlier versions wrote it may end (the fence), but not begin: one group, one
     * keeper. */
    if (r == 0 && strcmp(c->instance, p->group) != 0)
        r = -EINVAL;
    if (r < 0) {
        log_error("\"%s\" is not the name of a group", c->instance);
        return EXIT_FAILURE;
    }
    r = set_up_notify(p);
    if (r < 0) {
        errno = -r;
        log_error("%s: not started as a service of type notify: %m", p->group);
        return EXIT_FAILURE;
    }
    r = ticket_consume(c->tickets_dir, c->instance, c->uid, &p->ticket);
    if (r < 0) {
        errno = -r;
        log_error("%s: no valid ticket: %m", p->group);
        return EXIT_FAILURE;
    }

    enum ticket_verdict verdict = keeper_judge_ticket(&p->ticket, p->group, clock_boottime());
    if (verdict != TICKET_GOOD) {
        log_error("%s: refused the ticket for term %" PRIu64 ": %s", p->group, p->ticket.term,
                  ticket_verdict_text(verdict));
        return EXIT_FAILURE;
    }
    p->keeper = keeper_begin(&p->ticket);
    return EXIT_SUCCESS;
}

/* Logs; returns an exit status. */
static int start_and_run(struct process *p)
{
    char lease[SPAN_FORMAT_MAX], stop[SPAN_FORMAT_MAX];

    if (accept_ticket(p) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof set_up_steps / sizeof set_up_steps[0]; i++) {
        int r = set_up_steps[i].run(p);
        if (r < 0) {
            errno = -r;
            log_error("%s: cannot %s: %m", p->group, set_up_steps[i].what);
            return EXIT_FAILURE;
        }
    }
    log_info("%s: term %" PRIu64 " begins on node %s; lease %s, stop timeout %s", p->group,
             p->keeper.term, p->ticket.node, format_span(p->keeper.lease, lease, sizeof lease),
             format_span(p->keeper.stop, stop, sizeof stop));

    int r = run(p);
    if (r < 0) {
        (void)state_remove(&p->state); /* so that the fence need not wait */
        errno = -r;
        log_error("%s: cannot go on, leaving the rest to the fence: %m", p->group);
        return EXIT_FAILURE;
    }
    log_info("%s: term %" PRIu64 " has ended; nothing of the group runs any more", p->group,
             p->keeper.term);
    return EXIT_SUCCESS;
}

int keeper_run(const struct keeper_config *config)
{
    assert(config);

    struct process p = {
        .config = config,
        .notifier.fd = -1,
        .slice = SLICE_CLOSED,
        .state = STATE_FILE_NONE,
        .agent_fd = -1,
        .signal_fd = -1,
        .timer_fd = -1,
        .barrier_read_fd = -1,
        .barrier_write_fd = -1,
    };

    /* Descriptors are left to the exit that follows. */
    return start_and_run(&p);
}
