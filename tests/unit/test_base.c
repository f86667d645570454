/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/names.h"
#include "base/parse.h"
#include "base/stops.h"
#include "base/text.h"
#include "base/ticket.h"
#include "base/usec.h"
#include "support/test.h"

/* ---- usec ---- */

TEST_CASE(usec, .time_limit = 60);

TEST(usec_saturates)
{
    ck_assert_uint_eq(usec_add(1, 2), 3);
    ck_assert_uint_eq(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
    ck_assert_uint_eq(usec_add(USEC_INFINITY - 1, 1), USEC_INFINITY);
    ck_assert_uint_eq(usec_add(USEC_INFINITY - 1, 2), USEC_INFINITY);
    ck_assert_uint_eq(usec_sub(3, 2), 1);
    ck_assert_uint_eq(usec_sub(2, 3), 0);
    ck_assert_uint_eq(usec_sub(USEC_INFINITY, 5), USEC_INFINITY);
    ck_assert_uint_eq(usec_sub(USEC_INFINITY, USEC_INFINITY), 0);
    ck_assert_uint_eq(usec_min(1, 2), 1);
    ck_assert_uint_eq(usec_max(1, 2), 2);
}

/* ---- budget ---- */

TEST_CASE(budget, .time_limit = 60);

TEST(budget_of_the_defaults)
{
    struct budget b;

    ck_assert_int_eq(budget_compute(15 * USEC_PER_SEC, 5 * USEC_PER_SEC, &b), 0);
    ck_assert_uint_eq(b.lease, 15000000);
    ck_assert_uint_eq(b.stop, 5000000);
    ck_assert_uint_eq(b.kill, 1000000);
    ck_assert_uint_eq(b.duration, 8670000);
    ck_assert_uint_eq(b.poll, 2167500);
    ck_assert_uint_eq(b.request, 2167500);
}

/* The promise itself, in exact arithmetic of its own: 1000 (D + delta + S + K) <= L (1000 - 2). */
static bool promise_kept(usec_t lease, usec_t stop, usec_t duration)
{
    usec_t kill = lease / 10 < USEC_PER_SEC ? lease / 10 : USEC_PER_SEC;

    return 1000 * (duration + 300000 + stop + kill) <= lease * 998;
}

static void budget_properties_of(usec_t lease, usec_t stop)
{
    struct budget b = {.lease = 7};
    int r = budget_compute(lease, stop, &b);

    if (r < 0) {
        ck_assert_int_eq(r, -ERANGE);
        ck_assert_uint_eq(b.lease, 7); /* left alone */
        ck_assert(!promise_kept(lease, stop, BUDGET_RENEW_MIN_USEC));
        return;
    }
    ck_assert(promise_kept(lease, stop, b.duration));
    ck_assert(!promise_kept(lease, stop, b.duration + 2)); /* nothing given away but a rounding */
    ck_assert(b.duration >= BUDGET_RENEW_MIN_USEC);
    ck_assert(b.kill <= lease / 10);
    ck_assert(b.kill <= USEC_PER_SEC);
    ck_assert(b.poll <= b.duration / 4);
    ck_assert(b.poll <= BUDGET_POLL_MAX_USEC);
    ck_assert(b.poll > 0);
    ck_assert(b.request == b.poll);
    ck_assert(budget_holds(lease, stop, b.duration));
    ck_assert(!budget_holds(lease, stop, b.duration + 1));
}

TEST(budget_properties)
{
    for (usec_t lease = 100000; lease <= 40000000; lease += 99991)
        for (usec_t stop = 1; stop <= 40000000; stop += 299993)
            budget_properties_of(lease, stop);
    for (usec_t lease = 3600 * USEC_PER_SEC; lease <= BUDGET_LEASE_MAX_USEC;
         lease += 599 * USEC_PER_SEC)
        for (usec_t stop = 1; stop <= BUDGET_STOP_MAX_USEC; stop += 3599 * USEC_PER_SEC)
            budget_properties_of(lease, stop);
}

TEST(budget_smallest_is_the_smallest)
{
    struct budget b;

    for (usec_t stop = 1; stop < 20 * USEC_PER_SEC; stop += 33333) {
        usec_t lease = budget_smallest_lease(stop);

        ck_assert_uint_eq(lease % (100 * USEC_PER_MSEC), 0);
        ck_assert_int_eq(budget_compute(lease, stop, &b), 0);
        ck_assert_int_eq(budget_compute(lease - 100 * USEC_PER_MSEC, stop, &b), -ERANGE);
    }
    ck_assert(budget_smallest_lease(BUDGET_STOP_MAX_USEC) <= BUDGET_LEASE_MAX_USEC);
    ck_assert_uint_eq(budget_smallest_lease(BUDGET_STOP_MAX_USEC + 1), USEC_INFINITY);
    ck_assert_uint_eq(budget_smallest_lease(0), USEC_INFINITY);
}

TEST(budget_bounds)
{
    struct budget b;

    ck_assert_int_eq(budget_compute(0, 1, &b), -ERANGE);
    ck_assert_int_eq(budget_compute(15 * USEC_PER_SEC, 0, &b), -ERANGE);
    ck_assert_int_eq(budget_compute(BUDGET_LEASE_MAX_USEC, 1, &b), 0);
    ck_assert_int_eq(budget_compute(BUDGET_LEASE_MAX_USEC + 1, 1, &b), -ERANGE);
    ck_assert_int_eq(budget_compute(USEC_INFINITY, USEC_INFINITY, &b), -ERANGE);
    ck_assert(!budget_holds(0, 1, 1));
    ck_assert(!budget_holds(15000000, 0, 1));
    ck_assert(!budget_holds(15000000, 5000000, 0));
    ck_assert(budget_holds(15000000, 5000000, 8670000));
    ck_assert(!budget_holds(15000000, 5000000, 8670001));
    /* Sums that would wrap round. */
    ck_assert(!budget_holds(15000000, 5000000, USEC_INFINITY));
    ck_assert(!budget_holds(15000000, USEC_INFINITY, 1));
    ck_assert(!budget_holds(USEC_INFINITY, 1, USEC_INFINITY - 300000));
}

/* ---- names ---- */

TEST_CASE(names, .time_limit = 60);

static const char *const good_names[] = {"a", "billing", "my-group", "A.b_c-9",
                                         "0", "a--b",    "x2d",      "a-"};
static const char *const bad_names[] = {"",        "-a", ".a",  "_a",  "a b", "a/b",
                                        "a\\x2db", "ä",  "a\n", "a:b", "a@b"};

TEST(names_round_trip)
{
    char escaped[GROUP_ESCAPED_MAX + 1], group[GROUP_NAME_MAX + 1];

    for (size_t i = 0; i < sizeof good_names / sizeof *good_names; i++) {
        ck_assert(group_name_valid(good_names[i]));
        ck_assert_int_eq(group_escaped(good_names[i], escaped, sizeof escaped), 0);
        ck_assert_ptr_null(strchr(escaped, '-'));
        ck_assert_int_eq(group_from_instance(escaped, group, sizeof group), 0);
        ck_assert_str_eq(group, good_names[i]);
        ck_assert_int_eq(group_from_instance(good_names[i], group, sizeof group), 0);
        ck_assert_str_eq(group, good_names[i]);
    }
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        ck_assert(!group_name_valid(bad_names[i]));
        ck_assert(!node_name_valid(bad_names[i]));
        ck_assert_int_eq(group_escaped(bad_names[i], escaped, sizeof escaped), -EINVAL);
    }
    ck_assert(!group_name_valid(NULL));
}

