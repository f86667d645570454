-- SPDX-License-Identifier: Apache-2.0
--
-- What tenure needs in its database. Run it as the database's owner (who may create roles) or as a
-- superuser:   tenurectl schema | psql -d DATABASE
--
-- It may be run again at any time, also while groups are led, and then changes nothing; it never
-- drops or empties anything. All of it is one transaction, which takes no lock that a renewal or a
-- claim would wait for unless there is something to change, and then waits at most for 2 s: "lock
-- timeout" means that nothing is done, and that it may be run again. PostgreSQL 14 and later.
--
-- Versions: what an agent calls is tenure.tick_N, and another N speaks another protocol. An agent
-- whose function is missing says that the schema is missing or older, and leads nothing; so run this
-- before the first agent of a new version starts. Agents of an older version go on by the function
-- that an earlier run of this left here, beside newer ones on other hosts, for the table is the same.
-- tick_1 (renewals keyed by term and owner alone) may be dropped when no such agent is left.
--
-- The role "tenure" is what the agents log in as. It is created without a password when it is
-- missing, so nobody can log in by password until you set one (\password tenure) or pg_hba.conf
-- says otherwise (cert, peer, ...). It may read, insert and update the one table, and call the
-- functions below; it may not delete, and it owns nothing.
--
-- If this server fails over: only synchronous replication to every standby that may be promoted
-- (synchronous_standby_names), or fencing of the old primary, keeps the promise of one leader
-- through a failover. tenure always commits with synchronous_commit = on.

begin;

set local client_min_messages = warning;    -- no "already exists, skipping"
-- While this waits for a lock on a table, all that come later wait behind it.
set local lock_timeout = '2s';
set local check_function_bodies = on;
set local default_table_access_method = heap;

do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'tenure') then
        create role tenure login;
    end if;
end
$$;

-- Who owns an object in here may make it something else at any time, and what the agents then call
-- runs with their rights. What is there must be of a role that could do as it likes anyway.
do $$
declare
    v_found text;
begin
    select pg_catalog.string_agg(o.what, ', ' order by o.what) into v_found
    from (
        select 'the schema tenure', n.nspowner
        from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) 'tenure'
        union all
        select case when c.relkind operator(pg_catalog.=) 'S' then 'the sequence '
                    when c.relkind operator(pg_catalog.=) 'v' then 'the view '
                    else 'the table ' end
               operator(pg_catalog.||) c.oid::pg_catalog.regclass::text, c.relowner
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n
             on n.oid operator(pg_catalog.=) c.relnamespace
        where n.nspname operator(pg_catalog.=) 'tenure'
              and c.relkind operator(pg_catalog.=) any ('{r,v,m,p,f,S}')
        union all
        select 'the function ' operator(pg_catalog.||) p.oid::pg_catalog.regprocedure::text, p.proowner
        from pg_catalog.pg_proc p join pg_catalog.pg_namespace n
             on n.oid operator(pg_catalog.=) p.pronamespace
        where n.nspname operator(pg_catalog.=) 'tenure') as x(what, owner)
        cross join lateral (select pg_catalog.format('%s (of role "%s")', x.what,
                                                     pg_catalog.pg_get_userbyid(x.owner)) as what) o
    where not exists (
        select from pg_catalog.pg_roles r
        where r.oid operator(pg_catalog.=) x.owner
              and (r.rolsuper or r.rolname operator(pg_catalog.=) current_user
                   or r.oid operator(pg_catalog.=) (select d.datdba from pg_catalog.pg_database d
                                                    where d.datname operator(pg_catalog.=) current_database())
                   or r.rolname operator(pg_catalog.=) 'pg_database_owner'
                   -- A superuser is a member of all roles.
                   or (pg_catalog.pg_has_role(r.oid, 'member')
                       and not (select me.rolsuper from pg_catalog.pg_roles me
                                where me.rolname operator(pg_catalog.=) current_user))));
    if v_found is not null then
        raise exception using errcode = 'insufficient_privilege',
            message = pg_catalog.format('other roles could change what the agents do: %s', v_found),
            hint = 'Drop them if they are not from an earlier "tenurectl schema"; if they are, let the owner of the database own them (alter ... owner to ...). Then run this again.';
    end if;
end
$$;

create schema if not exists tenure;
comment on schema tenure is
    'tenure: leader election of systemd units. Made by "tenurectl schema"; safe to drop when no agent uses it any more.';

