/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>

#include "arbiter/advice.h"
#include "arbiter/conninfo.h"
#include "arbiter/holder.h"
#include "arbiter/link.h"
#include "arbiter/pg_error.h"
#include "arbiter/resolver.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"

/* sd-event takes 0 for 250 ms. */
#define TIMER_ACCURACY_USEC (1 * USEC_PER_MSEC)
/* With TLS, bytes may wait in a record that was read whole: poll() does not see them. A record has
 * 16 KiB at most, each read takes 8. */
#define TLS_READS_MAX 4
#define WHERE_MAX 256
#define ROUND_TEXT_MAX (ARBITER_TEXT_MAX - 1)
#define PID_MAX_CHARS 16
#define REPLICATED_TEXT_MAX 128

enum connection_state {
    STATE_WAITING,    /* for the next attempt */
    STATE_RESOLVING,  /* the name of a host */
    STATE_CONNECTING, /* TCP, TLS, login */
    STATE_PROBING,    /* is this a server to work with? */
    STATE_LISTENING,  /* LISTEN */
    STATE_IDLE,
    STATE_BUSY,   /* with the user's statement */
    STATE_ASKING, /* whether the table is still locked */
};

struct connection {
    sd_event *event;
    const struct connection_handler *handler;
    void *userdata;
    struct conninfo *conninfo;
    struct resolver *resolver;

    enum connection_state state;
    sd_event_source *timer;  /* what it means depends on the state */
    sd_event_source *broken; /* defer: a statement could not even be sent */
    sd_event_source *io;

    PGconn *pg;
    size_t host, address;  /* the attempt under way, or the next one */
    size_t tried;          /* hosts of this round that failed */
    bool up;               /* up() was called */
    usec_t backoff;        /* of the next round */
    char where[WHERE_MAX]; /* whom we talk to */
    char round[ROUND_TEXT_MAX];
    char parting[ARBITER_TEXT_MAX]; /* what the server said before it closed */
    unsigned callbacks;             /* depth */

    /* The statement under way. */
    PGresult *result; /* the first, or the first error */
    unsigned results;
    bool warned;
    bool aged; /* reported: this server's transaction ids run out */
    char warning[ARBITER_TEXT_MAX];
    char reported[ARBITER_TEXT_MAX]; /* the last warning that was */
    bool pooled;
    enum link doubted; /* reported: nobody knows who answers */
    bool unprotected_reported;
    char replicated[REPLICATED_TEXT_MAX];
    bool written;       /* by the statement that was just answered: nobody has the table locked */
    bool primary;       /* one was connected to, or was only too busy, since the last round ended */
    size_t holder_host; /* where it was asked for last */
    bool unanswered;    /* a statement was not, in time, since who has the table locked was asked
                           for last */
    struct holder holder; /* who has, as was reported */
    usec_t holder_at;     /* when it was asked for last */
    usec_t holder_pause;  /* between two questions */
    usec_t limit;         /* of the user's last statement */
};

/* One round trip after the login. A pooler hands out a process id of its own; through one, a
 * setting of the session would be set for strangers. */
static const char probe_statement[] =
    "select b.pid, pg_catalog.pg_is_in_recovery(),"
    " pg_catalog.current_setting('transaction_read_only'),"
    " coalesce((select case when pg_catalog.has_schema_privilege(n.oid, 'usage')"
    "  and pg_catalog.has_function_privilege(p.oid, 'execute') then 'ready' else 'denied' end"
    "  from pg_catalog.pg_namespace n join pg_catalog.pg_proc p on p.pronamespace = n.oid"
    "  where n.nspname = 'tenure' and p.proname = 'tick_2' limit 1), 'missing'),"
    " case when b.pid = $1::integer then"
    "  pg_catalog.set_config('default_transaction_isolation', 'read committed', false) end,"
    /* Requests that were given up go on in the server: while it waits for a standby, say, each one
     * keeps its connection. Without a limit they would use up all there are. */
    " (select pg_catalog.count(*) from pg_catalog.pg_stat_activity as a"
    "  where a.usename = current_user and a.state = 'active' and a.pid <> b.pid"
    "  and a.query_start < pg_catalog.clock_timestamp() - interval '" CONNECTION_STUCK_AGE "'"
    "  and pg_catalog.strpos(a.query, 'tenure.tick_') > 0),"
    " case when pg_catalog.pg_is_in_recovery() then ''"
    "  when pg_catalog.current_setting('synchronous_standby_names') <> ''"
    "   then 'synchronous_standby_names is set'"
    "  when exists (select from pg_catalog.pg_stat_replication) then 'standbys are connected'"
    "  when pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8)"
    "   <> '00000001' then 'it has been promoted or restored'"
    "  else '' end,"
    " " HOLDER_COLUMNS " from (select pg_catalog.pg_backend_pid() as pid) as b"
    " left join lateral (" HOLDER_QUERY ") as h on true";

