/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/rehearsal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "arbiter/connection.h"
#include "arbiter/pg_error.h"
#include "arbiter/tick_codec.h"
#include "base/clock.h"
#include "base/text.h"

#define GROUP_PREFIX "tenurectl-check-"
#define OWNER "tenurectl-check/00000000000000000000000000000000"
/* Of the row that is rolled back: any will do. */
#define SPAN (15 * USEC_PER_SEC)

/* ---- one statement ---- */

/* What was sent is answered to its end. NULL: no answer in time, or no connection any more. */
static PGresult *answer(PGconn *pg, usec_t until)
{
    usec_t limit = usec_min(until, usec_add(clock_boottime(), ATTEMPT_ANSWER_LIMIT_USEC));
    PGresult *result = NULL, *more;

    do {
        while (PQisBusy(pg)) {
            struct pollfd p = {.fd = PQsocket(pg), .events = POLLIN};
            usec_t now = clock_boottime();

            if (now >= limit || poll(&p, 1, (int)((limit - now) / USEC_PER_MSEC) + 1) <= 0 ||
                PQconsumeInput(pg) != 1) {
                PQclear(result);
                return NULL;
            }
        }
        more = PQgetResult(pg);
        if (more) {
            PQclear(result);
            result = more;
        }
    } while (more);
    return result;
}

static PGresult *ask(PGconn *pg, const char *statement, int n, const char *const *parameters,
                     usec_t until)
{
    return PQsendQueryParams(pg, statement, n, NULL, parameters, NULL, NULL, 0) == 1
               ? answer(pg, until)
               : NULL;
}

static bool succeeded(const PGresult *r)
{
    return PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK;
}

static void say(char reterr_text[static ARBITER_TEXT_MAX], const PGresult *r)
{
    if (r)
        (void)pg_error_text(r, reterr_text, ARBITER_TEXT_MAX);
    else
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "logged in, but the server does not answer in time");
}

/* ---- what is there ---- */

static const char server_statement[] =
    "select case when pg_catalog.pg_is_in_recovery() then 'a standby, which takes no writes'"
    "  when pg_catalog.current_setting('transaction_read_only') = 'on'"
    "   then 'the server is read-only (default_transaction_read_only)' else '' end,"
    " pg_catalog.btrim(pg_catalog.current_setting('synchronous_standby_names')) <> '',"
    " exists (select from pg_catalog.pg_stat_replication)," /* of others it shows that alone */
    " coalesce((select pg_catalog.row_security_active(c.oid) from pg_catalog.pg_class c"
    "  join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    "  where n.nspname = 'tenure' and c.relname = 'lease'), false),"
    " exists (select from pg_catalog.pg_namespace where nspname = 'tenure')";

/* What the agent calls, itself or from within the first. */
#define FUNCTIONS                                                                                  \
    "'tick_2', 'lock_key', 'locks_1', 'bound_session_1', 'lock_1', 'holder_1', 'lock_holder_1',"   \
    " 'holders_1', 'end_session_1'"

static const char functions_statement[] =
    "select pg_catalog.string_agg('tenure.' || w.name, ', ')"
    " from pg_catalog.unnest(array[" FUNCTIONS "]) as w (name)"
    " where not exists (select from pg_catalog.pg_proc p"
    "  join pg_catalog.pg_namespace n on n.oid = p.pronamespace"
    "  where n.nspname = 'tenure' and p.proname = w.name)";

/* By catalog, not by name: without USAGE on the schema names in it cannot be looked up. */
static const char grants_statement[] =
    "select g.what from"
    " (select 1, 'usage on schema tenure' from pg_catalog.pg_namespace n"
    "   where n.nspname = 'tenure' and not pg_catalog.has_schema_privilege(n.oid, 'usage')"
    "  union all"
    "  select 2, p.privilege || ' on table tenure.lease'"
    "   from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    "   cross join (values ('select'), ('insert'), ('update')) as p (privilege)"
    "   where n.nspname = 'tenure' and c.relname = 'lease'"
    "    and not pg_catalog.has_table_privilege(c.oid, p.privilege)"
    "  union all"
    "  select 3, 'execute on function tenure.' || p.proname"
    "   from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace"
    "   where n.nspname = 'tenure' and p.proname in (" FUNCTIONS ")"
    "    and not pg_catalog.has_function_privilege(p.oid, 'execute')) as g (rank, what)"
    " order by g.rank, g.what";