create table if not exists tenure.lease (
    grp           text        primary key,
    method        text        not null default 'lease',
    owner         text        not null default '',
    term          bigint      not null default 0,
    nonce         uuid        not null,
    clean         boolean     not null default false,
    lease_usec    bigint      not null,
    stop_usec     bigint      not null,
    duration_usec bigint      not null,
    system_id     bigint      not null,
    timeline      bigint      not null,
    claimed_at    timestamptz,
    changed_at    timestamptz not null default pg_catalog.clock_timestamp(),
    -- The limits are the agent's own: one row it cannot read would cost all groups their answer.
    constraint lease_grp      check (grp ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    constraint lease_method   check (method in ('lease', 'advisory')),
    constraint lease_owner    check (owner = '' or owner ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/[0-9a-f]{32}$'),
    constraint lease_term     check (term between 0 and 4611686018427387904),
    constraint lease_spans    check (lease_usec > 0 and stop_usec >= 0 and duration_usec > 0),
    constraint lease_timeline check (timeline between 1 and 4294967295)
) with (
    -- Every renewal writes the row. Four fifths of each page are left free, so that the new version
    -- finds room beside the old one (a HOT update: no index is touched, the page cleans itself).
    fillfactor = 20,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);

-- The key of a group's advisory lock. 64 bits of a hash of its own name space: no other
-- application's keys are met but by a chance of 2^-64 each.
create or replace function tenure.lock_key(p_grp text) returns bigint
language sql
immutable
strict
parallel safe
as $function$
    -- A name has no backslash: the cast takes it as it is.
    select ('x' operator(pg_catalog.||) pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
            ('tenure.lease/' operator(pg_catalog.||) p_grp)::pg_catalog.bytea), 'hex'), 16)
           )::pg_catalog.bit(64)::pg_catalog.int8
$function$;

comment on function tenure.lock_key(text) is
    'The key of the advisory lock of a group whose method is advisory: the first 64 bits of SHA-256 of "tenure.lease/NAME".';

-- Two names with one key would be one lock: the second one gets no row, and so is never led.
-- "if not exists" would lock the table first, and then look.
do $$
begin
    if not exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n
                        on n.oid operator(pg_catalog.=) c.relnamespace
                   where n.nspname operator(pg_catalog.=) 'tenure'
                         and c.relname operator(pg_catalog.=) 'lease_lock_key') then
        create unique index lease_lock_key on tenure.lease (tenure.lock_key(grp));
    end if;
end
$$;

comment on table tenure.lease is
    'One row per group: who leads it. Written by the agents alone (tenure.tick_2). Do not index its changing columns: renewals would not be HOT any more. Deleting a row is safe only when its units are stopped everywhere.';
comment on column tenure.lease.grp is 'The group, as named in /etc/tenure.';
comment on column tenure.lease.method is 'How the group is elected: lease or advisory.';
comment on column tenure.lease.owner is 'NODE/INSTANCE: the leader''s node name, and an id made on each boot. Empty before the first claim, and after "tenurectl confirm-dead".';
comment on column tenure.lease.term is 'Fencing token: grows with every claim, never comes back. Above timeline * 2^32, so that it also grows over a failover.';
comment on column tenure.lease.nonce is 'Random, new with every claim and renewal: a row that keeps its nonce for lease_usec is not being renewed.';
comment on column tenure.lease.clean is 'The leader gave the group up and proved its units dead: others need not wait.';
comment on column tenure.lease.lease_usec is 'Lease L of this term, microseconds: how long others must see the row unchanged before they may claim it. A renewal may change it, and duration_usec with it.';
comment on column tenure.lease.stop_usec is 'Stop timeout S of this term, microseconds.';
comment on column tenure.lease.duration_usec is 'D of this term, microseconds: how long one renewal makes a leader, counted from before it was sent.';
comment on column tenure.lease.system_id is 'System identifier of the server the claim was made on.';
comment on column tenure.lease.timeline is 'Timeline the claim was made on: clean counts on this one only.';
comment on column tenure.lease.claimed_at is 'When this term began, by the server''s clock. For the operator; nothing is decided by it.';
comment on column tenure.lease.changed_at is 'Last write, by the server''s clock. For the operator; nothing is decided by it.';

-- The advisory locks with keys of 64 bits in this database, and who holds them.
create or replace function tenure.locks_1(p_database oid)
returns table (key bigint, pid integer)
language sql
stable
set search_path = pg_catalog, pg_temp
rows 1000
as $function$
    select (l.classid::bigint << 32) | l.objid::bigint, l.pid
    from pg_locks l
    where l.locktype = 'advisory' and l.database = p_database and l.objsubid = 1
          and l.mode = 'ExclusiveLock' and l.granted
$function$;

comment on function tenure.locks_1(oid) is
    'Advisory locks held in this database, for tenure.tick_2.';

-- A session that holds locks must not outlive its client: stopped, cut off or without power, it is
-- over after this time. Its name is for the next session of the same agent, below.
create or replace function tenure.bound_session_1(p_owner text, p_bound bigint) returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $function$
begin
    if p_bound = 0 then
        reset idle_session_timeout;
        return;
    end if;
    perform set_config('application_name', 'tenured/' || split_part(p_owner, '/', 2), false),
            set_config('idle_session_timeout', p_bound::text, false),
            set_config('tcp_user_timeout', p_bound::text, false),
            set_config('tcp_keepalives_idle', greatest(p_bound / 4000, 1)::text, false),
            set_config('tcp_keepalives_interval', greatest(p_bound / 4000, 1)::text, false),
            set_config('tcp_keepalives_count', '3', false);
    begin
        perform set_config('client_connection_check_interval', greatest(p_bound / 4, 100)::text,
                           false);
    exception when others then
        null; -- not on this server's platform
    end;
end
$function$;

