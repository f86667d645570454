/* SPDX-License-Identifier: Apache-2.0 */
/* The arbiter on PostgreSQL: ticks on a connection, and what may not be believed. */
#include "arbiter/arbiter.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arbiter/advisory.h"
#include "arbiter/connection.h"
#include "arbiter/tick_codec.h"
#include "base/cleanup.h"
#include "base/clock.h"

/* Servers whose timeline is remembered; a daemon meets one, and another after a mistake. */
#define SYSTEMS_MAX 16

struct tick {
    struct request *requests; /* .group points into groups */
    char (*groups)[GROUP_NAME_MAX + 1];
    struct reply *replies;
    size_t n; /* 0: none under way */
};

struct arbiter {
    const struct arbiter_handler *handler;
    void *userdata;
    struct connection *connection;
    char owner[OWNER_MAX + 1];
    bool require_sync;
    bool unsynchronised; /* already reported */
    struct tick tick;
    uint64_t round_trips;
    struct advisory advisory;
    bool no_session; /* a statement went to another backend: a pooler */
    bool pooler_noticed, replicated_noticed;
    char alarm_raised[ARBITER_TEXT_MAX];

    /* The highest timeline seen of each server, and which server it was last. */
    struct epoch seen[SYSTEMS_MAX];
    size_t n_seen;
    bool has_system;
    uint64_t system_id;
};

/* ---- ticks ---- */

static void tick_free(struct tick *b)
{
    free(b->requests);
    free(b->groups);
    free(b->replies);
    *b = (struct tick){0};
}

static int tick_copy(const struct request *requests, size_t n, struct tick *ret)
{
    *ret = (struct tick){
        .requests = calloc(n, sizeof *requests),
        .groups = calloc(n, sizeof *ret->groups),
        .replies = calloc(n, sizeof *ret->replies),
        .n = n,
    };
    if (!ret->requests || !ret->groups || !ret->replies) {
        tick_free(ret);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(ret->groups[i], sizeof ret->groups[i], "%s", requests[i].group);
        ret->requests[i] = requests[i];
        ret->requests[i].group = ret->groups[i];
        ret->replies[i] = (struct reply){.outcome = OUTCOME_UNKNOWN};
    }
    return 0;
}

/* Hands out the replies. The tick is over before that: the next may be sent from within. */
static void answer(struct arbiter *a)
{
    struct tick over = a->tick;

    if (over.n == 0)
        return;
    a->tick = (struct tick){0};
    a->handler->replies(a->userdata, over.replies, over.n);
    tick_free(&over);
}

static void notice(struct arbiter *a, const char *text)
{
    if (a->handler->notice)
        a->handler->notice(a->userdata, text);
}

/* ---- what may be believed ---- */

static struct epoch *seen_of(struct arbiter *a, uint64_t system_id)
{
    for (size_t i = 0; i < a->n_seen; i++)
        if (a->seen[i].system_id == system_id)
            return &a->seen[i];
    /* Full: the oldest goes. */
    if (a->n_seen == SYSTEMS_MAX) {
        memmove(&a->seen[0], &a->seen[1], (SYSTEMS_MAX - 1) * sizeof a->seen[0]);
        a->n_seen--;
    }
    a->seen[a->n_seen] = (struct epoch){.system_id = system_id};
    return &a->seen[a->n_seen++];
}

/* Is this the history that was seen so far, or a later one? If not, text says why. */
static bool epoch_acceptable(struct arbiter *a, const struct epoch *epoch,
                             char text[static ARBITER_TEXT_MAX])
{
    struct epoch *seen = seen_of(a, epoch->system_id);

    if (epoch->timeline < seen->timeline) {
        (void)snprintf(text, ARBITER_TEXT_MAX,
                       "refused: the server is on timeline %" PRIu64 ", but %" PRIu64
                       " was seen: it is an old primary, or was restored from a backup",
                       epoch->timeline, seen->timeline);
        return false;
    }
    seen->timeline = epoch->timeline;
    if (a->has_system && a->system_id != epoch->system_id) {
        (void)snprintf(text, ARBITER_TEXT_MAX,
                       "another database server answers: its system identifier is %" PRIu64
                       ", it was %" PRIu64
                       ". Nodes that talk to different servers can lead at once",
                       epoch->system_id, a->system_id);
        a->system_id = epoch->system_id; /* from now on this is the one */
        return false;
    }
    a->has_system = true;
    a->system_id = epoch->system_id;
    return true;
}