/* What people type is the keeper's name; only a slice's "-" has a meaning of its own. */
TEST(names_of_units)
{
    char name[UNIT_NAME_LEN_MAX + 1];

    ck_assert_int_eq(group_keeper_unit("a-b", name, sizeof name), 0);
    ck_assert_str_eq(name, "tenure@a-b.service");
    ck_assert_int_eq(group_stop_unit("a-b", name, sizeof name), 0);
    ck_assert_str_eq(name, "tenure-stop@a-b.service");
    ck_assert_int_eq(group_slice_unit("a-b", name, sizeof name), 0);
    ck_assert_str_eq(name, "tenure-a\\x2db.slice");
    ck_assert_int_eq(group_slice_cgroup("a-b", name, sizeof name), 0);
    ck_assert_str_eq(name, "tenure.slice/tenure-a\\x2db.slice");
    ck_assert_int_eq(group_keeper_unit("a-b", name, strlen("tenure@a-b.service")), -ENOBUFS);
    ck_assert_int_eq(group_keeper_unit("a/b", name, sizeof name), -EINVAL);

    ck_assert_int_eq(group_earlier_keeper_unit("a-b", name, sizeof name), 0);
    ck_assert_str_eq(name, "tenure@a\\x2db.service");
    ck_assert_int_eq(group_earlier_keeper_unit("ab", name, sizeof name), -ENOENT);
    ck_assert_int_eq(group_earlier_keeper_unit("a/b", name, sizeof name), -EINVAL);
    ck_assert_int_eq(group_earlier_keeper_unit("a-b", name, 8), -ENOBUFS);
}