comment on function tenure.bound_session_1(text, bigint) is
    'Limits in milliseconds how long this session, with its advisory locks, outlives its client.';

-- Takes a lock, or says no, at once. When a node comes back before the server has missed its old
-- connection, that one still has the lock: it is ended, and a later try succeeds.
create or replace function tenure.lock_1(p_owner text, p_database oid, p_key bigint) returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $function$
begin
    if pg_try_advisory_lock(p_key) then
        return true;
    end if;
    perform pg_terminate_backend(a.pid)
    from tenure.locks_1(p_database) l join pg_stat_activity a on a.pid = l.pid
    where l.key = p_key and a.pid <> pg_backend_pid() and a.usename = current_user
          and a.application_name = 'tenured/' || split_part(p_owner, '/', 2);
    return false;
end
$function$;

comment on function tenure.lock_1(text, oid, bigint) is
    'Tries to take an advisory lock; ends the session that has it if it is an earlier one of the same agent.';

-- Whose transaction has a row locked, as far as that can be found out, human-readable. What is in xmax is
-- a transaction, or a number for several of them.
create or replace function tenure.holder_1(p_grp text) returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $function$
declare
    v_xmax xid;
    v_all  xid[];
    v_text text;
begin
    select l.xmax into v_xmax from tenure.lease l where l.grp = p_grp;
    v_all := array[v_xmax];
    begin
        v_all := v_all || array(select m.xid from pg_get_multixact_members(v_xmax) m);
    exception when others then
        null; -- it is a transaction
    end;
    select format('an open transaction of process %s of role "%s", application "%s"', k.pid,
                  a.usename, a.application_name)
    into v_text
    from pg_locks k join pg_stat_activity a on a.pid = k.pid
    where k.locktype = 'transactionid' and k.granted and k.mode = 'ExclusiveLock'
          and k.transactionid = any (v_all) and a.usename <> current_user
    order by a.backend_start
    limit 1;
    -- One that is prepared has no process, and lasts until somebody ends it.
    v_text := coalesce(v_text, (
        select format('the prepared transaction %L of role "%s"', x.gid, x.owner)
        from pg_prepared_xacts x
        where x.transaction = any (v_all)
        order by x.prepared
        limit 1));
    -- Or an agent has it locked that waits itself, for the whole table.
    return coalesce(v_text, (
        select case when x.gid is not null
                    then format('the prepared transaction %L of role "%s",', x.gid, x.owner)
                    when a.usesysid is null then format('process %s without a role,', l.pid)
                    -- A role that was dropped leaves its number.
                    else format('process %s of role "%s", application "%s",', l.pid,
                                coalesce(a.usename::text, a.usesysid::text), a.application_name) end
               || format(' which has the table tenure.lease locked (%s)', l.mode)
               || coalesce(case when coalesce(a.xact_start, x.prepared) is null
                                then ' at least since ' else ' since ' end || to_char(
                      coalesce(a.xact_start, x.prepared, (select min(w.waitstart) from pg_locks w
                                                          where w.database = l.database
                                                                and w.relation = l.relation))
                      at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), '')
               -- What has no role is the server's own, as autovacuum is, and not to be ended.
               -- A name that is not shown as it is would be another's.
               || case when x.gid collate "C" ~ '[^ -~]|  |^ | $'
                       then '; to end it, commit or roll back that prepared transaction, as its transaction manager decided, in the database as a superuser: pg_prepared_xacts has its name as it is'
                       when x.gid is not null
                       then format('; to end it, run "rollback prepared %L", or "commit prepared" with that name, as its transaction manager decided, in the database as a superuser',
                                   x.gid)
                       when a.usesysid is not null
                       then format('; to end it, run "select pg_terminate_backend(%s)" in the database as a superuser',
                                   l.pid)
                       else '' end
        from pg_locks l
             left join pg_stat_activity a on a.pid = l.pid
             left join pg_locks t on l.pid is null and t.pid is null
                  and t.locktype = 'transactionid' and t.virtualtransaction = l.virtualtransaction
             left join pg_prepared_xacts x on x.transaction = t.transactionid
        where l.locktype = 'relation' and l.relation = 'tenure.lease'::regclass
              and l.database = (select oid from pg_database where datname = current_database())
              and (a.pid is not null or x.gid is not null)
              and l.granted and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                                           'AccessExclusiveLock')
        order by l.pid
        limit 1));
end
$function$;

comment on function tenure.holder_1(text) is
    'Names a transaction that keeps a group from being claimed; null: none is found.';

-- Who has the advisory lock of a group, human-readable: the leader of the row, or no agent. null: nobody,
-- an earlier session of the same agent, which is being ended, or another standby that tries as well.
create or replace function tenure.lock_holder_1(p_owner text, p_leader text, p_database oid, p_key bigint)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $function$
    select format('the group''s advisory lock, which process %s of role "%s", application "%s", has',
                  l.pid, a.usename, a.application_name)
    from tenure.locks_1(p_database) l join pg_stat_activity a on a.pid = l.pid
    where l.key = p_key and l.pid <> pg_backend_pid()
          and a.application_name is distinct from 'tenured/' || split_part(p_owner, '/', 2)
          and (a.usename <> current_user
               or a.application_name = 'tenured/' || split_part(p_leader, '/', 2))
    limit 1