static const char no_schema_text[] =
    "the schema is missing or older: run \"tenurectl schema | psql\" in this database as its "
    "owner";

static bool is_true(const PGresult *r, int column)
{
    return strcmp(PQgetvalue(r, 0, column), "t") == 0;
}

/* Returns false when there is no answer. */
static bool check_server(PGconn *pg, usec_t until, struct attempt *ret)
{
    PGresult *r = ask(pg, server_statement, 0, NULL, until);
    bool answered = r && succeeded(r) && PQntuples(r) == 1 && PQnfields(r) == 5;

    if (answered) {
        (void)text_clean(PQgetvalue(r, 0, 0), ret->unwilling, sizeof ret->unwilling);
        ret->writes = !ret->unwilling[0];
        ret->synchronous = is_true(r, 1);
        ret->alone = ret->synchronous && !is_true(r, 2);
        ret->row_security = is_true(r, 3);
        if (!is_true(r, 4))
            (void)snprintf(ret->schema, sizeof ret->schema, "%s", no_schema_text);
    } else
        say(ret->text, r);
    PQclear(r);
    return answered;
}

/* A schema that is older may have the statement's function, and lack what that would call. */
static bool check_functions(PGconn *pg, usec_t until, struct attempt *ret)
{
    PGresult *r = ask(pg, functions_statement, 0, NULL, until);
    bool answered = r && succeeded(r) && PQntuples(r) == 1 && PQnfields(r) == 1;
    char missing[ARBITER_TEXT_MAX];

    if (!answered)
        say(ret->text, r);
    else if (!PQgetisnull(r, 0, 0))
        (void)snprintf(ret->schema, sizeof ret->schema, "%s (there is no function %.*s)",
                       no_schema_text, ARBITER_TEXT_MAX / 2,
                       text_clean(PQgetvalue(r, 0, 0), missing, sizeof missing));
    PQclear(r);
    return answered;
}

static bool check_grants(PGconn *pg, usec_t until, struct attempt *ret)
{
    PGresult *r = ask(pg, grants_statement, 0, NULL, until);
    bool answered = r && succeeded(r);
    size_t used = 0;

    if (!answered)
        say(ret->text, r);
    for (int i = 0; answered && i < PQntuples(r) && used < sizeof ret->grants; i++) {
        char what[ATTEMPT_GRANTS_MAX];

        used += (size_t)snprintf(ret->grants + used, sizeof ret->grants - used, "%s%s",
                                 i == 0 ? "" : "; ",
                                 text_clean(PQgetvalue(r, i, 0), what, sizeof what));
    }
    PQclear(r);
    return answered;
}

/* ---- the rehearsal ---- */

/* The answer to one request, in ret. Returns 0, or negative errno with the reason in reterr_text.
 */
static int do_one(PGconn *pg, const struct request *q, usec_t until, struct reply *ret,
                  char reterr_text[static ARBITER_TEXT_MAX])
{
    usec_t waited = 0;
    const struct tick_extra extra = {.waited = &waited, .drop = (char[]){"{}"}};
    struct tick_parameters p = {0};
    struct tick_facts facts;
    PGresult *r = NULL;
    bool held;
    int e = tick_encode(OWNER, false, PQbackendPID(pg), &extra, q, 1, &p);

    if (e < 0)
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX, "out of memory");
    else {
        r = ask(pg, tick_statement, TICK_PARAMETERS, (const char *const *)p.values, until);
        if (r && succeeded(r))
            e = tick_decode(r, OWNER, q, 1, ret, &held, &facts, reterr_text);
        else {
            say(reterr_text, r);
            e = -EIO;
        }
    }
    if (e >= 0 && ret->outcome != OUTCOME_GRANTED) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "a group that nobody leads was refused: is there a trigger, rule or policy "
                       "on tenure.lease?");
        e = -EPERM;
    }
    PQclear(r);
    tick_parameters_free(&p);
    return e;
}

static struct nonce fresh_nonce(void)
{
    struct nonce n = {.bytes = {1}};

    /* Without a random one this does, in a transaction of its own. */
    (void)getrandom(n.bytes, sizeof n.bytes, GRND_NONBLOCK);
    return n;
}