enum probe_column {
    PROBE_PID,
    PROBE_RECOVERY,
    PROBE_READ_ONLY,
    PROBE_SCHEMA,
    PROBE_ISOLATION,
    PROBE_STUCK,
    PROBE_REPLICATED,
    PROBE_HOLDER,
    PROBE_COLUMNS = PROBE_HOLDER + HOLDER_N_COLUMNS,
};

/* ---- timer ---- */

static void timer_set(struct connection *c, usec_t span)
{
    /* From now, not from when the loop woke up. */
    (void)sd_event_source_set_time(c->timer, usec_add(clock_boottime(), span));
    (void)sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void timer_stop(struct connection *c)
{
    (void)sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
}

/* Between half and the whole of it, so that a fleet does not come back at one moment. */
static usec_t jittered(usec_t span)
{
    uint32_t random = 0;

    /* Without a random number all come together: no harm but load. */
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = 0;
    return span / 2 + span / 2 * random / UINT32_MAX;
}

/* ---- down ---- */

static void close_link(struct connection *c)
{
    timer_stop(c);
    (void)sd_event_source_set_enabled(c->broken, SD_EVENT_OFF);
    resolver_abandon(c->resolver);
    PQclear(c->result);
    c->result = NULL;
    c->results = 0;
    /* First the source: libpq closes the descriptor, and its number may be another's at once. */
    c->io = sd_event_source_disable_unref(c->io);
    PQfinish(c->pg);
    c->pg = NULL;
    c->state = STATE_WAITING;
}

static void call_down(struct connection *c, const char *text)
{
    c->up = false;
    c->callbacks++;
    c->handler->down(c->userdata, text);
    c->callbacks--;
}

static void tell_holder(struct connection *c)
{
    c->callbacks++;
    c->handler->locked(c->userdata, holder_text(&c->holder));
    c->callbacks--;
}

/* Of a server that cannot be reached it is not known who has anything locked there. It is asked for
 * again with the next connection. */
static void forget_holder(struct connection *c)
{
    if (!holder_text(&c->holder))
        return;
    holder_forget(&c->holder);
    c->unanswered = true;
    tell_holder(c);
}

static const char *current_address(const struct connection *c)
{
    const struct conninfo_host *h = &c->conninfo->hosts[c->host];

    return h->by_name && c->address < h->n_addresses ? h->addresses[c->address] : NULL;
}

static void note_failure(struct connection *c, const char *reason)
{
    size_t used = strlen(c->round);
    char text[WHERE_MAX + ARBITER_TEXT_MAX]; /* cut where all of the round is, if at all */

    /* libpq's own texts begin with whom it tried. */
    if (strncmp(reason, "connection to server", strlen("connection to server")) == 0)
        (void)snprintf(text, sizeof text, "%s", reason);
    else
        (void)snprintf(text, sizeof text, "%s: %s", c->where, reason);
    if (strstr(c->round, text))
        return;
    (void)snprintf(c->round + used, sizeof c->round - used, "%s%s", used > 0 ? "; " : "", text);
}

/* The round is over: every address of every host was tried. */
static void end_round(struct connection *c)
{
    char text[sizeof c->round];

    memcpy(text, c->round, sizeof text);
    c->round[0] = '\0';
    c->tried = 0;
    c->primary = false;
    timer_set(c, jittered(c->backoff));
    c->backoff = usec_min(c->backoff * 2, CONNECTION_BACKOFF_MAX_USEC);
    call_down(c, text);
}

static void next_host(struct connection *c)
{
    c->host = (c->host + 1) % c->conninfo->n_hosts;
    c->address = 0;
}

/* This attempt failed; the next one begins from the loop. */
static void attempt_failed(struct connection *c, const char *reason)
{
    const struct conninfo_host *h = &c->conninfo->hosts[c->host];

    note_failure(c, reason);
    close_link(c);
    c->address++;
    if (h->by_name && c->address < h->n_addresses) {
        timer_set(c, 0);
        return;
    }
    if (c->host == c->holder_host && !c->primary)
        forget_holder(c);
    next_host(c);
    if (++c->tried < c->conninfo->n_hosts)
        timer_set(c, 0);
    else
        end_round(c);
}

static void fail(struct connection *c, const char *reason)
{
    char text[ARBITER_TEXT_MAX];

    (void)one_line(reason, text, sizeof text);
    if (c->up) {
        /* Whatever it was, another host may do better; if not, this one is asked again soon. */
        note_failure(c, text);
        close_link(c);
        next_host(c);
        end_round(c);
        /* A lock shows by answers that do not come in time: then it is still there. */
        if (!c->unanswered)
            forget_holder(c);
    } else
        attempt_failed(c, text);
}

static void fail_errno(struct connection *c, const char *what, int error)
{
    char text[ARBITER_TEXT_MAX], buffer[128];

    (void)snprintf(text, sizeof text, "%s: %s", what, strerror_r(-error, buffer, sizeof buffer));
    fail(c, text);
}

static bool is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

/* Adds what to do, where that is known; once for all hosts of a round. */
static void advise(struct connection *c, char text[static ARBITER_TEXT_MAX])
{
    char of_password[ARBITER_TEXT_MAX];
    const char *advice = c->pg && PQconnectionNeedsPassword(c->pg)
                             ? advice_on_password(c->conninfo, of_password, sizeof of_password)
                             : advice_on(text);
    size_t used = strlen(text);

    if (advice && !strstr(c->round, advice))
        (void)snprintf(text + used, ARBITER_TEXT_MAX - used, ": %s", advice);
}

/* What a login failed of. A server that has no connection free answers, and may have none because
 * so many requests wait for the table: what is known of that stays. */
static void explain_login(struct connection *c, char text[static ARBITER_TEXT_MAX])
{
    char sqlstate[PG_SQLSTATE_MAX];

    (void)pg_login_error(PQerrorMessage(c->pg), sqlstate, text, ARBITER_TEXT_MAX);
    if (c->host == c->holder_host &&
        (strcmp(sqlstate, "53300") == 0 || strcmp(sqlstate, "57P03") == 0))
        c->primary = true;
    advise(c, text);
}

/* libpq says it broke. What the server said before tells more. */
static void fail_broken(struct connection *c)
{
    char text[ARBITER_TEXT_MAX];

    if (c->result && is_error(c->result))
        (void)pg_error_text(c->result, text, sizeof text);
    else if (*c->parting)
        (void)snprintf(text, sizeof text, "%s", c->parting);
    else if (c->state == STATE_CONNECTING)
        explain_login(c, text);
    else
        (void)one_line(PQerrorMessage(c->pg), text, sizeof text);
    fail(c, *text ? text : "the connection broke");
}

void connection_drop(struct connection *c, const char *reason)
{
    assert(c);
    assert(c->up);
    fail(c, reason);
}

/* ---- notices ---- */

/* Called by libpq from the middle of its parsing: only takes a note. */
static void on_notice(void *userdata, const PGresult *notice)
{
    struct connection *c = userdata;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (!notice_counts(notice))
        return;
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) {
        (void)pg_error_text(notice, c->parting, sizeof c->parting);
        return;
    }
    if (notice_is_wraparound(notice)) {
        /* It comes with every transaction, and with another number each time. */
        if (c->aged)
            return;
        c->aged = true;
    } else
        c->warned = true;
    if (!*c->warning)
        (void)pg_error_text(notice, c->warning, sizeof c->warning);
}