$function$;

comment on function tenure.lock_holder_1(text, text, oid, bigint) is
    'Names the process that has the advisory lock of a group; null: nobody, or the same agent.';

-- The same for an operator who waits at a terminal: all of them, of any role, with what ends each. A
-- dead node's own transaction may hang, and a prepared one needs no session to go on.
create or replace function tenure.holders_1(p_grp text) returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $function$
declare
    v_xmax xid;
    v_all  xid[];
begin
    select l.xmax into v_xmax from tenure.lease l where l.grp = p_grp;
    v_all := array[v_xmax];
    begin
        v_all := v_all || array(select m.xid from pg_get_multixact_members(v_xmax) m);
    exception when others then
        null; -- it is a transaction
    end;
    return (
        select string_agg(h.who, '; ')
        from (select format('process %s of role "%s", application "%s", which select pg_terminate_backend(%s) ends',
                            k.pid, a.usename, a.application_name, k.pid) as who
              from pg_locks k join pg_stat_activity a on a.pid = k.pid
              where k.locktype = 'transactionid' and k.granted and k.mode = 'ExclusiveLock'
                    and k.transactionid = any (v_all) and a.pid <> pg_backend_pid()
              union all
              select format('the prepared transaction %L of role "%s", which ', p.gid, p.owner)
                     || case when p.gid collate "C" ~ '[^ -~]|  |^ | $' then 'commit or rollback prepared ends'
                             else format('rollback prepared %L ends, or commit prepared', p.gid) end
                     || ', as its transaction manager decided'
              from pg_prepared_xacts p
              where p.transaction = any (v_all)
              order by 1
              limit 3) h);
end
$function$;

comment on function tenure.holders_1(text) is
    'Names what keeps a group from being taken from a node that was confirmed dead, and what ends it; null: nothing is found.';

-- Ends the session that has the lock of a group, if it is this owner's: its node was confirmed dead.
-- Says who has the lock still, and what helps; null: nobody.
create or replace function tenure.end_session_1(p_owner text, p_database oid, p_key bigint) returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $function$
declare
    h record;
begin
    select a.pid, a.usename, a.application_name into h
    from tenure.locks_1(p_database) l join pg_stat_activity a on a.pid = l.pid
    where l.key = p_key and a.pid <> pg_backend_pid();
    if h.pid is null then
        return null;
    end if;
    if h.application_name = 'tenured/' || split_part(p_owner, '/', 2) then
        begin
            perform pg_terminate_backend(h.pid);
            return null;
        exception when insufficient_privilege then
            return format('process %s of role "%s" still has the group''s lock, and role "%s" may not end it: have a superuser run select pg_terminate_backend(%s), or grant pg_signal_backend to "%s"',
                          h.pid, h.usename, current_user, h.pid, current_user);
        end;
    end if;
    return format('process %s of role "%s", application "%s", has the group''s lock, and is not that node''s agent: nobody can claim the group before it ends',
                  h.pid, h.usename, h.application_name);
end
$function$;

comment on function tenure.end_session_1(text, oid, bigint) is
    'Ends the session of a node that was confirmed dead, if it has this lock.';

