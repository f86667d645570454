/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_HOLDER_H
#define TENURE_ARBITER_HOLDER_H

/* Who has the whole table of the leases locked, or waits for that: all that come later wait behind
 * it. It is for operators alone: no claim and no term depends on it. */

#include <libpq-fe.h>
#include <stdbool.h>

#include "arbiter/arbiter.h"

/* One row at most, to be joined as h. Of others' sessions the beginning of the transaction is shown
 * to the privileged only: then the first that waits says since when it has lasted at least. Of
 * those that wait the first counts, because the others wait behind it. A waiter that is ended
 * changes nothing where it waits for agents' own requests, which keep their locks until a standby
 * has confirmed the commit. What has no role is the server's own, as autovacuum is; a role that was
 * dropped leaves its number. A process that is over between the two readings is nobody. A name that
 * text_clean() changes is in no command: it would be another's. */
#define HOLDER_QUERY                                                                               \
    "select case when x.gid is not null"                                                           \
    "   then pg_catalog.format('the prepared transaction %L of role \"%s\"', x.gid, x.owner)"      \
    "   when a.usesysid is null then pg_catalog.format('process %s without a role', l.pid)"        \
    "   else pg_catalog.format('process %s of role \"%s\", application \"%s\",', l.pid,"           \
    "    coalesce(a.usename::text, a.usesysid::text), coalesce(a.application_name, '')) end"       \
    "  || case when l.granted then ' has' else ' waits for' end"                                   \
    "  || pg_catalog.format(' a lock (%s)', l.mode) as holder,"                                    \
    "  case when coalesce(a.xact_start, x.prepared) is null then 'at least ' else '' end"          \
    "  || pg_catalog.to_char(coalesce(a.xact_start, x.prepared,"                                   \
    "   (select pg_catalog.min(w.waitstart) from pg_catalog.pg_locks as w"                         \
    "    where w.database = l.database and w.relation = l.relation))"                              \
    "   at time zone 'UTC', '\"since \"YYYY-MM-DD HH24:MI:SS \"UTC\"') as since,"                  \
    "  case when exists (select from pg_catalog.pg_locks as k"                                     \
    "    join pg_catalog.pg_stat_activity as s on s.pid = k.pid"                                   \
    "    where not l.granted and k.granted and k.locktype = 'relation'"                            \
    "     and k.database = l.database and k.relation = l.relation"                                 \
    "     and k.mode = 'RowExclusiveLock' and s.usename = current_user"                            \
    "     and pg_catalog.strpos(s.query, 'tenure.tick_') > 0)"                                     \
    "   then '; it waits for requests of agents, which have not ended: do their writes wait for a" \
    " synchronous standby?'"                                                                       \
    "   when x.gid collate \"C\" ~ '[^ -~]|  |^ | $' then '; to end it, commit or roll back that"  \
    " prepared transaction, as its transaction manager decided, in the database as a superuser:"   \
    " pg_prepared_xacts has its name as it is'"                                                    \
    "   when x.gid is not null then pg_catalog.format("                                            \
    "    '; to end it, run \"rollback prepared %L\", or \"commit prepared\" with that name, as "   \
    "its"                                                                                          \
    " transaction manager decided, in the database as a superuser', x.gid)"                        \
    "   when a.usesysid is not null then pg_catalog.format("                                       \
    "    '; to end it, run \"select pg_terminate_backend(%s)\" in the database as a superuser',"   \
    "    l.pid) else '' end as remedy"                                                             \
    " from pg_catalog.pg_locks as l"                                                               \
    " join pg_catalog.pg_class as r on r.oid = l.relation and r.relname = 'lease'"                 \
    " join pg_catalog.pg_namespace as n on n.oid = r.relnamespace and n.nspname = 'tenure'"        \
    " join pg_catalog.pg_database as d on d.oid = l.database"                                      \
    "  and d.datname = pg_catalog.current_database()"                                              \
    " left join pg_catalog.pg_stat_activity as a on a.pid = l.pid"                                 \
    " left join pg_catalog.pg_locks as t on l.pid is null and t.pid is null"                       \
    "  and t.locktype = 'transactionid' and t.virtualtransaction = l.virtualtransaction"           \
    " left join pg_catalog.pg_prepared_xacts as x on x.transaction = t.transactionid"              \
    " where l.locktype = 'relation' and (a.pid is not null or x.gid is not null) and l.mode in"    \
    "  ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"             \
    " order by l.granted desc, l.waitstart nulls last, l.pid limit 1"

/* What is selected of h. */
#define HOLDER_COLUMNS "coalesce(h.holder, ''), coalesce(h.since, ''), coalesce(h.remedy, '')"
#define HOLDER_N_COLUMNS 3

struct holder {
    char who[ARBITER_TEXT_MAX];    /* "": nobody */
    bool dated;                    /* since when is known */
    char remedy[ARBITER_TEXT_MAX]; /* as it follows in a sentence; "": none is known */
    char text[ARBITER_TEXT_MAX];   /* all of it */
};

/* Asks for these columns alone. */
extern const char holder_statement[];

/* Takes what the columns from this one on say. The text of the same holder stays as it was: since
 * when it has the table is known best the first time that it is known, and other words would be
 * news. */
void holder_take(struct holder *h, const PGresult *result, int column);

/* Nobody, as far as is known. */
void holder_forget(struct holder *h);

/* NULL: nobody. */
const char *holder_text(const struct holder *h);

#endif
