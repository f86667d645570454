/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/tick_codec.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

/* The two settings are read after the function has returned: they must outlive it, since the commit
 * comes last. A claim of what was observed in another life of the server, or an
 * operator's word about it, names a system that does not exist: so it is denied, as in another
 * history. (With several arrays, unnest is the grammar's own, whatever is in search_path.) */
const char tick_statement[] =
    "select o_number, o_outcome, o_term, o_owner, o_nonce, o_clean, o_claimable, o_lease, o_stop,"
    " o_duration, o_method, o_since, o_system_id, o_timeline, o_synchronous,"
    " o_session, o_held, o_holder,"
    " pg_catalog.current_setting('synchronous_commit'),"
    " pg_catalog.current_setting('client_min_messages'),"
    " (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())"
    " operator(pg_catalog.*) 1000000)::pg_catalog.int8, life.started"
    " from (select (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
    " operator(pg_catalog.*) 1000000)::pg_catalog.int8) as life (started),"
    " tenure.tick_2($1::text, $2::boolean, $3::integer, $4::bigint, $5::text[],"
    " $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[],"
    " $12::uuid[], $13::text[], $14::uuid[],"
    " array(select case when q.started operator(pg_catalog.=) life.started then q.id else 0 end"
    " from unnest($15::bigint[], $22::bigint[]) with ordinality as q (id, started, n)"
    " order by q.n),"
    " $16::bigint[], $17::boolean[], $18::bigint[],"
    " $19::bigint[], $20::bigint[], $21::bigint[]) order by o_number";

enum column {
    COLUMN_NUMBER,
    COLUMN_OUTCOME,
    COLUMN_TERM,
    COLUMN_OWNER,
    COLUMN_NONCE,
    COLUMN_CLEAN,
    COLUMN_CLAIMABLE,
    COLUMN_LEASE,
    COLUMN_STOP,
    COLUMN_DURATION,
    COLUMN_METHOD,
    COLUMN_SINCE,
    COLUMN_SYSTEM_ID,
    COLUMN_TIMELINE,
    COLUMN_SYNCHRONOUS,
    COLUMN_SESSION,
    COLUMN_HELD,
    COLUMN_HOLDER,
    COLUMN_COMMIT,
    COLUMN_MESSAGES,
    COLUMN_TIME,
    COLUMN_STARTED,
    COLUMNS,
};

/* ---- requests ---- */

static void put_number(FILE *f, uint64_t value)
{
    /* A system identifier may have its highest bit set: bigint shows that as negative. */
    (void)fprintf(f, "%" PRId64, (int64_t)value);
}

static void put_nonce(FILE *f, const struct nonce *nonce)
{
    for (size_t i = 0; i < sizeof nonce->bytes; i++)
        (void)fprintf(f, "%02x", nonce->bytes[i]);
}

static void put_group(FILE *f, const struct request *r)
{
    (void)fprintf(f, "\"%s\"", r->group); /* a valid name needs no escaping */
}

static void put_method(FILE *f, const struct request *r)
{
    (void)fputs(method_name(r->method), f);
}

static void put_operation(FILE *f, const struct request *r)
{
    switch (r->operation) {
    case OPERATION_OBSERVE:
        (void)fputs("observe", f);
        return;
    case OPERATION_CLAIM:
        (void)fputs("claim", f);
        return;
    case OPERATION_RENEW:
        (void)fputs("renew", f);
        return;
    case OPERATION_RELEASE:
        (void)fputs("release", f);
        return;
    case OPERATION_CONFIRM_DEAD:
        (void)fputs("confirm_dead", f);
        return;
    }
    abort();
}

static void put_term(FILE *f, const struct request *r)
{
    put_number(f, r->term);
}

static void put_expected_term(FILE *f, const struct request *r)
{
    put_number(f, r->expected_term);
}

static void put_expected_nonce(FILE *f, const struct request *r)
{
    put_nonce(f, &r->expected_nonce);
}

/* An array within an array of texts: with quotes around it, for its braces and commas. */
static void put_known(FILE *f, const struct request *r)
{
    (void)fputs("\"{", f);
    for (unsigned i = 0; i < r->n_known; i++) {
        if (i > 0)
            (void)fputc(',', f);
        put_nonce(f, &r->known[i]);
    }
    (void)fputs("}\"", f);
}

static void put_fresh_nonce(FILE *f, const struct request *r)
{
    put_nonce(f, &r->fresh_nonce);
}

static void put_system_id(FILE *f, const struct request *r)
{
    put_number(f, r->epoch.system_id);
}

static void put_timeline(FILE *f, const struct request *r)
{
    put_number(f, r->epoch.timeline);
}