-- One tick of one agent: all its groups in one call, one transaction, one round trip. The arrays are
-- parallel, one element per request; arrays that an operation does not use hold any value.
--
-- No deadlock is possible between agents: rows are taken in the order of their key, and no existing
-- row is ever waited for (SKIP LOCKED). A row that another session has locked is "unknown", and
-- stalls nobody else. A claim locks FOR UPDATE, a renewal FOR NO KEY UPDATE: an application's
-- transaction that holds FOR KEY SHARE on the row keeps others from claiming, never from renewing.
--
-- Each statement in here sees what was committed before it began (READ COMMITTED, which is
-- demanded), and a row comes locked in its newest version.
--
-- The method advisory asks for more: the group's lock, held by this very session, for every claim
-- and renewal. It is taken last, let go when the row is another's, and never waited for. Locks of a
-- session are not undone with a transaction, so an error in here must cost the caller its
-- connection; it does.
--
-- A renewal and a release name the nonces that their sender knows: the last one it wrote or read,
-- and those of renewals whose outcome it does not know. A row of that very term and owner with
-- another nonce was written by somebody else who is the same owner: an earlier life of the agent
-- whose renewal came late, or a copy of the host. That is "other_nonce", and nothing is done: what
-- it means, the agent decides.
--
-- "confirm_dead" is the word of an operator that the owner is dead: the row as it was watched becomes
-- a new term without an owner, locked as by a claim. Nobody waits for it longer than for a claim
-- either: what holds the row is named, and the agent tries again for a while.
create or replace function tenure.tick_2(
    p_owner          text,
    p_require_sync   boolean,
    p_pid            integer,   -- of the backend that the caller logged in to
    p_bound          bigint,    -- advisory: milliseconds until a dead client's session is over;
                                -- 0: the server's default again; null: as it is
    p_drop           text[],    -- advisory: groups whose lock is held for nothing
    p_grp            text[],
    p_method         text[],
    p_waited         bigint[],  -- claim, advisory: how long the caller has seen the row unchanged
    p_operation      text[],
    p_term           bigint[],
    p_expected_term  bigint[],
    p_expected_nonce uuid[],    -- claim, confirm_dead
    p_known          text[],    -- renew, release: of each an array of up to 8 nonces, as text
    p_fresh_nonce    uuid[],
    p_system_id      bigint[],
    p_timeline       bigint[],
    p_rests_on_clean boolean[],
    p_term_floor     bigint[],
    p_lease          bigint[],
    p_stop           bigint[],
    p_duration       bigint[]
) returns table (
    o_number      bigint,
    o_outcome     text,
    o_term        bigint,
    o_owner       text,
    o_nonce       uuid,
    o_clean       boolean,
    o_claimable   boolean,
    o_lease       bigint,
    o_stop        bigint,
    o_duration    bigint,
    o_method      text,
    o_since       bigint,
    o_system_id   bigint,
    o_timeline    bigint,
    o_synchronous boolean,
    o_session     boolean,      -- this is the backend that the caller logged in to
    o_held        boolean,      -- advisory: the group's lock is this session's
    o_holder      text          -- what keeps the caller from claiming or renewing, or from taking the
                                -- record of a node that was confirmed dead, or who still has its
                                -- lock; human-readable; null: nothing known
)
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
-- Plans are kept per session, and may stem from when the table was empty: never scan it.
set enable_seqscan = off
set jit = off
-- The loop's query looks cheaper planned for these very arguments, so it would be planned again in
-- every tick, for longer than it runs.
set plan_cache_mode = force_generic_plan
as $function$
#variable_conflict use_column
declare
    c_term_max  constant bigint := 4611686018427387904;
    c_known_max constant integer := 8;
    v_system_id   bigint;
    v_timeline    bigint;
    v_synchronous boolean;
    v_refused     boolean;
    v_session     boolean;
    v_database    oid;
    v_clean       boolean;
    v_may         boolean;
    v_held        boolean;
    v_term        bigint;
    v_outcome     text;
    v_holder      text;
    v_known       uuid[];
    q             record;
    r             tenure.lease;
    s             tenure.lease;