TEST(names_longest)
{
    char name[GROUP_NAME_MAX + 2], escaped[GROUP_ESCAPED_MAX + 1], group[GROUP_NAME_MAX + 1];

    memset(name, '-', sizeof name);
    name[0] = 'a';
    name[GROUP_NAME_MAX + 1] = '\0';
    ck_assert(!group_name_valid(name));
    ck_assert_int_eq(group_from_instance(name, group, sizeof group), -EINVAL);
    name[GROUP_NAME_MAX] = '\0';
    ck_assert_int_eq(group_escaped(name, escaped, sizeof escaped), 0);
    ck_assert_uint_eq(strlen(escaped), 1 + 4 * (GROUP_NAME_MAX - 1));
    ck_assert_int_eq(group_escaped(name, escaped, strlen(escaped)), -ENOBUFS);
    ck_assert_int_eq(group_escaped(name, escaped, sizeof escaped), 0);
    ck_assert_int_eq(group_from_instance(escaped, group, sizeof group), 0);
    ck_assert_str_eq(group, name);
}

TEST(names_no_third_spelling)
{
    static const char *const bad[] = {"",    "a-b\\x2dc", "a\\x2Db", "a\\x61", "\\x2da",
                                      "a\\", "-a",        "a\\x2",   "a\\x2e", "../a",
                                      "a/b", ".",         ".."};
    char group[GROUP_NAME_MAX + 1];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(group_from_instance(bad[i], group, sizeof group) == -EINVAL, "%s", bad[i]);
    ck_assert_int_eq(group_from_instance("abc", group, 3), -ENOBUFS);
}

/* ---- texts from outside ---- */

TEST_CASE(texts);

#define CUT_AT 12

