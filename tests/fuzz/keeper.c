/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper's life: its lease and stop timeout in milliseconds, then a line for each thing that
 * happens. Whatever is sent, its term ends at a deadline that somebody granted.
 *
 *     t USEC                                      time passes
 *     m LENGTH MAGIC VERB RESERVED TERM USEC FROM LEASE DURATION
 *                                                 a datagram; the deadline counted from now, and
 *                                                 the rest as it differs from a good one
 *     s                                           SIGTERM
 *     c                                           it looks at its deadline */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "keeper/rules.h"

#define TERM 4294967297
#define START ((usec_t)1000000000)

static void check_extended(const struct keeper *before, const struct keeper *k, usec_t now)
{
    assert(before->phase == KEEPER_LEADING && now < before->deadline);
    assert(k->deadline >= before->deadline && k->deadline - now <= k->duration);
    assert(k->deadline > before->deadline ||
           (k->lease <= before->lease && k->duration <= before->duration));
    assert(budget_holds(k->lease, k->stop, k->duration) && k->stop == before->stop);
}

static void check_same(const struct keeper *a, const struct keeper *b)
{
    assert(a->version == b->version && a->phase == b->phase && a->reason == b->reason);
    assert(a->term == b->term && a->deadline == b->deadline && a->ended == b->ended);
    assert(a->lease == b->lease && a->stop == b->stop && a->duration == b->duration);
}

static void receive(struct keeper *k, char *line, usec_t now)
{
    struct keeper before = *k;
    size_t length = sizeof(struct keeper_message) + (size_t)fuzz_number(&line);
    bool odd = length != sizeof(struct keeper_message);
    struct keeper_message m = {.magic = KEEPER_MESSAGE_MAGIC ^ (uint64_t)fuzz_number(&line),
                               .verb = (uint32_t)fuzz_number(&line),
                               .reserved = (uint32_t)fuzz_number(&line),
                               .term = (uint64_t)TERM + (uint64_t)fuzz_number(&line)};
    m.deadline = now + (uint64_t)fuzz_number(&line);
    bool from_agent = fuzz_number(&line) == 0;
    m.lease = before.lease + (uint64_t)fuzz_number(&line);
    m.duration = before.duration + (uint64_t)fuzz_number(&line);
    enum message_verdict verdict = keeper_receive(k, &m, length, from_agent, now);

    assert(*message_verdict_text(verdict));
    if (verdict != MESSAGE_EXTENDED && verdict != MESSAGE_ENDED) {
        check_same(&before, k);
        return;
    }
    assert(from_agent && !odd && m.magic == KEEPER_MESSAGE_MAGIC && m.term == TERM &&
           m.reserved == 0);
    assert(m.verb == (verdict == MESSAGE_EXTENDED ? KEEPER_EXTEND : KEEPER_END));
    if (verdict == MESSAGE_EXTENDED)
        check_extended(&before, k, now);
    else
        assert(k->phase == KEEPER_ENDING && k->deadline == before.deadline);
}

static void check(const struct keeper *before, const struct keeper *k, usec_t now)
{
    usec_t wake = keeper_wakeup(k, false, now), watchdog = keeper_watchdog_span(k, now);

    assert(k->deadline >= before->deadline && k->term == TERM);
    assert(before->phase == KEEPER_LEADING || k->phase == KEEPER_ENDING);
    assert(keeper_may_exit(k, &(struct keeper_look){.answered = true}, false) ==
           (k->phase == KEEPER_ENDING));
    assert(!keeper_may_exit(k, &(struct keeper_look){.answered = true, .up = true}, false) &&
           !keeper_may_exit(k, &(struct keeper_look){.answered = true, .populated = true}, false) &&
           !keeper_may_exit(k, &(struct keeper_look){.answered = false}, false));
    assert(watchdog > 0 && watchdog < USEC_INFINITY);
    assert(usec_add(now, watchdog) <= usec_max(now + 1, usec_add(k->deadline, BUDGET_SLACK_USEC)));
    if (k->phase == KEEPER_LEADING) {
        assert(wake == k->deadline && keeper_kill_time(k) == USEC_INFINITY);
        assert(!keeper_kill_due(k, now));
        return;
    }
    assert(wake > now || keeper_kill_due(k, now));
    assert(keeper_kill_time(k) <= usec_add(k->deadline, k->stop));
    assert(k->reason != KEEPER_END_NONE && *keeper_end_reason_text(k->reason));
    if (before->phase == KEEPER_ENDING)
        assert(k->reason == before->reason && keeper_kill_time(k) == keeper_kill_time(before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *rest = text, *line = fuzz_line(&rest);
    usec_t now = START;
    struct budget b;

    usec_t lease = (usec_t)fuzz_number(&line) * USEC_PER_MSEC;
    if (budget_compute(lease, (usec_t)fuzz_number(&line) * USEC_PER_MSEC, &b) < 0)
        return 0;
    struct ticket t = {.group = "a",
                       .node = "n",
                       .owner = "n/1",
                       .term = TERM,
                       .lease = b.lease,
                       .stop = b.stop,
                       .duration = b.duration,
                       .deadline = now + b.duration};
    assert(keeper_judge_ticket(&t, "a", now) == TICKET_GOOD);
    struct keeper k = keeper_begin(&t);
    while ((line = fuzz_line(&rest))) {
        struct keeper before = k;
        const char *what = fuzz_word(&line);

        if (*what == 't')
            now = usec_add(now, (usec_t)llabs(fuzz_number(&line) % INT32_MAX));
        else if (*what == 'm')
            receive(&k, line, now);
        else if (*what == 's')
            keeper_end(&k, KEEPER_END_SIGNAL, now);
        else
            keeper_check_deadline(&k, now);
        assert(now < k.deadline || *what != 'c' || k.phase == KEEPER_ENDING);
        check(&before, &k, now);
    }
    return 0;
}