begin
    -- Before all else: on a standby the questions below are errors of their own.
    if pg_is_in_recovery() then
        raise exception using errcode = 'read_only_sql_transaction',
            message = 'the server is a standby';
    end if;
    if current_setting('transaction_read_only')::boolean then
        raise exception using errcode = 'read_only_sql_transaction',
            message = 'transactions are read-only here (default_transaction_read_only)';
    end if;
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using errcode = 'invalid_transaction_state',
            message = 'default_transaction_isolation must be "read committed" for the role '
                      || quote_ident(current_user);
    end if;

    -- For this transaction: a setting of the session does not survive a pooler. The caller checks
    -- both in the same statement. A cancelled wait for a standby shows as a warning only.
    perform set_config('synchronous_commit', 'on', true);
    perform set_config('client_min_messages', 'warning', true);

    select system_identifier into strict v_system_id from pg_control_system();
    -- Not pg_control_checkpoint(): right after a promotion it still names the old timeline.
    v_timeline := ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint;
    v_synchronous := btrim(current_setting('synchronous_standby_names')) <> '';
    v_refused := p_require_sync and not v_synchronous;

    -- Behind a pooler, locks and settings of the session are anybody's: then there are none.
    v_session := pg_backend_pid() = p_pid;
    select oid into strict v_database from pg_database where datname = current_database();
    if v_session and p_bound is not null then
        perform tenure.bound_session_1(p_owner, p_bound);
    end if;
    if v_session and cardinality(p_drop) > 0 then
        perform pg_advisory_unlock(h.key)
        from (select distinct tenure.lock_key(d) as key from unnest(p_drop) d) d
             join tenure.locks_1(v_database) h on h.key = d.key and h.pid = p_pid;
    end if;

    for q in
        select u.*, tenure.lock_key(u.grp) as key, h.key is not null as held
        from unnest(p_grp, p_method, p_waited, p_operation, p_term, p_expected_term,
                    p_expected_nonce, p_known, p_fresh_nonce, p_system_id, p_timeline,
                    p_rests_on_clean, p_term_floor, p_lease, p_stop, p_duration)
             with ordinality as u (grp, method, waited, operation, term, expected_term,
                                   expected_nonce, known, fresh_nonce, system_id, timeline,
                                   rests_on_clean, term_floor, lease, stop, duration, number)
             -- What the server says is held, not what the caller believes: a lock that is taken
             -- twice must be let go twice.
             left join (select l.key from tenure.locks_1(v_database) l
                        where v_session and 'advisory' = any (p_method) and l.pid = p_pid) h
                  on u.method = 'advisory' and h.key = tenure.lock_key(u.grp)
        order by u.grp collate "C", u.number
    loop
        v_outcome := 'denied';
        v_held := q.held;
        v_holder := null;
        v_known := q.known::uuid[];
        r := null;
        if cardinality(v_known) > c_known_max then
            raise exception using errcode = 'invalid_parameter_value',
                message = format('group %s: more than %s nonces', q.grp, c_known_max);
        end if;

        case q.operation
        when 'observe' then
            select * into r from tenure.lease l where l.grp = q.grp;
            if not found then
                insert into tenure.lease (grp, method, nonce, lease_usec, stop_usec,
                                          duration_usec, system_id, timeline)
                values (q.grp, q.method, gen_random_uuid(), q.lease, q.stop, q.duration,
                        v_system_id, v_timeline)
                on conflict do nothing;
                select * into r from tenure.lease l where l.grp = q.grp;
            end if;
            v_outcome := case when r.grp is null then 'unknown' else 'granted' end;

        when 'claim' then
            select * into r from tenure.lease l where l.grp = q.grp;
            v_term := greatest(r.term + 1, (v_timeline << 32) + 1, q.term_floor);
            v_clean := r.clean and r.system_id = v_system_id and r.timeline = v_timeline;
            v_may := r.grp is not null
               and not v_refused
               and r.term = q.expected_term and r.nonce = q.expected_nonce
               and q.system_id = v_system_id and q.timeline = v_timeline
               -- Not observed for a lease: then it must be clean, and made in this very history.
               -- So must a row of the other method, unless it is nobody's.
               and (v_clean
                    or (not q.rests_on_clean and (r.method = q.method or r.owner = '')
                        -- The quarantine.
                        and (q.method = 'lease' or q.waited >= greatest(r.lease_usec, q.lease))))
               and v_timeline < 1073741824 and v_term <= c_term_max;
            if q.method = 'advisory' and not v_session then
                v_outcome := 'unknown';
                v_may := false;
            elsif q.method = 'advisory' and v_may and not v_held then
                -- While a session of the leader lives there is no claim.
                v_held := tenure.lock_1(p_owner, v_database, q.key);
                v_may := v_held;
                if not v_held then
                    v_holder := tenure.lock_holder_1(p_owner, r.owner, v_database, q.key);
                end if;
            end if;
            if v_may then
                -- The nonce stands for all of the row but clean, which only ever becomes true.
                select * into s from tenure.lease l
                where l.grp = q.grp and l.term = r.term and l.nonce = r.nonce
                for update skip locked;
                if found then
                    update tenure.lease l
                    set method = q.method, owner = p_owner, term = v_term, nonce = q.fresh_nonce,
                        clean = false, lease_usec = q.lease, stop_usec = q.stop,
                        duration_usec = q.duration, system_id = v_system_id,
                        timeline = v_timeline, claimed_at = clock_timestamp(),
                        changed_at = clock_timestamp()
                    where l.grp = q.grp
                    returning l.* into strict r;
                    v_outcome := 'granted';
                else
                    s := r;
                    select * into r from tenure.lease l where l.grp = q.grp;
                    if r.term = s.term and r.nonce = s.nonce then
                        v_outcome := 'unknown'; -- somebody has it locked
                        v_holder := tenure.holder_1(q.grp);
                    end if;
                end if;
            end if;

        when 'renew' then
            if v_refused or (q.method = 'advisory' and not v_session) then
                v_outcome := 'unknown';
            else
                select * into r from tenure.lease l
                where l.grp = q.grp and l.term = q.term and l.owner = p_owner and not l.clean
                      and l.method = q.method and l.nonce = any (v_known)
                for no key update skip locked;
                if r.grp is not null and q.method = 'advisory' and not v_held then
                    -- A new session: the term goes on with the lock taken again, or not at all.
                    v_held := tenure.lock_1(p_owner, v_database, q.key);
                end if;
                if r.grp is not null and q.method = 'advisory' and not v_held then
                    -- Nobody has claimed: that would have changed the row.
                    v_outcome := 'unknown';
                elsif r.grp is not null then
                    update tenure.lease l
                    set nonce = q.fresh_nonce, lease_usec = q.lease, duration_usec = q.duration,
                        changed_at = clock_timestamp()
                    where l.grp = q.grp
                    returning l.* into strict r;
                    v_outcome := 'granted';
                else
                    select * into r from tenure.lease l where l.grp = q.grp;
                    if r.term = q.term and r.owner = p_owner and not r.clean
                       and r.method = q.method then
                        if r.nonce = any (v_known) then
                            v_outcome := 'unknown';
                            v_holder := tenure.holder_1(q.grp);
                        else
                            v_outcome := 'other_nonce';
                        end if;
                    end if;
                end if;
            end if;

        when 'release' then
            select * into r from tenure.lease l
            where l.grp = q.grp and l.term = q.term and l.owner = p_owner
                  and l.nonce = any (v_known) and not l.clean
            for no key update skip locked;
            if found then
                update tenure.lease l
                set clean = true, changed_at = clock_timestamp()
                where l.grp = q.grp
                returning l.* into strict r;
                -- What a claim will expect: who hears of it need not look first.
                perform pg_notify('tenure', concat_ws(' ', r.grp, r.term, r.nonce));
                v_outcome := 'granted';
                if q.method = 'advisory' and v_session and not v_held then
                    -- By an earlier session: it must not keep others from what is clean.
                    v_held := tenure.lock_1(p_owner, v_database, q.key);
                end if;
            else
                select * into r from tenure.lease l where l.grp = q.grp;
                if r.term = q.term and r.owner = p_owner then
                    if r.clean then
                        v_outcome := 'granted'; -- by an earlier try of the same release
                    elsif r.nonce = any (v_known) then
                        v_outcome := 'unknown';
                    else
                        v_outcome := 'other_nonce';
                    end if;
                end if;
            end if;

        when 'confirm_dead' then
            select * into r from tenure.lease l where l.grp = q.grp;
            v_term := greatest(r.term + 1, (v_timeline << 32) + 1, q.term_floor);
            if v_refused then
                v_outcome := 'unknown';
                v_holder := 'nothing, but require_sync is set, and synchronous_standby_names is empty on the server';
            elsif r.grp is not null and r.owner <> '' and not r.clean
                  and r.term = q.expected_term and r.nonce = q.expected_nonce
                  and q.system_id = v_system_id and q.timeline = v_timeline
                  and v_timeline < 1073741824 and v_term <= c_term_max then
                select * into s from tenure.lease l
                where l.grp = q.grp and l.term = r.term and l.nonce = r.nonce and not l.clean
                for update skip locked;
                if found then
                    -- The method stays, and with it who may claim.
                    update tenure.lease l
                    set owner = '', term = v_term, nonce = q.fresh_nonce, lease_usec = q.lease,
                        stop_usec = q.stop, duration_usec = q.duration, system_id = v_system_id,
                        timeline = v_timeline, claimed_at = clock_timestamp(),
                        changed_at = clock_timestamp()
                    where l.grp = q.grp
                    returning l.* into strict r;
                    v_outcome := 'granted';
                    if s.method = 'advisory' then
                        v_holder := tenure.end_session_1(s.owner, v_database, q.key);
                    end if;
                else
                    s := r;
                    select * into r from tenure.lease l where l.grp = q.grp;
                    if r.term = s.term and r.nonce = s.nonce and not r.clean then
                        v_outcome := 'unknown'; -- somebody has it locked
                        v_holder := tenure.holders_1(q.grp);
                    end if;
                end if;
            end if;
        end case;

        -- The lock goes with the row: it is nobody's who does not stand in there.
        if v_held and r.grp is not null
           and (r.owner <> p_owner or r.clean or r.method <> 'advisory') then
            perform pg_advisory_unlock(q.key);
            v_held := false;
        end if;

        if v_outcome = 'unknown' then
            r := null;
        end if;
        o_number := q.number;
        o_outcome := v_outcome;
        o_term := r.term;
        o_owner := r.owner;
        o_nonce := r.nonce;
        o_clean := r.clean;
        o_claimable := r.clean and r.system_id = v_system_id and r.timeline = v_timeline;
        o_lease := r.lease_usec;
        o_stop := r.stop_usec;
        o_duration := r.duration_usec;
        o_method := r.method;
        -- Microseconds of the Unix epoch; 0: never claimed.
        o_since := case when r.grp is not null
                        then coalesce((extract(epoch from r.claimed_at) * 1000000)::bigint, 0) end;
        o_system_id := v_system_id;
        o_timeline := v_timeline;
        o_synchronous := v_synchronous;
        o_session := v_session;
        o_held := v_held;
        o_holder := v_holder;
        return next;
    end loop;