static void put_rests_on_clean(FILE *f, const struct request *r)
{
    (void)fputs(r->rests_on_clean ? "t" : "f", f);
}

static void put_term_floor(FILE *f, const struct request *r)
{
    put_number(f, r->term_floor);
}

static void put_lease(FILE *f, const struct request *r)
{
    put_number(f, r->lease);
}

static void put_stop(FILE *f, const struct request *r)
{
    put_number(f, r->stop);
}

static void put_duration(FILE *f, const struct request *r)
{
    put_number(f, r->duration);
}

static void put_started(FILE *f, const struct request *r)
{
    put_number(f, r->epoch.started);
}

enum parameter {
    PARAMETER_OWNER,
    PARAMETER_REQUIRE_SYNC,
    PARAMETER_PID,
    PARAMETER_BOUND,
    PARAMETER_DROP,
    PARAMETER_GROUP,
    PARAMETER_METHOD,
    PARAMETER_WAITED,
    PARAMETER_OPERATION, /* from here on as in put_array */
};

/* Arrays made of the requests alone. */
static void (*const put_array[])(FILE *, const struct request *) = {
    put_operation,   put_term,      put_expected_term, put_expected_nonce, put_known,
    put_fresh_nonce, put_system_id, put_timeline,      put_rests_on_clean, put_term_floor,
    put_lease,       put_stop,      put_duration,      put_started,
};

_Static_assert(PARAMETER_OPERATION + sizeof put_array / sizeof put_array[0] == TICK_PARAMETERS,
               "as many as the statement has");

bool tick_request_valid(const struct request *r)
{
    bool names_span = r->operation != OPERATION_RELEASE;
    bool names_nonces = r->operation == OPERATION_RENEW || r->operation == OPERATION_RELEASE;

    return group_name_valid(r->group) && r->term <= INT64_MAX && r->expected_term <= INT64_MAX &&
           r->term_floor <= INT64_MAX && r->epoch.timeline <= INT64_MAX &&
           r->epoch.started <= INT64_MAX && r->lease <= INT64_MAX && r->stop <= INT64_MAX &&
           r->duration <= INT64_MAX && (!names_span || (r->lease > 0 && r->duration > 0)) &&
           r->n_known <= REQUEST_NONCES_MAX && (r->n_known > 0 || !names_nonces);
}

static char *encode_array(const struct request *requests, size_t n,
                          void (*put)(FILE *, const struct request *))
{
    char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);

    if (!f)
        return NULL;
    (void)fputc('{', f);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            (void)fputc(',', f);
        put(f, &requests[i]);
    }
    (void)fputc('}', f);

    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static char *encode_numbers(const usec_t *values, size_t n)
{
    char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);

    if (!f)
        return NULL;
    for (size_t i = 0; i < n; i++)
        (void)fprintf(f, "%c%" PRIu64, i == 0 ? '{' : ',', usec_min(values[i], INT64_MAX));
    (void)fputc('}', f);

    bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static char *encode_number(int64_t value)
{
    char *text;

    return asprintf(&text, "%" PRId64, value) < 0 ? NULL : text;
}

int tick_encode(const char *owner, bool require_sync, int pid, const struct tick_extra *extra,
                const struct request *requests, size_t n, struct tick_parameters *ret)
{
    assert(owner);
    assert(extra);
    assert(requests);
    assert(n > 0);
    assert(ret);

    *ret = (struct tick_parameters){0};
    ret->values[PARAMETER_OWNER] = strdup(owner);
    ret->values[PARAMETER_REQUIRE_SYNC] = strdup(require_sync ? "t" : "f");
    ret->values[PARAMETER_PID] = encode_number(pid);
    ret->values[PARAMETER_BOUND] =
        extra->sets_bound ? encode_number((int64_t)extra->bound_msec) : NULL;
    ret->values[PARAMETER_DROP] = strdup(extra->drop);
    ret->values[PARAMETER_GROUP] = encode_array(requests, n, put_group);
    ret->values[PARAMETER_METHOD] = encode_array(requests, n, put_method);
    ret->values[PARAMETER_WAITED] = encode_numbers(extra->waited, n);
    for (size_t i = PARAMETER_OPERATION; i < TICK_PARAMETERS; i++)
        ret->values[i] = encode_array(requests, n, put_array[i - PARAMETER_OPERATION]);
    for (size_t i = 0; i < TICK_PARAMETERS; i++)
        if (!ret->values[i] && (i != PARAMETER_BOUND || extra->sets_bound))
            return -ENOMEM;
    return 0;
}

void tick_extra_free(struct tick_extra *e)
{
    free(e->waited);
    free(e->drop);
    *e = (struct tick_extra){0};
}