static const struct {
    const char *text, *clean, *cut; /* cut: with room for CUT_AT, NULL: as clean */
} texts[] = {
    {NULL, "", NULL},
    {"", "", NULL},
    {"plain", "plain", NULL},
    {"  one\n\ttwo \r\n", "one two", NULL},
    {"\x1b[31mred\x7f\a", "[31mred", NULL},
    {"\xc2\x9b"
     "31m",
     "31m", NULL}, /* C1: a terminal's "ESC [" */
    {"a\xe2\x80\xa8"
     "b\xe2\x80\xa9",
     "a b", NULL},
    {"left \xe2\x80\xae"
     "right\xe2\x80\xac",
     "left ?right?", "left ?right"},
    {"\xd1\x81\xd0\xb5\xd1\x80\xd0\xb2\xd0\xb5\xd1\x80", "сервер", "серве"},
    {"a\xd1\x81\xd0\xb5\xd1\x80\xd0\xb2\xd0\xb5\xd1\x80", "aсервер", "aсерве"},
    {"cut \xd0", "cut", NULL}, /* by somebody else */
    {"cut \xf0\x9f\x98", "cut", NULL},
    {"latin \xe4 one", "latin ? one", NULL}, /* SQL_ASCII */
    {"\xff\xfe\x80", "???", NULL},
    {"\xc0\xaf\xe0\x80\xaf", "?????", NULL},  /* overlong */
    {"\xed\xa0\x80", "?", NULL},              /* a surrogate */
    {"\xef\xbf\xbe\xef\xb7\x90", "??", NULL}, /* no characters: D-Bus refuses them */
    {"\xf4\x90\x80\x80", "????", NULL},       /* beyond the last */
    {"\xf0\x9f\x98\x80 \xe2\x82\xac", "😀 €", NULL},
};

TEST(texts_are_cleaned, .times = sizeof texts / sizeof *texts)
{
    const char *cut = texts[_i].cut ? texts[_i].cut : texts[_i].clean;
    char text[64], place[64];

    ck_assert_str_eq(text_clean(texts[_i].text, text, sizeof text), texts[_i].clean);
    ck_assert_str_eq(text_clean(text, place, sizeof place), texts[_i].clean); /* as it is */
    (void)snprintf(place, sizeof place, "%s", texts[_i].text ? texts[_i].text : "");
    ck_assert_str_eq(text_clean(place, place, sizeof place), texts[_i].clean);
    ck_assert_str_eq(text_clean(texts[_i].text, text, CUT_AT), cut);
    ck_assert_str_eq(text_clean(texts[_i].text, text, 1), "");
}

/* ---- parsing ---- */

TEST_CASE(parsing, .time_limit = 60);

static const struct {
    const char *text;
    int result;
    uint64_t value;
} numbers[] = {
    {"0", 0, 0},
    {"007", 0, 7},
    {"18446744073709551615", 0, UINT64_MAX},
    {"18446744073709551616", -ERANGE, 0},
    {"99999999999999999999", -ERANGE, 0},
    {"", -EINVAL, 0},
    {" 1", -EINVAL, 0},
    {"1 ", -EINVAL, 0},
    {"+1", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"1x", -EINVAL, 0},
    {"0x1", -EINVAL, 0},
    {"1.0", -EINVAL, 0},
};

TEST(parse_numbers, EACH(numbers))
{
    uint64_t value = 42;

    ck_assert_int_eq(parse_u64(numbers[_i].text, &value), numbers[_i].result);
    ck_assert_uint_eq(value, numbers[_i].result < 0 ? 42 : numbers[_i].value);
}

static const struct {
    const char *text;
    int result;
    usec_t value;
} spans[] = {
    {"15s", 0, 15000000},
    {"15", 0, 15000000},
    {"0", 0, 0},
    {"250ms", 0, 250000},
    {"1.5s", 0, 1500000},
    {"8.67s", 0, 8670000},
    {"0.000001s", 0, 1},
    {"0.0000001s", 0, 0},
    {"1min 30s", 0, 90000000},
    {"1min30s", 0, 90000000},
    {" 2 h ", 0, 7200000000},
    {"1d", 0, 86400000000},
    {"2weeks", 0, 1209600000000},
    {"7us", 0, 7},
    {"1m", 0, 60000000},
    {"", -EINVAL, 0},
    {" ", -EINVAL, 0},
    {"s", -EINVAL, 0},
    {"-1s", -EINVAL, 0},
    {"1.s", -EINVAL, 0},
    {".5s", -EINVAL, 0},
    {"1 fortnight", -EINVAL, 0},
    {"1S", -EINVAL, 0},
    {"infinity", -EINVAL, 0},
    {"1s,", -EINVAL, 0},
    {"18446744073709551616us", -ERANGE, 0},
    {"18446744073709551615us", -ERANGE, 0},
    {"18446744073709551614us", 0, UINT64_MAX - 1},
    {"18446744073709551615s", -ERANGE, 0},
    {"18446744073709551614us 2us", -ERANGE, 0},
    {"99999999999999999999999", -ERANGE, 0},
};