static void tell(struct connection *c, const char *text)
{
    c->callbacks++;
    c->handler->noticed(c->userdata, text);
    c->callbacks--;
}

/* Once, not with every tick. */
static void tell_warning(struct connection *c)
{
    char text[ARBITER_TEXT_MAX];

    if (!*c->warning)
        return;
    if (strcmp(c->warning, c->reported) != 0) {
        memcpy(c->reported, c->warning, sizeof c->reported);
        (void)snprintf(text, sizeof text, "%s warns: %.*s", c->where,
                       (int)(sizeof text - sizeof c->where - 16), c->warning);
        tell(c, text);
    }
    c->warning[0] = '\0';
}

/* ---- statements ---- */

static int watch(struct connection *c, uint32_t events);

static bool flush(struct connection *c)
{
    int left = PQflush(c->pg);

    return left >= 0 && watch(c, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) >= 0;
}

static bool send_statement(struct connection *c, const char *statement, int n,
                           const char *const *parameters)
{
    assert(!c->result);

    c->results = 0;
    c->warned = false;
    /* No named statement: a pooler may run the next one on another server connection. */
    return PQsendQueryParams(c->pg, statement, n, NULL, parameters, NULL, NULL, 0) == 1 && flush(c);
}

/* Once, not with every connection: in the status it stays. */
static void tell_doubts(struct connection *c, enum link link, bool unprotected)
{
    char text[ARBITER_TEXT_MAX];

    if (!link_is_sure(link) && c->doubted != link) {
        (void)snprintf(text, sizeof text, "%s: %s", c->where, link_explain(link));
        tell(c, text);
    }
    c->doubted = link;
    if (unprotected && !c->unprotected_reported && c->conninfo->password == PASSWORD_AS_BEFORE)
        tell(c,
             "an earlier version has applied this arbiter, or a start with nothing applied, so the "
             "agent goes on with it as it is: the password goes in clear text to any server that "
             "answers and asks for it so; "
             "tenurectl check says what to write, tenurectl apply applies it");
    c->unprotected_reported = unprotected;
}