end
$function$;

comment on function tenure.tick_2 is
    'One tick of an agent: observes, claims, renews and releases all its groups, or takes them from a node that was confirmed dead, in one transaction. Runs with the rights of its caller.';

-- Fencing for applications ------------------------------------------------------------------------
--
-- A process that was frozen goes on after its group has gone elsewhere, and nothing in it knows. Its
-- transactions in this database need not succeed: one that asserts its term commits before any later
-- term begins, or not at all. Applications are not given these by default; let them have both with
--   grant usage on schema tenure to ROLE;
--   grant execute on function tenure.assert_leader, tenure.assert_leader_at_commit to ROLE;

-- The locks of a transaction whose client is gone must not keep a group from its next leader: such
-- a transaction is over after this many milliseconds. Stricter limits stay; all of it ends with the
-- transaction.
create or replace function tenure.bound_transaction_1(p_bound bigint) returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $function$
declare
    v_idle  interval := current_setting('idle_in_transaction_session_timeout');
    v_check interval := current_setting('client_connection_check_interval');
    v_tcp   bigint   := current_setting('tcp_user_timeout');     -- shown without its unit, ms
    v_bound interval := make_interval(secs => p_bound / 1000.0);
begin
    if v_idle = interval '0' or v_idle > v_bound then
        perform set_config('idle_in_transaction_session_timeout', p_bound::text, true);
    end if;
    if v_tcp = 0 or v_tcp > p_bound then
        perform set_config('tcp_user_timeout', p_bound::text, true),
                set_config('tcp_keepalives_idle', greatest(p_bound / 4000, 1)::text, true),
                set_config('tcp_keepalives_interval', greatest(p_bound / 4000, 1)::text, true),
                set_config('tcp_keepalives_count', '3', true);
    end if;
    if v_check = interval '0' or v_check > v_bound / 4 then
        begin -- alone: what is caught takes back all that was set within
            perform set_config('client_connection_check_interval',
                               greatest(p_bound / 4, 100)::text, true);
        exception when invalid_parameter_value then
            null; -- not on this server's platform
        end;
    end if;