TEST(parse_spans, EACH(spans))
{
    usec_t value = 42;

    ck_assert_int_eq(parse_span(spans[_i].text, &value), spans[_i].result);
    ck_assert_uint_eq(value, spans[_i].result < 0 ? 42 : spans[_i].value);
}

TEST(format_spans)
{
    static const struct {
        usec_t span;
        const char *text;
    } table[] = {
        {0, "0"},
        {999, "999us"},
        {250000, "250ms"},
        {15000000, "15s"},
        {8670000, "8.670s"},
        {90000000, "1min 30s"},
        {60000000, "1min"},
        {60250000, "1min 0.250s"},
        {USEC_INFINITY, "infinity"},
    };
    char text[SPAN_FORMAT_MAX];
    usec_t back;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_str_eq(format_span(table[i].span, text, sizeof text), table[i].text);
    /* What is printed can be read again. */
    for (usec_t span = 1000; span < 400 * USEC_PER_SEC; span += 777 * USEC_PER_MSEC) {
        ck_assert_int_eq(parse_span(format_span(span, text, sizeof text), &back), 0);
        ck_assert_uint_eq(back, span);
    }
}

/* ---- tickets ---- */

TEST_CASE(tickets, .time_limit = 60);

static const struct ticket sample = {
    .version = TICKET_VERSION,
    .group = "my-group",
    .node = "db1.example",
    .owner = "db1.example/0123456789abcdef0123456789abcdef",
    .term = (UINT64_C(1) << 32) + 1,
    .lease = 15000000,
    .stop = 5000000,
    .duration = 8670000,
    .deadline = 123456789,
};

static bool tickets_equal(const struct ticket *a, const struct ticket *b)
{
    return a->version == b->version && strcmp(a->group, b->group) == 0 &&
           strcmp(a->node, b->node) == 0 && strcmp(a->owner, b->owner) == 0 && a->term == b->term &&
           a->lease == b->lease && a->stop == b->stop && a->duration == b->duration &&
           a->deadline == b->deadline;
}

/* Of each version. */
TEST(ticket_round_trip, .first = TICKET_VERSION_FIXED, .times = 2)
{
    char text[TICKET_SIZE_MAX];
    struct ticket t = sample, back;

    t.version = (unsigned)_i;
    for (int i = 0; i < 3; i++) {
        t.deadline = (const usec_t[]){0, 123456789, UINT64_MAX}[i];
        int n = ticket_format(&t, text, sizeof text);

        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(ticket_parse(text, (size_t)n, &back), 0);
        ck_assert(tickets_equal(&t, &back));
    }
}

/* What may change is written over what was there. A version 1 has the deadline alone. */
TEST(ticket_tail_in_place, .first = TICKET_VERSION_FIXED, .times = 2)
{
    char text[TICKET_SIZE_MAX], tail[TICKET_TAIL_MAX];
    struct ticket t = sample, back;

    t.version = (unsigned)_i;
    int n = ticket_format(&t, text, sizeof text);

    ck_assert_int_gt(n, 0);
    t.deadline = 987654321;
    if (t.version != TICKET_VERSION_FIXED) {
        t.lease = UINT64_MAX;
        t.duration = 1;
    }
    int n_tail = ticket_format_tail(&t, tail, sizeof tail);
    ck_assert_int_gt(n_tail, 0);
    memcpy(text + n - n_tail, tail, (size_t)n_tail);
    ck_assert_int_eq(ticket_parse(text, (size_t)n, &back), 0);
    ck_assert(tickets_equal(&back, &t));
    ck_assert_int_eq(ticket_format_tail(&t, tail, 10), -ENOBUFS);
}