/* Found again with each attempt to connect, reported once. */
static void raise_alarm(struct arbiter *a, const char *text)
{
    if (strcmp(a->alarm_raised, text) == 0)
        return;
    (void)snprintf(a->alarm_raised, sizeof a->alarm_raised, "%s", text);
    if (a->handler->alarm)
        a->handler->alarm(a->userdata, text);
}

/* Granted, but perhaps not durable: it may vanish with the server's next crash or failover. */
static void doubt(struct tick *b)
{
    for (size_t i = 0; i < b->n; i++) {
        enum operation o = b->requests[i].operation;

        if (o == OPERATION_CLAIM || o == OPERATION_RENEW || o == OPERATION_CONFIRM_DEAD)
            b->replies[i] = (struct reply){.outcome = OUTCOME_UNKNOWN};
    }
}

static void say_unsynchronised(struct arbiter *a, bool synchronous)
{
    bool refuses = a->require_sync && !synchronous;

    if (refuses && !a->unsynchronised)
        notice(a, "require_sync is set, but synchronous_standby_names is empty on the server: "
                  "nothing is claimed or renewed");
    a->unsynchronised = refuses;
}

static bool has_advisory(const struct request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (requests[i].method == METHOD_ADVISORY)
            return true;
    return false;
}

static const char no_session_text[] =
    "the method \"advisory\" needs a session of its own, but the database is reached through a "
    "connection pooler: connect to the server itself, or use the method \"lease\"";

/* Reports what makes the method a bad choice here; each reason once. */
static void say_unsuitable(struct arbiter *a)
{
    const char *replicated = connection_replicated(a->connection);
    char text[ARBITER_TEXT_MAX];

    if (a->no_session && !a->pooler_noticed)
        notice(a, no_session_text);
    a->pooler_noticed = a->no_session;
    if (!*replicated || a->replicated_noticed)
        return;
    a->replicated_noticed = true;
    (void)snprintf(
        text, sizeof text,
        "the method \"advisory\" is for a single server, but this one seems to be one of "
        "several (%s): locks do not fail over; use the method \"lease\" here",
        replicated);
    notice(a, text);
}

static int take_advisory(struct arbiter *a, const struct reply *replies, const bool *held,
                         const struct tick_facts *facts)
{
    struct tick *b = &a->tick;

    a->no_session = !facts->session;
    if (has_advisory(b->requests, b->n))
        say_unsuitable(a);
    return advisory_take(&a->advisory, b->requests, replies, held, b->n, clock_boottime());
}

static void say_held_up(const struct arbiter *a, const PGresult *result)
{
    for (size_t i = 0; a->handler->held_up && i < a->tick.n; i++) {
        const char *holder = tick_holder(result, i);

        if (holder)
            a->handler->held_up(a->userdata, i, holder);
    }
}

/* A release may be granted that found it done before. */
static bool wrote(const struct request *requests, const struct reply *replies, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((requests[i].operation == OPERATION_CLAIM ||
             requests[i].operation == OPERATION_RENEW) &&
            replies[i].outcome == OUTCOME_GRANTED)
            return true;
    return false;
}

static void on_answered(void *userdata, const PGresult *result, bool warned)
{
    struct arbiter *a = userdata;
    struct tick *b = &a->tick;
    struct tick_facts facts;
    char text[ARBITER_TEXT_MAX];
    _cleanup_free_ struct reply *replies = calloc(b->n, sizeof *replies);
    _cleanup_free_ bool *held = calloc(b->n, sizeof *held);

    assert(b->n > 0);
    if (!replies || !held) {
        connection_drop(a->connection, "out of memory");
        return;
    }
    if (tick_decode(result, a->owner, b->requests, b->n, replies, held, &facts, text) < 0) {
        connection_drop(a->connection, text);
        return;
    }
    if (!epoch_acceptable(a, &facts.epoch, text)) {
        raise_alarm(a, text);
        connection_drop(a->connection, text);
        return;
    }
    if (!facts.durable) {
        connection_drop(a->connection, "synchronous_commit could not be set for a transaction");
        return;
    }
    if (take_advisory(a, replies, held, &facts) < 0) {
        connection_drop(a->connection, "out of memory");
        return;
    }
    connection_proven(a->connection, wrote(b->requests, replies, b->n));
    memcpy(b->replies, replies, b->n * sizeof *replies);
    if (warned)
        doubt(b);
    say_unsynchronised(a, facts.synchronous);
    say_held_up(a, result);
    answer(a);
}

/* ---- the connection's news ---- */

