/* SPDX-License-Identifier: Apache-2.0 */
/* The database's answer to a tick. First line: what was asked, a letter a request (o, c, r, l; in
 * capitals by the method advisory). Then a line a row, its columns divided by "|", "~" for null.
 * Believing an answer makes a leader: what is let through must fit the request. */
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <string.h>

#include "arbiter/tick_codec.h"
#include "base/cleanup.h"
#include "fuzz.h"

#define ROWS_MAX 16
#define COLUMNS_MAX 32
#define OWNER "db1/00000000000000000000000000000001"
#define TERM UINT64_C(4294967297)

static size_t read_requests(const char *letters, struct request ret[static ROWS_MAX])
{
    static const char known[] = "ocrld";
    size_t n = 0;

    for (; *letters && n < ROWS_MAX; letters++) {
        const char *at = strchr(known, *letters | 0x20);

        if (!at || !*at)
            continue;
        ret[n++] = (struct request){
            .operation = (enum operation)(at - known),
            .group = "a",
            .method = *letters & 0x20 ? METHOD_LEASE : METHOD_ADVISORY,
            .term = TERM,
            .expected_term = TERM - 1,
            .fresh_nonce = {.bytes = {0xaa, 0xbb}},
            .term_floor = TERM,
            .lease = 15 * USEC_PER_SEC,
            .stop = 5 * USEC_PER_SEC,
            .duration = 8670 * USEC_PER_MSEC,
        };
    }
    return n;
}

static PGresult *read_result(char *text)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    char name[] = "c", *line;
    PGresAttDesc columns[COLUMNS_MAX];
    int n_columns = 0;

    assert(result);
    for (int row = 0; row < ROWS_MAX && (line = fuzz_line(&text)); row++) {
        if (row == 0) { /* the first row says how many there are */
            n_columns = 1;
            for (const char *p = line; *p; p++)
                n_columns += *p == '|' && n_columns < COLUMNS_MAX;
            for (int i = 0; i < n_columns; i++)
                columns[i] = (PGresAttDesc){.name = name};
            assert(PQsetResultAttrs(result, n_columns, columns));
        }
        for (int i = 0; i < n_columns; i++) {
            char *cell = line ? strsep(&line, "|") : NULL;
            bool null = !cell || strcmp(cell, "~") == 0;

            assert(PQsetvalue(result, row, i, null ? NULL : cell, null ? -1 : (int)strlen(cell)));
        }
    }
    return result;
}

static void check_granted(const struct request *q, const struct reply *reply, bool held)
{
    static const struct nonce fresh = {.bytes = {0xaa, 0xbb}};
    const struct record *r = &reply->record;

    assert(reply->has_record);
    if (q->operation == OPERATION_OBSERVE)
        return;
    assert(strcmp(r->owner, q->operation == OPERATION_CONFIRM_DEAD ? "" : OWNER) == 0);
    assert(r->clean == (q->operation == OPERATION_RELEASE));
    if (q->operation == OPERATION_CLAIM || q->operation == OPERATION_CONFIRM_DEAD)
        assert(r->term >= TERM && r->lease == q->lease && r->stop == q->stop &&
               r->duration == q->duration && r->term >> 32 >= reply->epoch.timeline);
    else
        assert(r->term == TERM);
    if (q->operation != OPERATION_RELEASE) {
        assert(nonce_equal(&r->nonce, &fresh));
        assert(held || q->method == METHOD_LEASE || q->operation == OPERATION_CONFIRM_DEAD);
    }
}

static void check_reply(const struct request *q, const struct reply *reply, bool held,
                        const struct tick_facts *facts)
{
    assert(reply->epoch.timeline > 0 && reply->epoch.timeline <= UINT32_MAX);
    assert(epoch_equal(&reply->epoch, &facts->epoch));
    if (reply->has_record) {
        assert(reply->outcome != OUTCOME_UNKNOWN);
        assert(strlen(reply->record.owner) <= OWNER_MAX && reply->record.term <= INT64_MAX);
        assert(reply->record.lease <= INT64_MAX && reply->record.duration <= INT64_MAX);
    }
    if (reply->outcome == OUTCOME_GRANTED)
        check_granted(q, reply, held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct reply untouched = {.record.term = 77};
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *rest = text, *letters = fuzz_line(&rest), error[ARBITER_TEXT_MAX] = "";
    struct request requests[ROWS_MAX] = {0};
    struct reply replies[ROWS_MAX];
    struct tick_facts facts = {0};
    bool held[ROWS_MAX] = {false};
    size_t n = letters ? read_requests(letters, requests) : 0;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        replies[i] = untouched;
    PGresult *result = read_result(rest);
    int r = tick_decode(result, OWNER, requests, n, replies, held, &facts, error);

    PQclear(result);
    for (size_t i = 0; i < n; i++)
        if (r == 0)
            check_reply(&requests[i], &replies[i], held[i], &facts);
        else
            assert(r == -EBADMSG && *error && replies[i].record.term == 77);
    return 0;
}