static void become_up(struct connection *c)
{
    char text[ARBITER_TEXT_MAX];
    int version = PQserverVersion(c->pg);
    enum link link = link_of(c->pg);
    bool unprotected =
        conninfo_unprotected(c->conninfo, &c->conninfo->hosts[c->host], current_address(c));
    const char *word = link == LINK_LOCAL && PQsslInUse(c->pg) ? "TLS" : link_word(link);

    timer_stop(c);
    c->state = STATE_IDLE;
    c->up = true;
    c->tried = 0;
    c->round[0] = '\0';
    c->reported[0] = '\0';
    (void)snprintf(text, sizeof text, "PostgreSQL %d.%d at %s%s%s%s%s", version / 10000,
                   version % 10000, c->where, *word ? ", " : "", word,
                   unprotected ? ", the password unprotected" : "",
                   c->pooled ? ", through a pooler: changes are polled for, not notified" : "");
    c->callbacks++;
    c->handler->up(c->userdata, text);
    c->callbacks--;
    tell_doubts(c, link, unprotected);
}

static bool is(const PGresult *result, enum probe_column column, const char *value)
{
    return strcmp(PQgetvalue(result, 0, (int)column), value) == 0;
}

/* What speaks against working with this server as it is; NULL: nothing. */
static const char *objection(const PGresult *result)
{
    if (is(result, PROBE_RECOVERY, "t"))
        return "connected to a standby, which takes no writes";
    if (is(result, PROBE_READ_ONLY, "on"))
        return "the server is read-only (default_transaction_read_only)";
    if (is(result, PROBE_SCHEMA, "missing"))
        return "the schema is missing or older: run \"tenurectl schema | psql\" in this database "
               "as its owner";
    if (is(result, PROBE_SCHEMA, "denied"))
        return "permission denied for schema tenure or a function in it: log in as the role "
               "tenure, or run "
               "\"tenurectl schema | psql\" in this database as its owner";
    return NULL;
}

static bool many_are_stuck(const PGresult *result)
{
    uint64_t stuck;

    return parse_u64(PQgetvalue(result, 0, PROBE_STUCK), &stuck) < 0 ||
           stuck >= CONNECTION_STUCK_MAX;
}

static void take_holder(struct connection *c, const PGresult *result, int column)
{
    holder_take(&c->holder, result, column);
    c->holder_host = c->host;
    c->holder_at = clock_boottime();
    c->unanswered = false;
    tell_holder(c);
}

