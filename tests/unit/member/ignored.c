/* SPDX-License-Identifier: Apache-2.0 */
/* What a state ignores moves nothing and asks nothing. */
#include <errno.h>

#include "fixture.h"

TEST_CASE(ignored, .set_up = set_up);

static void standby(void)
{
    ck_assert_int_eq(f.m.state, MEMBER_STANDBY);
}

static void to_starting(void)
{
    starting();
}

static void to_leading(void)
{
    leading();
}

static void (*const into[MEMBER_STATES])(void) = {
    [MEMBER_STANDBY] = standby,      [MEMBER_CONFIRMING] = confirming,
    [MEMBER_STARTING] = to_starting, [MEMBER_LEADING] = to_leading,
    [MEMBER_ADOPTING] = adopting,    [MEMBER_ENDING] = ending,
    [MEMBER_RELEASING] = releasing,
};

/* The event as it moves a state that does not ignore it. */
static struct member_event telling(enum member_event_type type)
{
    static struct release_notice notice;
    static struct budget budget;

    ck_assert_int_eq(budget_compute(2 * L, S, &budget), 0);
    notice = (struct release_notice){.term = f.row.term, .nonce = next_nonce()};
    f.host.asked_at = f.now;
    return (struct member_event){
        .type = type,
        .nonce = next_nonce(),
        .fit = true,
        .may_claim = true,
        .notice = type == EVENT_HINT ? &notice : NULL,
        .host = type == EVENT_HOST ? &f.host : NULL,
        .error = type == EVENT_STARTED ? -EIO : 0,
        .budget = type == EVENT_RESUME ? &budget : NULL,
    };
}

/* Each cell of the matrix. */
static const int cells[MEMBER_STATES * MEMBER_EVENTS];

TEST(what_is_ignored_moves_nothing, EACH(cells))
{
    int cell = cells[_i] + _i; /* all zero: only their number counts */
    enum member_state state = (enum member_state)(cell / MEMBER_EVENTS);
    enum member_event_type type = (enum member_event_type)(cell % MEMBER_EVENTS);

    if (!member_ignores(state, type))
        return;
    into[state]();
    ck_assert_int_eq(f.m.state, state);
    f.now += 100 * MSEC;

    struct member before = f.m;

    step(telling(type));
    ck_assert_int_eq(f.m.state, state);
    ck_assert_uint_eq(f.u.actions, 0);
    ck_assert_int_eq(f.u.note, NOTE_NONE);
    ck_assert_int_eq(f.m.reason, before.reason);
    ck_assert_uint_eq(f.m.since, before.since);
    ck_assert_uint_eq(member_due(&f.m), member_due(&before));
    ck_assert_uint_eq(member_wake(&f.m), member_wake(&before));
    ck_assert_mem_eq(&f.m.term, &before.term, sizeof before.term);
    ck_assert_mem_eq(&f.m.seen, &before.seen, sizeof before.seen);
    ck_assert_mem_eq(&f.m.watch, &before.watch, sizeof before.watch);
}

/* And these are the cells: one that is ignored by mistake is one too many. */
TEST(what_is_ignored)
{
    static const unsigned n[MEMBER_EVENTS] = {
        [EVENT_CLOCK] = 2, [EVENT_SEND] = 2,    [EVENT_CONNECTED] = 2, [EVENT_HINT] = 6,
        [EVENT_HOST] = 2,  [EVENT_STARTED] = 6, [EVENT_STOP] = 2,      [EVENT_RESUME] = 4,
    };

    for (unsigned type = 0; type < MEMBER_EVENTS; type++) {
        unsigned found = 0;

        for (unsigned state = 0; state < MEMBER_STATES; state++)
            found += member_ignores((enum member_state)state, (enum member_event_type)type);
        ck_assert_uint_eq(found, n[type]);
    }
}