/* As agents and keepers of the first version wrote it: byte for byte. */
TEST(ticket_of_version_1)
{
    static const char text[] = "tenure-ticket 1\n"
                               "group=g\n"
                               "node=n\n"
                               "owner=n/1\n"
                               "term=4294967297\n"
                               "lease_usec=15000000\n"
                               "stop_usec=5000000\n"
                               "duration_usec=8670000\n"
                               "deadline_usec=00000000000123456789\n";
    char again[TICKET_SIZE_MAX];
    struct ticket t;

    ck_assert_int_eq(ticket_parse(text, sizeof text - 1, &t), 0);
    ck_assert_uint_eq(t.version, TICKET_VERSION_FIXED);
    ck_assert_uint_eq(t.lease, 15000000);
    ck_assert_uint_eq(t.stop, 5000000);
    ck_assert_uint_eq(t.duration, 8670000);
    ck_assert_uint_eq(t.deadline, 123456789);
    ck_assert_int_eq(ticket_format(&t, again, sizeof again), sizeof text - 1);
    ck_assert_str_eq(again, text);
}

/* A changed byte is refused, or it is another ticket that is written exactly so: nothing is
 * skipped, repaired or read two ways. */
TEST(ticket_every_byte_counts)
{
    char text[TICKET_SIZE_MAX], again[TICKET_SIZE_MAX];
    int n = ticket_format(&sample, text, sizeof text);

    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < 256; c++) {
            char original = text[i];
            struct ticket back = {.term = 7};

            if ((char)c == original)
                continue;
            text[i] = (char)c;
            int r = ticket_parse(text, (size_t)n, &back);
            if (r < 0) {
                ck_assert_int_eq(r, -EBADMSG);
                ck_assert_uint_eq(back.term, 7);
            } else {
                ck_assert(!tickets_equal(&back, &sample));
                ck_assert_int_eq(ticket_format(&back, again, sizeof again), n);
                ck_assert_int_eq(memcmp(text, again, (size_t)n), 0);
            }
            text[i] = original;
        }
}

TEST(ticket_truncated_or_longer)
{
    char text[TICKET_SIZE_MAX + 2] = {0}, cut[TICKET_SIZE_MAX + 2];
    struct ticket back;
    int n = ticket_format(&sample, text, TICKET_SIZE_MAX);

    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(ticket_parse(text, (size_t)i, &back), -EBADMSG);
        /* One byte missing, or doubled, in the middle. */
        memcpy(cut, text, (size_t)i);
        memcpy(cut + i, text + i + 1, (size_t)(n - i - 1));
        if (ticket_parse(cut, (size_t)n - 1, &back) == 0)
            ck_assert(!tickets_equal(&back, &sample));
        memcpy(cut + i + 1, text + i, (size_t)(n - i));
        cut[i] = text[i];
        if (ticket_parse(cut, (size_t)n + 1, &back) == 0)
            ck_assert(!tickets_equal(&back, &sample));
    }
    ck_assert_int_eq(ticket_parse(text, (size_t)n + 1, &back), -EBADMSG); /* a NUL at the end */
    text[n] = '\n';
    ck_assert_int_eq(ticket_parse(text, (size_t)n + 1, &back), -EBADMSG);
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(ticket_parse(text, TICKET_SIZE_MAX + 1, &back), -EBADMSG);
}