end
$function$;

comment on function tenure.bound_transaction_1(bigint) is
    'Limits in milliseconds how long this transaction outlives its client.';

-- FOR KEY SHARE is what a claim's FOR UPDATE conflicts with, and a renewal's FOR NO KEY UPDATE does
-- not (manual, 13.3.2): as long as this transaction lasts, the term stays and is renewed. If a claim
-- is under way, this waits for it to be committed, and then fails.
create or replace function tenure.assert_leader(p_group text, p_term bigint) returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
    r tenure.lease;
begin
    select * into r from tenure.lease l
    where l.grp = p_group and l.term = p_term and l.owner <> '' and not l.clean
    for key share;
    if r.grp is not null then
        -- Who died with its leader, at most D/3 after the last renewal, is gone before D, and so
        -- before anybody else may lead. Where the lease becomes shorter while this transaction is
        -- open, another node may have to wait for its end; it does not lead before.
        perform tenure.bound_transaction_1(greatest(r.duration_usec / 2000, 1));
        return;
    end if;

    select * into r from tenure.lease l where l.grp = p_group;
    raise exception using errcode = 'TN001',
        message = format('group %s is not led with term %s',
                                    coalesce('"' || p_group || '"', 'null'),
                                    coalesce(p_term::text, 'null')),
        detail = case
            when r.grp is null then 'There is no such group here.'
            when r.owner = '' and r.term = 0 then 'Nobody has led it yet.'
            when r.owner = '' then 'The node that led it was confirmed dead.'
            when r.clean and r.term = p_term then 'Its leader has given it up.'
            else format('Its term is %s, of node %s.', r.term,
                                   split_part(r.owner, '/', 1)) end,
        hint = 'The process that asks shall end: its units are led elsewhere, or not any more.';
end
$function$;

comment on function tenure.assert_leader(text, bigint) is
    'Fails (SQLSTATE TN001) unless this is the group''s term; if it is, it stays so until this transaction ends. For applications: the term is in $TENURE_TERM.';

-- What is to be asserted when a transaction commits. Emptied by the very transaction that fills it.
create unlogged table if not exists tenure.assertion (
    id   bigint generated always as identity primary key,
    grp  text   not null,
    term bigint not null
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);

comment on table tenure.assertion is
    'Used by tenure.assert_leader_at_commit within its transaction; nobody else ever sees a row.';

create or replace function tenure.assertion_1() returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
    delete from tenure.assertion a where a.id = new.id;
    perform tenure.assert_leader(new.grp, new.term);
    return null;
end
$function$;

create or replace function tenure.assert_leader_at_commit(p_group text, p_term bigint) returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
    insert into tenure.assertion (grp, term)
    values (coalesce(p_group, 'null'), coalesce(p_term, -1));
end
$function$;

do $$
begin
    if not exists (select from pg_catalog.pg_trigger
                   where tgrelid operator(pg_catalog.=) 'tenure.assertion'::pg_catalog.regclass
                     and tgname operator(pg_catalog.=) 'at_commit') then
        create constraint trigger at_commit after insert on tenure.assertion
            deferrable initially deferred for each row execute function tenure.assertion_1();
    end if;
    -- Also for who loads data with session_replication_role = replica.
    if exists (select from pg_catalog.pg_trigger
               where tgrelid operator(pg_catalog.=) 'tenure.assertion'::pg_catalog.regclass
                 and tgname operator(pg_catalog.=) 'at_commit'
                 and tgenabled operator(pg_catalog.<>) 'A') then
        alter table tenure.assertion enable always trigger at_commit;
    end if;
end
$$;

comment on function tenure.assert_leader_at_commit(text, bigint) is
    'Lets the COMMIT of this transaction fail (SQLSTATE TN001) unless it is the group''s term then. Until then the transaction keeps nobody from taking the group over.';

revoke all on schema tenure from public;
revoke all on tenure.lease from public;
revoke all on function tenure.tick_2, tenure.lock_key, tenure.locks_1, tenure.bound_session_1,
                       tenure.lock_1, tenure.holder_1, tenure.lock_holder_1, tenure.holders_1,
                       tenure.end_session_1 from public;
revoke all on tenure.assertion from public;
revoke all on function tenure.bound_transaction_1, tenure.assert_leader, tenure.assertion_1,
                       tenure.assert_leader_at_commit from public;
grant usage on schema tenure to tenure;
grant select, insert, update on tenure.lease to tenure;
grant execute on function tenure.tick_2, tenure.lock_key, tenure.locks_1, tenure.bound_session_1,
                          tenure.lock_1, tenure.holder_1, tenure.lock_holder_1, tenure.holders_1,
                          tenure.end_session_1 to tenure;

commit;