void tick_parameters_free(struct tick_parameters *p)
{
    for (size_t i = 0; i < TICK_PARAMETERS; i++) {
        free(p->values[i]);
        p->values[i] = NULL;
    }
}

/* ---- replies ---- */

/* A bigint that is not negative. */
static int take_number(const char *s, uint64_t *ret)
{
    uint64_t value;
    int r = parse_u64(s, &value);

    if (r < 0)
        return r;
    if (value > INT64_MAX)
        return -ERANGE;
    *ret = value;
    return 0;
}

/* Any bigint, as the 64 bits it is. */
static int take_bits(const char *s, uint64_t *ret)
{
    uint64_t value;
    bool negative = s[0] == '-';

    if (parse_u64(s + negative, &value) < 0 || value > (uint64_t)INT64_MAX + negative)
        return -EINVAL;
    *ret = negative ? -value : value;
    return 0;
}

static int take_boolean(const char *s, bool *ret)
{
    if (strcmp(s, "t") != 0 && strcmp(s, "f") != 0)
        return -EINVAL;
    *ret = s[0] == 't';
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -EINVAL;
}

/* 8-4-4-4-12 hexadecimal digits. */
static int take_nonce(const char *s, struct nonce *ret)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    struct nonce nonce = {0};
    size_t digits = 0;

    if (strlen(s) != sizeof form - 1)
        return -EINVAL;
    for (size_t i = 0; s[i]; i++) {
        int digit = hex_digit(s[i]);

        if (form[i] == '-') {
            if (s[i] != '-')
                return -EINVAL;
            continue;
        }
        if (digit < 0)
            return -EINVAL;
        nonce.bytes[digits / 2] = (uint8_t)(nonce.bytes[digits / 2] << 4 | digit);
        digits++;
    }
    *ret = nonce;
    return 0;
}

static int take_owner(const char *s, char ret[static OWNER_MAX + 1])
{
    size_t length = strlen(s);

    if (length > OWNER_MAX)
        return -EINVAL;
    memcpy(ret, s, length + 1);
    return 0;
}

static int take_outcome(const char *s, enum outcome *ret)
{
    if (strcmp(s, "granted") == 0)
        *ret = OUTCOME_GRANTED;
    else if (strcmp(s, "denied") == 0)
        *ret = OUTCOME_DENIED;
    else if (strcmp(s, "unknown") == 0)
        *ret = OUTCOME_UNKNOWN;
    else if (strcmp(s, "other_nonce") == 0)
        *ret = OUTCOME_OTHER_NONCE;
    else
        return -EINVAL;
    return 0;
}

static int take_method(const char *s, enum method *ret)
{
    if (strcmp(s, method_name(METHOD_LEASE)) == 0)
        *ret = METHOD_LEASE;
    else if (strcmp(s, method_name(METHOD_ADVISORY)) == 0)
        *ret = METHOD_ADVISORY;
    else
        return -EINVAL;
    return 0;
}

static bool is_null(const PGresult *result, size_t row, enum column column)
{
    return PQgetisnull(result, (int)row, (int)column) != 0;
}

/* "" when it is null. */
static const char *cell(const PGresult *result, size_t row, enum column column)
{
    return PQgetvalue(result, (int)row, (int)column);
}

/* The columns of the record: all there, or all null. */
static int take_record(const PGresult *result, size_t row, struct reply *reply)
{
    struct record *r = &reply->record;
    size_t nulls = 0, count = 0;

    for (enum column c = COLUMN_TERM; c <= COLUMN_SINCE; c++, count++)
        nulls += is_null(result, row, c);
    reply->has_record = nulls == 0;
    if (nulls > 0)
        return nulls == count ? 0 : -EINVAL;

    if (take_number(cell(result, row, COLUMN_TERM), &r->term) < 0 ||
        take_owner(cell(result, row, COLUMN_OWNER), r->owner) < 0 ||
        take_nonce(cell(result, row, COLUMN_NONCE), &r->nonce) < 0 ||
        take_boolean(cell(result, row, COLUMN_CLEAN), &r->clean) < 0 ||
        take_boolean(cell(result, row, COLUMN_CLAIMABLE), &r->claimable) < 0 ||
        take_number(cell(result, row, COLUMN_LEASE), &r->lease) < 0 ||
        take_number(cell(result, row, COLUMN_STOP), &r->stop) < 0 ||
        take_number(cell(result, row, COLUMN_DURATION), &r->duration) < 0 ||
        take_method(cell(result, row, COLUMN_METHOD), &reply->method) < 0 ||
        take_number(cell(result, row, COLUMN_SINCE), &r->since) < 0)
        return -EINVAL;
    return 0;
}