/* Of a primary. A lock for which nothing was waited is no news: an apply of the schema has it for a
 * moment. An agent that was just started finds the requests of others stuck. */
static const char *judge_primary(struct connection *c, const PGresult *result)
{
    bool stuck = many_are_stuck(result);

    c->primary = true;
    if (c->unanswered || stuck || holder_text(&c->holder))
        take_holder(c, result, PROBE_HOLDER);
    if (!stuck)
        return NULL;
    return holder_text(&c->holder)
               ? holder_text(&c->holder)
               : "many earlier requests are stuck in the server and would be joined by more: do "
                 "its writes wait for a synchronous standby, or is tenure.lease locked?";
}

static void on_probed(struct connection *c, const PGresult *result)
{
    const char *reason;
    uint64_t pid;

    if (PQntuples(result) != 1 || PQnfields(result) != PROBE_COLUMNS ||
        parse_u64(PQgetvalue(result, 0, PROBE_PID), &pid) < 0) {
        fail(c, "this is no PostgreSQL: its answer makes no sense");
        return;
    }
    reason = objection(result);
    if (!reason)
        reason = judge_primary(c, result);
    if (reason) {
        fail(c, reason);
        return;
    }
    (void)snprintf(c->replicated, sizeof c->replicated, "%s",
                   PQgetvalue(result, 0, PROBE_REPLICATED));
    /* LISTEN through a pooler delivers nothing, and would stay behind for others. */
    c->pooled = pid != (uint64_t)PQbackendPID(c->pg);
    if (c->pooled) {
        become_up(c);
        return;
    }
    c->state = STATE_LISTENING;
    if (!send_statement(c, "listen tenure", 0, NULL))
        fail_broken(c);
}

static void on_listening(struct connection *c, const PGresult *result)
{
    bool refused = PQresultStatus(result) != PGRES_COMMAND_OK;
    char reason[ARBITER_TEXT_MAX], text[ARBITER_TEXT_MAX];

    (void)pg_error_text(result, reason, sizeof reason);
    become_up(c);
    if (refused) {
        (void)snprintf(text, sizeof text, "changes are polled for, not notified: LISTEN: %.400s",
                       reason);
        tell(c, text);
    }
}

/* Also where this host writes nothing, it shall show that a lock is gone. */
static void ask_holder(struct connection *c)
{
    if (c->state != STATE_IDLE || !holder_text(&c->holder) ||
        usec_sub(clock_boottime(), c->holder_at) < c->holder_pause)
        return;
    c->state = STATE_ASKING;
    timer_set(c, usec_min(CONNECTION_HOLDER_USEC, c->limit / CONNECTION_HOLDER_PART));
    if (!send_statement(c, holder_statement, 0, NULL))
        (void)sd_event_source_set_enabled(c->broken, SD_EVENT_ONESHOT);
}

/* Without an answer it stays as it was; the user is idle again in any case. */
static void on_holder(struct connection *c, const PGresult *result)
{
    timer_stop(c);
    c->state = STATE_IDLE;
    c->holder_pause = CONNECTION_HOLDER_USEC;
    if (!is_error(result) && PQntuples(result) == 1 && PQnfields(result) == HOLDER_N_COLUMNS) {
        take_holder(c, result, 0);
        return;
    }
    c->holder_at = clock_boottime();
    tell_holder(c);
}

static void on_user_answer(struct connection *c, const PGresult *result)
{
    timer_stop(c);
    c->state = STATE_IDLE;
    c->written = false;
    c->callbacks++;
    c->handler->answered(c->userdata, result, c->warned);
    c->callbacks--;
    if (c->written && holder_text(&c->holder)) {
        holder_forget(&c->holder);
        c->unanswered = false;
        tell_holder(c);
    } else
        ask_holder(c);
}

/* The server itself gave up, by lock_timeout or statement_timeout: that is no answer in time. */
static bool gave_up(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate && (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "57014") == 0);
}

