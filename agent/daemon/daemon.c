/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/configure.h"
#include "daemon/confirm.h"
#include "daemon/drain.h"
#include "daemon/group.h"
#include "daemon/host_events.h"
#include "daemon/journal.h"
#include "daemon/link.h"
#include "daemon/status.h"
#include "daemon/tick.h"

#define TIMER_ACCURACY_USEC USEC_PER_MSEC
/* Behind all handlers, so that they are done once for all that this turn of the loop brought. */
#define CHORES_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 5)

/* ---- the API ---- */

static void offer_failed(struct daemon *d, const char *text)
{
    /* Tried again and again, logged once. */
    if (strcmp(d->api_trouble, text) != 0)
        log_warning(
            "the D-Bus API cannot be offered: %s; tenurectl does not reach this agent until "
            "it can",
            text);
    (void)snprintf(d->api_trouble, sizeof d->api_trouble, "%s", text);
    d->api_retry_at = usec_add(clock_boottime(), API_RETRY_USEC);
    daemon_wake(d);
}

static void offer_again(struct daemon *d, usec_t now)
{
    if (d->api_retry_at == 0 || now < d->api_retry_at || !d->bus)
        return;
    d->api_retry_at = 0;
    (void)api_attach(d->api, NULL);
    int r = api_attach(d->api, d->bus);
    if (r < 0)
        offer_failed(d, strerror(-r));
}

static void on_unavailable(void *userdata, const char *text)
{
    offer_failed(userdata, text);
}

static void on_reload(void *userdata, struct api_call *call)
{
    drain_reload(userdata, call);
}

static void on_retire(void *userdata, struct api_call *call, const char *const *groups, size_t n)
{
    drain_retire(userdata, call, groups, n);
}

static void on_confirm_dead(void *userdata, struct api_call *call, const char *node, uid_t uid)
{
    confirm_start(userdata, call, node, uid);
}

static void on_caller_gone(void *userdata, struct api_call *call)
{
    confirm_caller_gone(userdata, call);
}

const struct api_source daemon_api_source = {
    .describe_manager = status_describe_manager,
    .n_groups = status_n_groups,
    .group_name = status_group_name,
    .describe_group = status_describe_group,
    .reload = on_reload,
    .retire = on_retire,
    .confirm_dead = on_confirm_dead,
    .caller_gone = on_caller_gone,
    .unavailable = on_unavailable,
};

/* ---- the arbiter ---- */

static void on_replies(void *userdata, const struct reply *replies, size_t n)
{
    struct daemon *d = userdata;

    if (d->confirms)
        confirm_replies(d, replies, n);
    else
        tick_replies(d, replies, n);
}

static void on_held_up(void *userdata, size_t i, const char *holder)
{
    struct daemon *d = userdata;

    if (d->confirms)
        confirm_held_up(d, i, holder);
    else
        tick_held_up(d, i, holder);
}

const struct arbiter_handler daemon_arbiter_handler = {
    .replies = on_replies,
    .held_up = on_held_up,
    .locked = link_on_locked,
    .connected = link_on_connected,
    .lost = link_on_lost,
    .alarm = link_on_alarm,
    .hint = link_on_hint,
    .notice = link_on_notice,
};

/* ---- the host ---- */

static void on_own_job(void *userdata, int error, const char *type)
{
    struct daemon *d = userdata;

    if (error < 0 && ++d->job_questions < JOB_QUESTIONS_MAX && host_ask_own_job(d->host) >= 0)
        return;
    if (error < 0)
        log_warning("PID 1 does not say why this process shall end: %s; what it leads runs on to "
                    "its deadline, or until another agent is there",
                    strerror(-error));
    else if (strcmp(type, "stop") == 0) {
        drain_stop(d);
        return;
    } else
        log_info("ending to be started again: what this node leads stays as it is");
    (void)sd_event_exit(d->event, 0);
}

static void on_bus_changed(void *userdata, struct sd_bus *bus, const char *text)
{
    struct daemon *d = userdata;
    int r = api_attach(d->api, bus);

    d->bus = bus;
    d->api_retry_at = 0;
    if (r < 0)
        offer_failed(d, strerror(-r));
    if (!bus && !d->bus_text[0])
        log_warning("the system bus is gone: %s; what this node leads stays, nothing new is led "
                    "until it is back",
                    text);
    if (bus && d->bus_text[0])
        log_info("the system bus is back");
    (void)snprintf(d->bus_text, sizeof d->bus_text, "%s", bus ? "" : text);
    daemon_wake(d);
}

const struct host_handler daemon_host_handler = {
    .polled = host_events_polled,
    .start_answered = host_events_start_answered,
    .stop_answered = host_events_stop_answered,
    .strays_answered = host_events_strays_answered,
    .healed = host_events_healed,
    .own_job = on_own_job,
    .bus_changed = on_bus_changed,
};

/* ---- the loop ---- */

static usec_t next_due(const struct daemon *d)
{
    usec_t due = usec_min(usec_min(tick_due(d), drain_due(d)), confirm_due(d));

    for (size_t i = 0; i < d->n_groups; i++)
        due = usec_min(
            due, usec_min(member_wake(&d->groups[i]->member), group_strays_due(d->groups[i])));
    if (d->bus && d->api_retry_at > 0)
        due = usec_min(due, d->api_retry_at);
    return due;
}