static void on_up(void *userdata, const char *text)
{
    struct arbiter *a = userdata;

    advisory_new_session(&a->advisory);
    a->no_session = connection_pooled(a->connection);
    a->handler->connected(a->userdata, text);
}

static void on_locked(void *userdata, const char *holder)
{
    struct arbiter *a = userdata;

    if (a->handler->locked)
        a->handler->locked(a->userdata, holder);
}

static void on_down(void *userdata, const char *text)
{
    struct arbiter *a = userdata;

    answer(a);
    a->handler->lost(a->userdata, text);
}

static void on_notified(void *userdata, const char *payload)
{
    struct arbiter *a = userdata;
    char group[GROUP_NAME_MAX + 1];
    struct release_notice release;

    if (payload && notice_decode(payload, group, &release) == 0)
        a->handler->hint(a->userdata, group, &release);
    else
        a->handler->hint(a->userdata, payload && group_name_valid(payload) ? payload : NULL, NULL);
}

static void on_noticed(void *userdata, const char *text)
{
    notice(userdata, text);
}

static const struct connection_handler connection_handler = {
    .up = on_up,
    .locked = on_locked,
    .down = on_down,
    .answered = on_answered,
    .notified = on_notified,
    .noticed = on_noticed,
};

/* ---- the interface ---- */

int arbiter_postgresql_new(struct sd_event *event, const char *conninfo,
                           enum arbiter_password password, bool require_sync, const char *owner,
                           const struct arbiter_handler *handler, void *userdata,
                           struct arbiter **ret, char reterr_text[static ARBITER_TEXT_MAX])
{
    assert(event);
    assert(conninfo);
    assert(owner);
    assert(handler);
    assert(ret);

    reterr_text[0] = '\0';
    if (!*owner || strlen(owner) > OWNER_MAX) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX, "the owner is empty or too long");
        return -EINVAL;
    }

    _cleanup_free_ struct arbiter *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->handler = handler;
    a->userdata = userdata;
    a->require_sync = require_sync;
    memcpy(a->owner, owner, strlen(owner) + 1);
    int r = connection_new(event, conninfo, password, &connection_handler, a, &a->connection,
                           reterr_text);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(a);
    return 0;
}

void arbiter_inherit(struct arbiter *a, const struct arbiter *from)
{
    assert(a);
    assert(from);

    memcpy(a->seen, from->seen, sizeof a->seen);
    a->n_seen = from->n_seen;
    a->has_system = from->has_system;
    a->system_id = from->system_id;
}

struct arbiter *arbiter_free(struct arbiter *a)
{
    if (!a)
        return NULL;
    a->connection = connection_free(a->connection);
    tick_free(&a->tick);
    advisory_free(&a->advisory);
    free(a);
    return NULL;
}

const char *arbiter_obstacle(const struct arbiter *a, enum method method)
{
    assert(a);
    return method == METHOD_ADVISORY && connection_up(a->connection) && a->no_session
               ? no_session_text
               : NULL;
}

bool arbiter_idle(const struct arbiter *a)
{
    assert(a);
    return a->tick.n == 0 && connection_idle(a->connection);
}

static int send_tick(struct arbiter *a, usec_t limit)
{
    const struct tick *b = &a->tick;
    struct tick_extra extra;
    struct tick_parameters parameters = {0};
    int r = advisory_ask(&a->advisory, b->requests, b->n, clock_boottime(), &extra);

    if (r >= 0)
        r = tick_encode(a->owner, a->require_sync, connection_pid(a->connection), &extra,
                        b->requests, b->n, &parameters);
    if (r >= 0)
        r = connection_query(a->connection, tick_statement, TICK_PARAMETERS,
                             (const char *const *)parameters.values, limit);
    tick_parameters_free(&parameters);
    tick_extra_free(&extra);
    return r;
}

int arbiter_send(struct arbiter *a, const struct request *requests, size_t n, usec_t limit)
{
    assert(a);
    assert(requests || n == 0);

    if (n == 0)
        return -EINVAL;
    if (n > ARBITER_TICK_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n; i++)
        if (!tick_request_valid(&requests[i]))
            return -EINVAL;
    if (!connection_up(a->connection))
        return -ENOTCONN;
    if (!arbiter_idle(a))
        return -EBUSY;

    int r = tick_copy(requests, n, &a->tick);
    if (r < 0)
        return r;
    r = send_tick(a, limit);
    if (r < 0)
        tick_free(&a->tick);
    else
        a->round_trips++;
    return r;
}

uint64_t arbiter_round_trips(const struct arbiter *a)
{
    assert(a);
    return a->round_trips;
}