/* ReadyForQuery was read: what was to be committed is committed, or failed. */
static void statement_over(struct connection *c, PGresult *result)
{
    char text[ARBITER_TEXT_MAX];

    if (is_error(result) && c->state != STATE_LISTENING && c->state != STATE_ASKING) {
        c->unanswered = c->unanswered || (c->state == STATE_BUSY && gave_up(result));
        fail(c, pg_error_text(result, text, sizeof text));
        return;
    }
    if (c->results != 1 || PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
        fail(c, "the server answered one statement with several results");
        return;
    }
    switch (c->state) {
    case STATE_PROBING:
        on_probed(c, result);
        return;
    case STATE_LISTENING:
        on_listening(c, result);
        return;
    case STATE_BUSY:
        on_user_answer(c, result);
        return;
    case STATE_ASKING:
        on_holder(c, result);
        return;
    case STATE_WAITING:
    case STATE_RESOLVING:
    case STATE_CONNECTING:
    case STATE_IDLE:
        break;
    }
    fail(c, "the server answered without being asked");
}

/* Keeps the first result, or the first error after it. */
static void keep_result(struct connection *c, PGresult *result)
{
    c->results++;
    if (!c->result || (is_error(result) && !is_error(c->result))) {
        PQclear(c->result);
        c->result = result;
    } else
        PQclear(result);
}

static bool awaits_result(const struct connection *c)
{
    return c->state == STATE_PROBING || c->state == STATE_LISTENING || c->state == STATE_BUSY ||
           c->state == STATE_ASKING;
}

/* The result comes before the commit, which comes before ReadyForQuery: with a cancelled wait for a
 * standby there is a warning between them, with a crash an error, and with a wait nothing at all.
 * So nothing counts before libpq says there is no further result. */
static void collect(struct connection *c)
{
    while (awaits_result(c) && !PQisBusy(c->pg)) {
        PGresult *result = PQgetResult(c->pg);

        if (result) {
            ExecStatusType status = PQresultStatus(result);

            keep_result(c, result);
            if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
                fail(c, "this is no PostgreSQL: it began to copy");
                return;
            }
            continue;
        }
        if (!c->result || PQstatus(c->pg) == CONNECTION_BAD) { /* ended, but not by the server */
            fail_broken(c);
            return;
        }
        PGresult *over = TAKE_PTR(c->result);
        statement_over(c, over);
        PQclear(over);
        return; /* a next statement has no answer yet */
    }
}

static void take_hints(struct connection *c)
{
    unsigned n = 0;

    while (c->pg && c->up) {
        PGnotify *notify = PQnotifies(c->pg);

        if (!notify)
            return;
        if (++n <= CONNECTION_HINTS_MAX) {
            c->callbacks++;
            c->handler->notified(c->userdata, n < CONNECTION_HINTS_MAX ? notify->extra : NULL);
            c->callbacks--;
        }
        PQfreemem(notify);
    }
}

static void on_readable(struct connection *c)
{
    int reads = PQsslInUse(c->pg) ? TLS_READS_MAX : 1;

    do {
        if (PQconsumeInput(c->pg) == 0) {
            fail_broken(c);
            return;
        }
    } while (--reads > 0 && awaits_result(c) && PQisBusy(c->pg));
    if (awaits_result(c) && !flush(c)) {
        fail_broken(c);
        return;
    }
    PGconn *pg = c->pg;
    collect(c);
    if (c->pg == pg)
        take_hints(c);
    /* A server that closes an idle connection is noticed by the read alone. */
    if (c->pg == pg && c->state == STATE_IDLE && PQstatus(pg) == CONNECTION_BAD)
        fail_broken(c);
    tell_warning(c);
}

int connection_query(struct connection *c, const char *statement, int n,
                     const char *const *parameters, usec_t limit)
{
    assert(c);

    if (!c->up)
        return -ENOTCONN;
    if (c->state != STATE_IDLE)
        return -EBUSY;
    c->state = STATE_BUSY;
    c->limit = limit;
    timer_set(c, limit);
    /* Reported from the loop: the caller does not expect down() in the middle of asking. */
    if (!send_statement(c, statement, n, parameters))
        (void)sd_event_source_set_enabled(c->broken, SD_EVENT_ONESHOT);
    return 0;
}

static int on_broken(sd_event_source *source, void *userdata)
{
    struct connection *c = userdata;

    (void)source;
    fail_broken(c);
    return 0;
}

/* ---- connecting ---- */