static void arm_timer(struct daemon *d)
{
    usec_t due = next_due(d);

    if (due == USEC_INFINITY) {
        (void)sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time(d->timer, due);
    (void)sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static int on_chores(sd_event_source *source, void *userdata)
{
    struct daemon *d = userdata;
    usec_t now = clock_boottime();

    (void)source;
    for (size_t i = 0; i < d->n_groups; i++) {
        if (member_wake(&d->groups[i]->member) <= now)
            group_event(d->groups[i], EVENT_CLOCK);
        group_watch_strays(d->groups[i], now);
    }
    tick_send(d, now);
    confirm_continue(d, now);
    drain_continue(d, now);
    offer_again(d, now);
    status_publish_groups(d);
    status_publish_line(d);
    arm_timer(d);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    daemon_wake(userdata);
    return 0;
}

/* PID 1 knows whether this is a restart or the end; Ctrl-C at a terminal means the end. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    struct daemon *d = userdata;

    (void)source;
    if (si->ssi_signo == SIGINT) {
        drain_stop(d);
        return 0;
    }
    int r = host_ask_own_job(d->host);
    if (r < 0 && r != -EALREADY) {
        log_warning("cannot ask PID 1 why this process shall end: %s; what it leads runs on to its "
                    "deadline, or until another agent is there",
                    strerror(-r));
        (void)sd_event_exit(d->event, 0);
    }
    return 0;
}

static int add_signals(struct daemon *d)
{
    sigset_t mask;
    int r;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);
    return r < 0 ? r : sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
}

static int add_sources(struct daemon *d)
{
    int r = sd_event_default(&d->event);

    if (r < 0 || (r = add_signals(d)) < 0 ||
        (r = sd_event_add_defer(d->event, &d->chores, on_chores, d)) < 0 ||
        (r = sd_event_source_set_priority(d->chores, CHORES_PRIORITY)) < 0 ||
        (r = sd_event_add_time(d->event, &d->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC,
                               on_timer, d)) < 0 ||
        (r = sd_event_source_set_enabled(d->timer, SD_EVENT_OFF)) < 0)
        return r;
    /* An agent whose loop hangs is replaced; nothing else depends on this. */
    return notify_queue_open(&d->notify, d->event, getenv("NOTIFY_SOCKET"));
}

/* What only an administrator can change: starting again does not help. */
static bool is_final(int error)
{
    switch (error) {
    case -EOPNOTSUPP: /* no cgroup v2, or an old kernel */
    case -ENOENT:
    case -ENOTDIR:
    case -ELOOP:
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return true;
    default:
        return false;
    }
}

/* Another agent's end, and room in /run, are waited for here rather than by being started again
 * ten times a second, each time with its own line in the journal. */
static int take_instance(struct daemon *d)
{
    const struct timespec pause = {.tv_nsec = INSTANCE_RETRY_USEC * 1000};
    usec_t until = usec_add(clock_boottime(), INSTANCE_WAIT_USEC);
    int r;

    while ((r = host_instance_id(d->instance)) < 0 && !is_final(r) && clock_boottime() < until)
        (void)nanosleep(&pause, NULL);
    return r;
}

/* What must hold before anything is begun. */
static int check_host(struct daemon *d)
{
    char text[HOST_TEXT_MAX];
    int r = host_check_kernel(text);

    if (r < 0) {
        log_error("%s", text);
        return r;
    }
    r = take_instance(d);
    if (r == -EBUSY)
        log_error("another tenured runs on this host: there can be one; waiting for its end");
    else if (r < 0)
        log_error("cannot use %s: %s%s", TENURE_INSTANCE_DIR, strerror(-r),
                  is_final(r) ? " (systemd-tmpfiles --create makes it)" : "; trying again");
    if (r < 0)
        return r;
    /* The agent that wrote them is dead, and what became of them is not known: they must start
     * nothing. */
    r = host_clear_tickets();
    if (r < 0)
        log_error("cannot clear %s: %s", TENURE_TICKETS_DIR, strerror(-r));
    return r;
}

static int set_up(struct daemon *d)
{
    int r = add_sources(d);

    if (r < 0 || (r = host_new(d->event, &daemon_host_handler, d, &d->host)) < 0 ||
        (r = api_new(&daemon_api_source, d, &d->api)) < 0 || (r = configure_start(d)) < 0)
        log_error("cannot start: %s", strerror(-r));
    return r;
}

static void tear_down(struct daemon *d)
{
    d->arbiter = arbiter_free(d->arbiter);
    for (size_t i = 0; i < d->n_groups; i++)
        (void)group_free(d->groups[i]);
    free(d->groups);
    d->api = api_free(d->api);
    d->host = host_free(d->host);
    d->config = config_free(d->config);
    d->next = config_free(d->next);
    notify_queue_close(&d->notify);
    sd_event_source_disable_unref(d->timer);
    sd_event_source_disable_unref(d->chores);
    sd_event_unref(d->event);
}

int daemon_run(const char *const applied[])
{
    static struct daemon d; /* large, and there is one */
    int r;

    assert(applied);
    d = (struct daemon){.applied = applied,
                        .fit = true,
                        .arbiter_handler = &daemon_arbiter_handler,
                        .notify = NOTIFY_CLOSED};
    (void)signal(SIGPIPE, SIG_IGN);
    journal_open();
    d.started_at = clock_boottime();
    (void)snprintf(d.arbiter_text, sizeof d.arbiter_text, "not asked yet");
    r = check_host(&d);
    if (r < 0)
        return is_final(r) ? EXIT_UNFIT_HOST : EXIT_FAILURE;
    r = set_up(&d);
    if (r >= 0) {
        /* Not waiting for the database: it may be away, and live keepers are adopted all the same.
         */
        status_publish_line(&d);
        notify_queue_send(&d.notify, "READY=1");
        daemon_wake(&d);
        r = sd_event_loop(d.event);
        if (r < 0)
            log_error("the event loop failed: %s", strerror(-r));
    }
    tear_down(&d);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
