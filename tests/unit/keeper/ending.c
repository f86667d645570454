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

/* A unit may leave an empty folder in its slice, and a PID 1 that is busy leaves all of them. But
 * as long as a unit is up, one of them may be that of a process to come. */
TEST(an_empty_cgroup_is_nothing_once_no_unit_is_up)
{
    int status;

    (void)start_leading();
    set_up_unit("a.service", true);
    set_populated(false);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_up_unit("a.service", false);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!killed());
}

#define LETTERS_50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define LETTERS_200 LETTERS_50 LETTERS_50 LETTERS_50 LETTERS_50

/* "invocation:" and a name of 244 characters are the longest name that a file can have. */
TEST(an_empty_cgroup_counts_where_a_unit_can_have_no_link, .times = 2)
{
    static const char *const names[] = {
        "a.service " LETTERS_200 "0123456789012345678901234567890123456.service",
        "a.service " LETTERS_200 "012345678901234567890123456789012345.service"};
    int status;

    config.units = names[_i];
    (void)start_leading();
    set_populated(false);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    if (_i == 0) {
        pause_for(A_WHILE);
        ck_assert(!exited(&status));
        set_children(0);
    }
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* Neither link nor cgroup: what it keeps is known to the agent alone. */
TEST(the_agents_word_counts_where_a_unit_can_have_no_link)
{
    int status;

    config.units = LETTERS_200 "0123456789012345678901234567890123456.service";
    (void)start_leading();
    put_stops(TERM, STOPS_OPEN);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    put_stops(TERM, STOPS_LEFT); /* all are inactive, and this host is not to be restarted */
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(a_slice_that_cannot_be_read_counts_as_populated)
{
    int status;

    (void)start_leading();
    set_children(0);
    folder_put(CGROUP "cgroup.events", "populated 7\n");
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
