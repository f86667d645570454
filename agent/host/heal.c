/* SPDX-License-Identifier: Apache-2.0 */
#include "host/heal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/guard.h"
#include "host/bus_names.h"
#include "host/call.h"
#include "host/groups.h"
#include "host/pace.h"
#include "host/properties.h"
#include "host/state.h"

/* Generators take up to 90 s, twice when PID 1 reloads already. */
#define HEAL_LIMIT_USEC (240 * USEC_PER_SEC)
/* How often it is asked whether the job is over. */
#define HEAL_POLL_MIN_USEC (50 * USEC_PER_MSEC)
#define HEAL_POLL_MAX_USEC (1 * USEC_PER_SEC)
/* How long a heal waits at most for terms of other groups that begin or end. */
#define HEAL_HOLD_USEC (60 * USEC_PER_SEC)
#define HEAL_UNIT "tenure-reload.service"

/* The agent has no right to have PID 1 reload: with that right it could have it execute itself
 * again, too. It may start one unit of root's that reloads PID 1. It then asks whether that unit is
 * done, because signals about a job can get lost in a reload. */

#define HEAL_EXITED "exit-code" /* the Result of a service that exits, and not with success */

/* Checks again all guards that were not whole, although PID 1 may have read nothing new. */
static void check_again(struct host *h)
{
    for (size_t i = 0; i < h->n_groups; i++) {
        struct watched_group *g = h->groups[i];

        if (g->view.state.guards.state != GUARDS_WHOLE) {
            g->recheck = true;
            g->checking = 0; /* what is under way was asked before it was over */
            g->check_at = 0;
        }
    }
    groups_poll_soon(h);
}

static void over(struct host *h, int error, const char *text)
{
    h->heal = HEAL_NONE;
    check_again(h);
    h->handler->healed(h->userdata, h->heal_asked_at, error, text);
}

void heal_fail(struct host *h, int error, const char *text)
{
    if (h->heal != HEAL_NONE)
        over(h, error, text);
}

static void poll_later(struct host *h)
{
    h->heal_retry = backoff(h->heal_retry, HEAL_POLL_MIN_USEC, HEAL_POLL_MAX_USEC);
    h->heal_poll_at = usec_add(clock_boottime(), h->heal_retry);
}

static void start_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                           int error, const char *text)
{
    (void)g;
    (void)reply;
    if (h->heal != HEAL_ASKED)
        return;
    /* Without an answer the job may be queued all the same. */
    if (error < 0 && !nobody_answered(error)) {
        over(h, error, text);
        return;
    }
    h->heal = HEAL_RUNNING;
    h->heal_retry = 0;
    poll_later(h);
}

static int read_job(sd_bus_message *m, const char **ret_active, uint32_t *ret_job)
{
    int r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");

    if (r >= 0)
        r = sd_bus_message_read(m, "(ssssssouso)", NULL, NULL, NULL, ret_active, NULL, NULL, NULL,
                                ret_job, NULL, NULL);
    return r == 0 ? -EBADMSG : r;
}

/* Asks for a property that the job has as a service. */
static void ask(struct host *h, const char *property, call_done done)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_free_ char *path = NULL;
    int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, HEAL_UNIT, &path);

    if (r >= 0 && (r = call_new(h, path, PROPERTIES_INTERFACE, "Get", &m)) >= 0 &&
        (r = sd_bus_message_append(m, "ss", SYSTEMD_NAME ".Service", property)) >= 0)
        r = call_send(h, m, NULL, done);
    h->heal_polling = r >= 0;
    if (r < 0)
        poll_later(h);
}

int heal_judge(const char *result, int status)
{
    if (strcmp(result, "success") == 0)
        return 0;
    return strcmp(result, HEAL_EXITED) == 0 && status == GUARD_BUSY_STATUS ? -EAGAIN : -EIO;
}

static void judge(struct host *h, const char *result, int status)
{
    int error = heal_judge(result, status);

    over(h, error,
         error == 0         ? ""
         : error == -EAGAIN ? "an apply is under way"
                            : HEAL_UNIT " has failed: see journalctl -u " HEAL_UNIT);
}