static void on_logged_in(struct connection *c)
{
    char pid[PID_MAX_CHARS];
    const char *parameters[] = {pid};
    char text[ARBITER_TEXT_MAX];

    if (PQserverVersion(c->pg) < CONNECTION_SERVER_VERSION_MIN) {
        (void)snprintf(text, sizeof text, "PostgreSQL %d.%d is too old: 14 is the least",
                       PQserverVersion(c->pg) / 10000, PQserverVersion(c->pg) / 100 % 100);
        fail(c, text);
        return;
    }
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    (void)snprintf(pid, sizeof pid, "%d", PQbackendPID(c->pg));
    c->state = STATE_PROBING;
    if (PQsetnonblocking(c->pg, 1) != 0 || watch(c, EPOLLIN) < 0 ||
        !send_statement(c, probe_statement, 1, parameters))
        fail_broken(c);
}

static void poll_connect(struct connection *c)
{
    int r = 0;

    /* libpq may close the socket and open another with the same number. */
    c->io = sd_event_source_disable_unref(c->io);
    switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING:
        r = watch(c, EPOLLIN);
        break;
    case PGRES_POLLING_WRITING:
        r = watch(c, EPOLLOUT);
        break;
    case PGRES_POLLING_OK:
        on_logged_in(c);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE: /* not in use any more */
        fail_broken(c);
        return;
    }
    if (r < 0)
        fail_errno(c, "cannot watch the socket", r);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct connection *c = userdata;

    (void)source;
    (void)fd;
    (void)events;
    if (c->state == STATE_CONNECTING)
        poll_connect(c);
    else
        on_readable(c);
    return 0;
}

static int watch(struct connection *c, uint32_t events)
{
    if (c->io)
        return sd_event_source_set_io_events(c->io, events);
    return sd_event_add_io(c->event, &c->io, PQsocket(c->pg), events, on_io, c);
}

static void start_connecting(struct connection *c)
{
    const struct conninfo_host *h = &c->conninfo->hosts[c->host];
    const char *address = current_address(c);

    (void)conninfo_where(h, address, c->where, sizeof c->where);
    c->parting[0] = '\0';
    c->warning[0] = '\0';
    c->aged = false;
    c->state = STATE_CONNECTING;
    timer_set(c, usec_min(c->conninfo->connect_limit, CONNECTION_CONNECT_LIMIT_USEC));
    c->pg = conninfo_start(c->conninfo, h, address);
    if (!c->pg) {
        fail(c, "out of memory");
        return;
    }
    (void)PQsetNoticeReceiver(c->pg, on_notice, c);
    /* For the SQLSTATE, which libpq gives in no other way before the login. */
    (void)PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        fail_broken(c);
        return;
    }
    /* As if PQconnectPoll() had answered PGRES_POLLING_WRITING. */
    int r = watch(c, EPOLLOUT);
    if (r < 0)
        fail_errno(c, "cannot watch the socket", r);
}

/* No answer from the resolver: what it said before is better than nothing. */
static void without_answer(struct connection *c, const char *reason)
{
    const struct conninfo_host *h = &c->conninfo->hosts[c->host];
    char text[ARBITER_TEXT_MAX];

    if (h->n_addresses > 0) {
        start_connecting(c);
        return;
    }
    (void)snprintf(text, sizeof text, "the name cannot be resolved: %.300s", reason);
    fail(c, text);
}

static void on_resolved(void *userdata, char addresses[][CONNINFO_ADDRESS_MAX], size_t n,
                        const char *text)
{
    struct connection *c = userdata;
    struct conninfo_host *h = &c->conninfo->hosts[c->host];

    assert(c->state == STATE_RESOLVING);
    if (n == 0) {
        without_answer(c, text);
        return;
    }
    assert(n <= CONNINFO_ADDRESSES_MAX);
    memcpy(h->addresses, addresses, n * sizeof h->addresses[0]);
    h->n_addresses = n;
    start_connecting(c);
}

