/* SPDX-License-Identifier: Apache-2.0 */
/* From the end of the term until nothing is left. */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TEST_CASE(ending, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(ends_on_sigterm)
{
    struct ticket t = start_leading();

    ck_assert_int_eq(kill(keeper, SIGHUP), 0);
    ck_assert_int_eq(kill(keeper, SIGINT), 0);
    ck_assert_int_eq(kill(keeper, SIGPIPE), 0);
    ck_assert(!take_notification(A_WHILE));
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    ck_assert(wait_notified("STOPPING=1") < t.deadline);
    ck_assert(!state_there());
    set_children(0);
    answer_barrier();
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < t.deadline);
}

TEST(ends_when_the_agent_says_so)
{
    struct ticket t = start_leading();

    send_verb(KEEPER_END, TERM, 0);
    ck_assert(wait_notified("STOPPING=1") < t.deadline);
    send_verb(KEEPER_EXTEND, TERM, clock_boottime() + t.duration); /* no way back */
    answer_barrier();
    ck_assert(!state_there());
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(kills_at_s_and_not_before)
{
    (void)start_leading();
    usec_t asked = clock_boottime();

    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    (void)wait_killed(asked + STOP + PATIENCE);
    ck_assert(clock_boottime() >= asked + STOP);
    /* Again and again, for as long as anything is left. */
    folder_put(CGROUP "cgroup.kill", "");
    (void)wait_killed(asked + STOP + PATIENCE);
    int status;
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* A unit without a process has no cgroup; what it runs to stop will have one. */
TEST(empty_is_not_enough_while_a_unit_is_up)
{
    int status;

    (void)start_leading();
    set_up_unit("b\\x2dc.service", true);
    set_up_unit("stranger.service", true);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(1);
    set_up_unit("b\\x2dc.service", false);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!killed());
}

TEST(empty_is_not_enough_without_the_barrier)
{
    int status;

    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    set_children(0);
    (void)wait_notified("BARRIER=1");
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    (void)close(barrier_fd);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(the_barrier_is_not_enough_while_something_is_left)
{
    int status;

    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* Not known to be empty is not empty: killed at S, and nobody leaves. */
TEST(an_unreadable_slice_counts_as_full)
{
    int status;

    (void)start_leading();
    folder_put(CGROUP "cgroup.stat", "nonsense\n");
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    while (!killed())
        ck_assert(!exited(&status));
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