/* How it has exited. */
static void status_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                            int error, const char *text)
{
    int32_t status = 0; /* without an answer: some failure */

    (void)g;
    (void)text;
    h->heal_polling = false;
    if (h->heal != HEAL_RUNNING)
        return;
    if (error == 0)
        (void)sd_bus_message_read(reply, "v", "i", &status);
    judge(h, HEAL_EXITED, status);
}

static void result_answered(struct host *h, struct watched_group *g, sd_bus_message *reply,
                            int error, const char *text)
{
    const char *result = "success"; /* unless PID 1 says otherwise */

    (void)g;
    (void)text;
    h->heal_polling = false;
    if (h->heal != HEAL_RUNNING)
        return;
    if (error == 0)
        (void)sd_bus_message_read(reply, "v", "s", &result);
    if (strcmp(result, HEAL_EXITED) == 0)
        ask(h, "ExecMainStatus", status_answered);
    else
        judge(h, result, 0);
}

/* The pause before the next heal, which the unit makes once its work is done, does not count; PID
 * 1's job for the unit waits for that, too. */
static bool is_over(const char *active, uint32_t job)
{
    return strcmp(active, "deactivating") == 0 || (job == 0 && state_is_dead(active));
}

static void poll_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text)
{
    const char *active = "";
    uint32_t job = 0;

    (void)g;
    (void)text;
    h->heal_polling = false;
    if (h->heal != HEAL_RUNNING)
        return;
    if (error == 0 && read_job(reply, &active, &job) >= 0 && is_over(active, job))
        ask(h, "Result", result_answered);
    else
        poll_later(h);
}

static void send_start(struct host *h, usec_t now)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r = call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartUnit", &m);

    if (r >= 0 && (r = sd_bus_message_append(m, "ss", HEAL_UNIT, "replace")) >= 0)
        r = call_send(h, m, NULL, start_answered);
    if (r == -EBUSY)
        return; /* when a call is answered */
    h->heal_asked_at = now;
    h->heal = HEAL_ASKED;
    if (r < 0)
        over(h, -ECONNRESET, "StartUnit could not be sent");
}

static void send_poll(struct host *h)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r = call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByNames", &m);

    if (r >= 0 && (r = sd_bus_message_append(m, "as", 1, HEAL_UNIT)) >= 0)
        r = call_send(h, m, NULL, poll_answered);
    h->heal_polling = r >= 0;
    if (r < 0)
        poll_later(h);
}

/* A reload makes PID 1 forget how far the stop of a unit has come, so it could not be proven; and
 * units that are being started wait for it. */
static bool would_be_disturbed(const struct watched_group *g, usec_t now)
{
    usec_t over = usec_add(g->ending_since, usec_add(g->stop, BUDGET_KILL_MAX_USEC));

    return g->view.ending ? g->view.stops == STOPS_OPEN && now < over
                          : g->view.state.keeper == KEEPER_BUSY;
}

static bool disturbs(const struct host *h, usec_t now)
{
    for (size_t i = 0; i < h->n_groups; i++)
        if (would_be_disturbed(h->groups[i], now))
            return true;
    return false;
}

usec_t heal_wake(const struct host *h)
{
    if (h->heal == HEAL_WANTED)
        return usec_add(h->heal_wanted_at, HEAL_HOLD_USEC);
    return h->heal == HEAL_RUNNING && !h->heal_polling ? h->heal_poll_at : USEC_INFINITY;
}

void heal_send(struct host *h, usec_t now)
{
    if (h->heal == HEAL_WANTED) {
        if (heal_wake(h) <= now || !disturbs(h, now))
            send_start(h, now);
    } else if (h->heal == HEAL_RUNNING && usec_sub(now, h->heal_asked_at) > HEAL_LIMIT_USEC)
        over(h, -ETIMEDOUT, HEAL_UNIT " does not end");
    else if (heal_wake(h) <= now)
        send_poll(h);
}

int host_heal(struct host *h)
{
    assert(h);

    if (!h->connected)
        return -ENOTCONN;
    if (h->heal != HEAL_NONE)
        return 0;
    h->heal = HEAL_WANTED;
    h->heal_wanted_at = h->heal_asked_at =
        clock_boottime(); /* it may be over before PID 1 is asked */
    pump_soon(h);
    return 1;
}