static void attempt(struct connection *c)
{
    const struct conninfo_host *h = &c->conninfo->hosts[c->host];

    if (!h->by_name || c->address > 0) {
        start_connecting(c);
        return;
    }
    (void)conninfo_where(h, NULL, c->where, sizeof c->where);
    c->state = STATE_RESOLVING;
    timer_set(c, CONNECTION_RESOLVE_LIMIT_USEC);
    int r = resolver_ask(c->resolver, h->name);
    if (r == -EBUSY)
        without_answer(c, "the resolver still hangs on another name");
    else if (r == -EAGAIN)
        without_answer(c, "the resolver hangs, or the system gives no thread");
    else if (r < 0)
        without_answer(c, "out of memory");
}

static int on_timer(sd_event_source *source, uint64_t at, void *userdata)
{
    struct connection *c = userdata;

    (void)source;
    (void)at;
    switch (c->state) {
    case STATE_WAITING:
        attempt(c);
        break;
    case STATE_RESOLVING:
        resolver_abandon(c->resolver);
        without_answer(c, "no answer from the resolver in time");
        break;
    case STATE_CONNECTING:
        fail(c, "no connection in time: is the host up, and no firewall in between?");
        break;
    case STATE_PROBING:
    case STATE_LISTENING:
        fail(c, "connected, but the server does not answer in time");
        break;
    case STATE_ASKING: /* costs a connection that may be good for ticks, which have more time */
        c->holder_pause =
            usec_min(c->holder_pause * CONNECTION_HOLDER_GROWTH, CONNECTION_HOLDER_MAX_USEC);
        c->unanswered = true;
        fail(c, "no answer in time to who has the table tenure.lease locked");
        break;
    case STATE_BUSY:
        c->unanswered = true;
        fail(c, "no answer in time");
        break;
    case STATE_IDLE:
        break;
    }
    return 0;
}

/* ---- life ---- */

bool connection_up(const struct connection *c)
{
    return c->up;
}

bool connection_idle(const struct connection *c)
{
    return c->up && c->state == STATE_IDLE;
}

int connection_pid(const struct connection *c)
{
    assert(c->up);
    return PQbackendPID(c->pg);
}

bool connection_pooled(const struct connection *c)
{
    assert(c->up);
    return c->pooled;
}

const char *connection_replicated(const struct connection *c)
{
    return c->replicated;
}

void connection_proven(struct connection *c, bool written)
{
    c->backoff = CONNECTION_BACKOFF_MIN_USEC;
    c->written = written;
}

static int add_sources(struct connection *c)
{
    int r =
        sd_event_add_time(c->event, &c->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_USEC, on_timer, c);
    if (r < 0)
        return r;
    r = sd_event_add_defer(c->event, &c->broken, on_broken, c);
    if (r < 0)
        return r;
    return sd_event_source_set_enabled(c->broken, SD_EVENT_OFF);
}

static void cleanup_connection(struct connection **c)
{
    (void)connection_free(*c);
}

int connection_new(struct sd_event *event, const char *conninfo, enum arbiter_password password,
                   const struct connection_handler *handler, void *userdata,
                   struct connection **ret, char error[static ARBITER_TEXT_MAX])
{
    assert(event);
    assert(conninfo);
    assert(handler);
    assert(ret);

    _cleanup_(cleanup_connection) struct connection *c = calloc(1, sizeof *c);

    if (!c)
        return -ENOMEM;
    c->event = sd_event_ref(event);
    c->handler = handler;
    c->userdata = userdata;
    c->backoff = CONNECTION_BACKOFF_MIN_USEC;
    c->holder_pause = CONNECTION_HOLDER_USEC;
    int r = conninfo_new(conninfo, &c->conninfo, error);
    if (r < 0)
        return r;
    c->conninfo->password = password;
    r = resolver_new(event, on_resolved, c, &c->resolver);
    if (r < 0)
        return r;
    r = add_sources(c);
    if (r < 0)
        return r;
    timer_set(c, 0);
    *ret = TAKE_PTR(c);
    return 0;
}

struct connection *connection_free(struct connection *c)
{
    if (!c)
        return NULL;
    assert(c->callbacks == 0);
    if (c->timer)
        close_link(c);
    c->timer = sd_event_source_disable_unref(c->timer);
    c->broken = sd_event_source_disable_unref(c->broken);
    c->resolver = resolver_free(c->resolver);
    c->conninfo = conninfo_free(c->conninfo);
    (void)sd_event_unref(c->event);
    free(c);
    return NULL;
}