static int take_row(const PGresult *result, size_t row, const char *owner, const struct request *q,
                    struct reply *reply, bool *held, struct tick_facts *facts)
{
    static const enum column always[] = {
        COLUMN_NUMBER,      COLUMN_OUTCOME, COLUMN_SYSTEM_ID, COLUMN_TIMELINE,
        COLUMN_SYNCHRONOUS, COLUMN_SESSION, COLUMN_HELD,      COLUMN_COMMIT,
        COLUMN_MESSAGES,    COLUMN_TIME,    COLUMN_STARTED,
    };
    uint64_t number;

    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (is_null(result, row, always[i]))
            return -EINVAL;
    if (take_number(cell(result, row, COLUMN_NUMBER), &number) < 0 || number != row + 1 ||
        take_outcome(cell(result, row, COLUMN_OUTCOME), &reply->outcome) < 0 ||
        take_bits(cell(result, row, COLUMN_SYSTEM_ID), &reply->epoch.system_id) < 0 ||
        take_number(cell(result, row, COLUMN_TIMELINE), &reply->epoch.timeline) < 0 ||
        take_boolean(cell(result, row, COLUMN_SYNCHRONOUS), &facts->synchronous) < 0 ||
        take_boolean(cell(result, row, COLUMN_SESSION), &facts->session) < 0 ||
        take_boolean(cell(result, row, COLUMN_HELD), held) < 0 ||
        take_number(cell(result, row, COLUMN_TIME), &reply->arbiter_time) < 0 ||
        take_number(cell(result, row, COLUMN_STARTED), &reply->epoch.started) < 0 ||
        take_record(result, row, reply) < 0)
        return -EINVAL;
    if (reply->epoch.timeline == 0 || reply->epoch.timeline > UINT32_MAX)
        return -EINVAL;
    if (!reply_fits(q, owner, reply))
        return -EINVAL;
    if (reply->outcome == OUTCOME_GRANTED && !*held && q->method == METHOD_ADVISORY &&
        (q->operation == OPERATION_CLAIM || q->operation == OPERATION_RENEW))
        return -EINVAL;
    facts->epoch = reply->epoch;
    facts->durable = strcmp(cell(result, row, COLUMN_COMMIT), "on") == 0 &&
                     strcmp(cell(result, row, COLUMN_MESSAGES), "warning") == 0;
    return 0;
}

int tick_decode(const PGresult *result, const char *owner, const struct request *requests, size_t n,
                struct reply *replies, bool *held, struct tick_facts *facts,
                char reterr_text[static ARBITER_TEXT_MAX])
{
    assert(n > 0);

    _cleanup_free_ struct reply *read = calloc(n, sizeof *read);
    struct tick_facts first = {0}, seen = {0};

    if (!read) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX, "out of memory");
        return -EBADMSG;
    }
    if (PQnfields(result) != COLUMNS || PQntuples(result) < 0 || (size_t)PQntuples(result) != n) {
        (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                       "the answer has %d rows of %d columns where %zu of %d were due: the schema "
                       "is of another version",
                       PQntuples(result), PQnfields(result), n, COLUMNS);
        return -EBADMSG;
    }
    for (size_t i = 0; i < n; i++) {
        int r = take_row(result, i, owner, &requests[i], &read[i], &held[i], &seen);

        if (i == 0)
            first = seen;
        if (r < 0 || !epoch_equal(&first.epoch, &seen.epoch) ||
            first.synchronous != seen.synchronous || first.durable != seen.durable ||
            first.session != seen.session) {
            (void)snprintf(reterr_text, ARBITER_TEXT_MAX,
                           "the answer for group \"%s\" makes no sense: the schema is of another "
                           "version, or was changed",
                           requests[i].group);
            return -EBADMSG;
        }
    }
    memcpy(replies, read, n * sizeof *replies);
    *facts = first;
    return 0;
}

const char *tick_holder(const PGresult *result, size_t i)
{
    assert(result);

    return is_null(result, i, COLUMN_HOLDER) ? NULL : cell(result, i, COLUMN_HOLDER);
}

int notice_decode(const char *payload, char group[static GROUP_NAME_MAX + 1],
                  struct release_notice *ret)
{
    char text[NOTICE_MAX];
    char *rest = text;

    assert(payload);
    assert(ret);

    if (strlen(payload) >= sizeof text)
        return -EINVAL;
    memcpy(text, payload, strlen(payload) + 1);
    const char *name = strsep(&rest, " ");
    const char *term = strsep(&rest, " ");
    if (!rest || !group_name_valid(name) || take_number(term, &ret->term) < 0 ||
        take_nonce(rest, &ret->nonce) < 0)
        return -EINVAL;
    (void)snprintf(group, GROUP_NAME_MAX + 1, "%s", name);
    return 0;
}