/* Returns as do_one(). */
static int lead_a_group(PGconn *pg, usec_t until, struct epoch *ret,
                        char reterr_text[static ARBITER_TEXT_MAX])
{
    const struct nonce name = fresh_nonce();
    char group[GROUP_NAME_MAX + 1] = GROUP_PREFIX;
    struct reply seen;

    for (size_t i = 0; i < sizeof name.bytes; i++)
        (void)snprintf(group + strlen(group), sizeof group - strlen(group), "%02x", name.bytes[i]);
    struct request q = {.operation = OPERATION_OBSERVE,
                        .group = group,
                        .method = METHOD_LEASE,
                        .lease = SPAN,
                        .stop = SPAN,
                        .duration = SPAN};
    int e = do_one(pg, &q, until, &seen, reterr_text);
    if (e < 0)
        return e;
    *ret = seen.epoch;
    q.operation = OPERATION_CLAIM;
    q.expected_term = seen.record.term;
    q.expected_nonce = seen.record.nonce;
    q.epoch = seen.epoch;
    q.fresh_nonce = fresh_nonce();
    e = do_one(pg, &q, until, &seen, reterr_text);
    if (e < 0)
        return e;
    q.operation = OPERATION_RENEW;
    q.term = seen.record.term;
    q.known[0] = seen.record.nonce;
    q.n_known = 1;
    q.fresh_nonce = fresh_nonce();
    e = do_one(pg, &q, until, &seen, reterr_text);
    if (e < 0)
        return e;
    q.operation = OPERATION_RELEASE;
    q.known[0] = seen.record.nonce;
    return do_one(pg, &q, until, &seen, reterr_text);
}

/* Returns as do_one(). */
static int command(PGconn *pg, const char *statement, usec_t until,
                   char reterr_text[static ARBITER_TEXT_MAX])
{
    PGresult *r = ask(pg, statement, 0, NULL, until);
    int e = r && succeeded(r) ? 0 : -EIO;

    if (e < 0)
        say(reterr_text, r);
    PQclear(r);
    return e;
}

/* Is the schema this version's? The server knows, by the statement itself. Returns false when there
 * is no answer. */
static bool check_schema(PGconn *pg, usec_t until, struct attempt *ret)
{
    PGresult *r = PQsendPrepare(pg, "", tick_statement, TICK_PARAMETERS, NULL) == 1
                      ? answer(pg, until)
                      : NULL;

    if (r && !succeeded(r))
        say(ret->schema, r);
    else if (!r)
        say(ret->text, r);
    PQclear(r);
    return r != NULL;
}

/* Whatever becomes of this process, no transaction of it stays. */
static void try_all(PGconn *pg, usec_t until, struct attempt *ret)
{
    char undone[ARBITER_TEXT_MAX];

    if (command(pg, "begin isolation level read committed", until, ret->trial) >= 0 &&
        command(pg, "set local idle_in_transaction_session_timeout = '5s'", until, ret->trial) >=
            0 &&
        command(pg, "set local lock_timeout = '1s'", until, ret->trial) >= 0)
        (void)lead_a_group(pg, until, &ret->epoch, ret->trial);
    (void)command(pg, "rollback", until, undone); /* the end of the session does it as well */
}

void rehearse(PGconn *pg, usec_t until, struct attempt *ret)
{
    assert(pg);
    assert(ret);

    if (PQserverVersion(pg) < CONNECTION_SERVER_VERSION_MIN) {
        (void)snprintf(ret->text, sizeof ret->text, "PostgreSQL %d.%d is too old: 14 is the least",
                       PQserverVersion(pg) / 10000, PQserverVersion(pg) / 100 % 100);
        return;
    }
    bool answered = check_server(pg, until, ret);

    if (answered && ret->writes && !ret->schema[0])
        answered = check_functions(pg, until, ret);
    if (answered && ret->writes && !ret->schema[0])
        answered = check_grants(pg, until, ret);
    /* Of what it may not use the server would say that alone. */
    if (answered && ret->writes && !ret->schema[0] && !strstr(ret->grants, "usage on schema"))
        answered = check_schema(pg, until, ret);
    if (answered && ret->writes && !ret->schema[0] && !ret->grants[0])
        try_all(pg, until, ret);
    if (answered)
        ret->stage = ATTEMPT_OVER;
}
