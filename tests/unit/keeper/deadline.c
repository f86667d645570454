/* SPDX-License-Identifier: Apache-2.0 */
/* What extends it, and what does not. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE(deadline, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(ends_at_the_deadline)
{
    struct ticket t = start_leading();
    usec_t stopping = wait_notified("STOPPING=1");

    ck_assert(stopping >= t.deadline);
    ck_assert(stopping < t.deadline + 500 * USEC_PER_MSEC);
    ck_assert(!state_there()); /* removed before PID 1 hears of it */
    ck_assert(!killed());
    answer_barrier();
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < t.deadline + STOP); /* a clean stop waits for nothing */
    ck_assert(!killed());
}

TEST(extension_is_honoured)
{
    struct ticket t = start_leading();
    usec_t deadline = t.deadline;

    for (int i = 0; i < 3; i++) {
        pause_for(t.duration / 3);
        deadline = clock_boottime() + t.duration;
        send_verb(KEEPER_EXTEND, TERM, deadline);
        wait_deadline_in_state(deadline);
    }
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1"));
    (void)wait_notified("WATCHDOG=1\nWATCHDOG_USEC=");
    usec_t stopping = wait_notified("STOPPING=1");
    ck_assert(stopping >= deadline);
    ck_assert(stopping < deadline + 500 * USEC_PER_MSEC);
    ck_assert(deadline > t.deadline);
}

/* Everything that must not prolong, sent every 10 ms until the deadline and beyond. */
TEST(nothing_else_prolongs)
{
    struct ticket t = start_leading();
    char junk[200] = {0};

    while (clock_boottime() < t.deadline - 20 * USEC_PER_MSEC) {
        usec_t far = clock_boottime() + t.duration;

        send_verb(KEEPER_EXTEND, TERM + 1, far);
        send_verb(KEEPER_EXTEND, TERM - 1, far);
        send_verb(KEEPER_EXTEND, TERM, t.deadline);
        send_verb(KEEPER_EXTEND, TERM, far + PATIENCE);
        send_verb(KEEPER_EXTEND, TERM, USEC_INFINITY);
        send_verb((enum keeper_verb)7, TERM, far);
        send_verb(KEEPER_END, TERM + 1, 0);
        send_bytes(junk, 1);
        send_bytes(junk, sizeof junk);
        pause_for(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(deadline_in_state(), t.deadline);
    }
    usec_t stopping = wait_notified("STOPPING=1");
    ck_assert(stopping >= t.deadline);
    ck_assert(stopping < t.deadline + 500 * USEC_PER_MSEC);
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1"));
}

TEST(a_strangers_message_does_nothing, .root = true)
{
    struct ticket t = start_leading();

    ck_assert_int_eq(chmod(in_folder(RUNTIME "extend"), 0666), 0);
    pid_t stranger = fork();
    ck_assert_int_ge(stranger, 0);
    if (stranger == 0) {
        if (setresuid(SOME_UID, SOME_UID, SOME_UID) < 0)
            _exit(1);
        send_verb(KEEPER_EXTEND, TERM, clock_boottime() + t.duration);
        send_verb(KEEPER_END, TERM, 0);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(stranger, &status, 0), stranger);
    ck_assert_int_eq(status, 0);
    pause_for(A_WHILE);
    ck_assert_uint_eq(deadline_in_state(), t.deadline);
    ck_assert(!strstr(notified, "STOPPING=1"));
    /* The same from the right user works, so it was the sender. */
    usec_t deadline = clock_boottime() + t.duration;
    send_verb(KEEPER_EXTEND, TERM, deadline);
    wait_deadline_in_state(deadline);
}
