/* SPDX-License-Identifier: Apache-2.0 */
/* The files between agent and keeper: a ticket or state of any bytes, as the keeper takes it, the
 * agent reads it, and the fence believes it; what the agent knows of stops; and what the kernel
 * says of a cgroup. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "host/keeper_files.h"
#include "host/slice.h"
#include "host/stops_file.h"
#include "keeper/files.h"
#include "keeper/rules.h"

#define GROUP "a-b"
#define TICKET "c-d" /* not in the directory of GROUP */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    (void)mkdir(fuzz_path(GROUP), 0755);
    (void)mkdir(fuzz_path(GROUP "/live"), 0755);
    return 0;
}

/* A ticket that may start a term, now as late as can be. */
static void check_judged(const struct ticket *t)
{
    static const usec_t times[] = {0, 1, 123456789, INT64_MAX, USEC_INFINITY};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        usec_t now = times[i];

        if (keeper_judge_ticket(t, GROUP, now) != TICKET_GOOD)
            continue;
        struct keeper k = keeper_begin(t);
        assert(strcmp(t->group, GROUP) == 0 && t->term > 0);
        assert(now < k.deadline && k.deadline - now <= t->duration);
        assert(budget_holds(t->lease, t->stop, t->duration) && t->duration < t->lease);
        assert(keeper_wakeup(&k, false, now) == k.deadline);
        keeper_check_deadline(&k, k.deadline);
        assert(k.phase == KEEPER_ENDING && keeper_kill_time(&k) >= k.deadline);
        assert(usec_sub(keeper_kill_time(&k), k.deadline) <= t->stop);
    }
}

static void check_text(const char *text, size_t size, struct ticket *ret, bool *good)
{
    char again[TICKET_SIZE_MAX];

    *ret = (struct ticket){.term = 77};
    *good = ticket_parse(text, size, ret) == 0;
    if (!*good) {
        assert(ret->term == 77 && !ret->group[0]);
        return;
    }
    /* One spelling of everything. */
    int n = ticket_format(ret, again, sizeof again);
    assert(n > 0 && (size_t)n == size && memcmp(again, text, size) == 0);
    n = ticket_format_tail(ret, again, sizeof again);
    assert(n > 0 && (size_t)n < size && memcmp(again, text + size - (size_t)n, (size_t)n) == 0);
    assert(group_name_valid(ret->group) && node_name_valid(ret->node));
    check_judged(ret);
}

static void check_files(const char *text, size_t size, const struct ticket *t, bool good)
{
    struct ticket read;
    bool ours = good && strcmp(t->group, GROUP) == 0;

    fuzz_file(TICKET, text, size);
    int r = ticket_consume(fuzz_directory(), TICKET, geteuid(), &read);
    assert(r == (good ? 0 : -EBADMSG));
    assert(ticket_consume(fuzz_directory(), TICKET, geteuid(), &read) == -ENOENT);

    fuzz_file(GROUP "/live/state", text, size);
    assert((state_load(fuzz_directory(), GROUP, &read) == 0) == ours);
    assert((state_read(fuzz_directory(), GROUP, &read) == 0) ==
           (ours && budget_holds(t->lease, t->stop, t->duration)));
}

static void check_stops(const char *text, size_t size)
{
    static const char *const units[] = {"a.service", "b.mount"};
    struct stop_began began[2] = {{.since = 77}, {.since = 77}};
    struct stops_file f = {.term = 77, .n = 2, .units = units, .began = began};
    uint64_t term;
    enum stops stops;

    fuzz_file(STOPS_FILE_PREFIX GROUP, text, size);
    int head = stops_head_parse(text, size, &term, &stops);
    assert(stops_read(fuzz_directory(), GROUP, 0) == (head < 0 ? STOPS_UNKNOWN : stops));
    if (stops_load(fuzz_directory(), GROUP, &f) < 0) {
        assert(f.term == 77 && began[0].since == 77 && began[1].since == 77);
        return;
    }
    assert(head > 0 && f.term == term && f.stops == stops);
    assert(stops_read(fuzz_directory(), GROUP, term) == stops);
    assert(stops_read(fuzz_directory(), GROUP, term + 1) == STOPS_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    struct ticket t;
    uint64_t n = 77;
    bool good, populated = true;

    check_text(text, size, &t, &good);
    check_files(text, size, &t, good);
    int r = cgroup_stat_parse(text, &n);
    assert(r == 0 || (r == -EBADMSG && n == 77));
    r = cgroup_events_parse(text, &populated);
    assert(r == 0 || (r == -EBADMSG && populated));
    check_stops(text, size);
    return 0;
}