TEST(ticket_members_checked)
{
    char text[TICKET_SIZE_MAX];
    struct ticket t;

    t = sample;
    t.version = 0;
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t.version = TICKET_VERSION + 1;
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t = sample;
    t.term = 0;
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t.term = (uint64_t)INT64_MAX + 1;
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t = sample;
    strcpy(t.group, "a\nb");
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t = sample;
    strcpy(t.owner, "a=b c");
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    t = sample;
    t.node[0] = '\0';
    ck_assert_int_eq(ticket_format(&t, text, sizeof text), -EINVAL);
    ck_assert_int_eq(ticket_format(&sample, text, 10), -ENOBUFS);
}

TEST(ticket_longest_fits)
{
    char text[TICKET_SIZE_MAX];
    struct ticket t = sample, back;

    memset(t.group, 'g', GROUP_NAME_MAX);
    memset(t.node, 'n', NODE_NAME_MAX);
    memset(t.owner, 'o', OWNER_MAX);
    t.group[GROUP_NAME_MAX] = t.node[NODE_NAME_MAX] = t.owner[OWNER_MAX] = '\0';
    t.term = INT64_MAX;
    t.lease = t.stop = t.duration = t.deadline = UINT64_MAX;

    int n = ticket_format(&t, text, sizeof text);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(ticket_parse(text, (size_t)n, &back), 0);
    ck_assert(tickets_equal(&t, &back));
}

/* ---- what the agent says of stops ---- */

TEST_CASE(stops, .time_limit = 60);

TEST(stops_round_trip)
{
    char text[STOPS_HEAD_MAX];
    uint64_t term = 0;
    enum stops stops = STOPS_UNKNOWN;

    for (int s = STOPS_NONE; s <= STOPS_LEFT; s++) {
        int n = stops_head_format(INT64_MAX, (enum stops)s, text, sizeof text);

        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(stops_head_parse(text, (size_t)n, &term, &stops), n);
        ck_assert_uint_eq(term, INT64_MAX);
        ck_assert_int_eq((int)stops, s);
        /* Whatever comes after it. */
        text[n] = 'x';
        ck_assert_int_eq(stops_head_parse(text, (size_t)n + 1, &term, &stops), n);
        for (int cut = 0; cut < n; cut++)
            ck_assert_int_eq(stops_head_parse(text, (size_t)cut, &term, &stops), -EBADMSG);
        ck_assert_int_eq(stops_head_format(1, (enum stops)s, text, 20), -ENOBUFS);
    }
    ck_assert_int_eq(stops_head_format(1, STOPS_UNKNOWN, text, sizeof text), -EINVAL);
    ck_assert_int_eq(stops_head_format(0, STOPS_NONE, text, sizeof text), -EINVAL);
    ck_assert_int_eq(stops_head_format((uint64_t)INT64_MAX + 1, STOPS_NONE, text, sizeof text),
                     -EINVAL);
    ck_assert_str_eq(stops_word(STOPS_UNKNOWN), "unknown");
    ck_assert_str_eq(stops_word((enum stops)(STOPS_LEFT + 1)), "?");
}

static const char *const no_heads[] = {
    "",
    "tenure-stops 2\nterm=1\nstops=open\n",
    "tenure-stops 1\nterm=\nstops=open\n",
    "tenure-stops 1\nterm=0\nstops=open\n",
    "tenure-stops 1\nterm=01\nstops=open\n",
    "tenure-stops 1\nterm=9223372036854775808\nstops=open\n",
    "tenure-stops 1\nterm=1\nstops=unknown\n",
    "tenure-stops 1\nterm=1\nstops=\n",
    "tenure-stops 1\nterm=1\nstop=open\n",
};

TEST(no_head_of_stops, EACH(no_heads))
{
    uint64_t term = 7;
    enum stops stops = STOPS_GONE;

    ck_assert_int_eq(stops_head_parse(no_heads[_i], strlen(no_heads[_i]), &term, &stops), -EBADMSG);
    ck_assert_uint_eq(term, 7);
    ck_assert_int_eq(stops, STOPS_GONE);
}
