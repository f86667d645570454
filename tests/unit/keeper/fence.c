/* SPDX-License-Identifier: Apache-2.0 */
/* What is left after a keeper, and the end that the fence makes of it: SIGKILL, then a restart. */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST_CASE(fence, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

static void leave_state(const struct ticket *t)
{
    char text[TICKET_SIZE_MAX];

    ck_assert_int_gt(ticket_format(t, text, sizeof text), 0);
    (void)mkdir(in_folder(RUNTIME "live"), 0755);
    folder_put(RUNTIME "live/state", text);
}

/* Starts the fence and waits for the kill; when that was, counted from the start. */
static usec_t fence_until_kill(void)
{
    usec_t start = clock_boottime();

    start_process(fence_run);
    (void)wait_killed(start + PATIENCE);
    return clock_boottime() - start;
}

static void assert_fence_goes_when_empty(void)
{
    int status;

    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(fence_has_nothing_to_do)
{
    usec_t start = clock_boottime();
    struct ticket t = a_ticket();

    leave_state(&t);
    set_children(0);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < start + STOP);
    ck_assert(!killed());
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.kill")), 0);
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.stat")), 0);
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.events")), 0);
    ck_assert_int_eq(rmdir(in_folder(CGROUP)), 0);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(fence_waits_for_units_that_are_up)
{
    struct ticket t = a_ticket();
    int status;

    leave_state(&t);
    set_children(0);
    set_up_unit("a.service", true);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_up_unit("a.service", false);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* Of a keeper that lived under an earlier version's name: the same group. */
TEST(fence_of_an_earlier_name)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    set_children(0);
    config.instance = "my\\x2dgroup";
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!killed());
}

TEST(fence_kills_at_once_without_state)
{
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_gives_s_with_state)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    ck_assert(fence_until_kill() >= STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_counts_from_a_deadline_that_passed)
{
    struct ticket t = a_ticket();

    t.deadline = clock_boottime() - STOP;
    leave_state(&t);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_believes_no_other_state)
{
    struct ticket t = a_ticket();

    strcpy(t.group, "other");
    leave_state(&t);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_believes_no_strangers_state, .root = true)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    ck_assert_int_eq(chown(in_folder(RUNTIME "live/state"), SOME_UID, SOME_UID), 0);
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_hurries_on_sigterm)
{
    struct ticket t = a_ticket();
    usec_t start = clock_boottime();

    leave_state(&t);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!killed());
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    (void)wait_killed(start + STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_takes_an_unreadable_slice_for_full)
{
    folder_put(CGROUP "cgroup.stat", "nonsense\n");
    ck_assert(fence_until_kill() < STOP);
    assert_fence_goes_when_empty();
}

TEST(fence_leaves_when_the_slice_goes)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.kill")), 0);
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.stat")), 0);
    ck_assert_int_eq(unlink(in_folder(CGROUP "cgroup.events")), 0);
    ck_assert_int_eq(rmdir(in_folder(CGROUP)), 0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(fence_restarts_the_host)
{
    struct ticket t = a_ticket();
    usec_t start = clock_boottime();

    fence_by_reboot();
    config.reboot_after = PATIENCE; /* the term's K counts */
    leave_state(&t);
    start_process(fence_run);
    ck_assert(wait_restart() >= start + STOP + KILL / 2);
    ck_assert(killed());
}

TEST(fence_restarts_the_host_without_state)
{
    usec_t start = clock_boottime();

    fence_by_reboot();
    set_up_unit("a.service", true);
    set_children(0);
    start_process(fence_run);
    usec_t took = wait_restart() - start;
    ck_assert(took >= KILL / 2);
    ck_assert(took < STOP);
}

TEST(fence_does_not_unless_asked_for)
{
    fence_by_reboot();
    config.reboot_after = 0;
    (void)fence_until_kill();
    pause_for(BUDGET_KILL_MAX_USEC + KILL);
    ck_assert(!restarted());
    assert_fence_goes_when_empty();
}

/* ---- what the agent says of the stops ---- */

/* An empty folder that a unit made is no process. */
TEST(fence_goes_though_an_empty_cgroup_is_left)
{
    struct ticket t = a_ticket();

    leave_state(&t);
    set_populated(false);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!killed());
}

TEST(fence_restarts_the_host_for_what_a_stop_left)
{
    struct ticket t = a_ticket();
    usec_t start = clock_boottime();

    fence_by_reboot();
    leave_state(&t);
    put_stops(TERM, STOPS_LEFT);
    set_children(0);
    start_process(fence_run);
    ck_assert(wait_restart() >= start + STOP + KILL / 2);
}

/* The keeper had ended its term, took the state away, and died: the agent's word counts all the
 * same. */
TEST(fence_restarts_the_host_for_what_a_stop_left_without_state)
{
    usec_t start = clock_boottime();

    fence_by_reboot();
    folder_make_folder(RUNTIME "live");
    put_stops(TERM, STOPS_LEFT);
    set_children(0);
    start_process(fence_run);
    ck_assert(wait_restart() - start < STOP);
}

/* A keeper whose start was refused: no unit began, and of another term the file may be. */
TEST(fence_asks_nobody_when_no_term_began, .times = 2)
{
    fence_by_reboot();
    if (_i == 1) {
        folder_make_folder(RUNTIME "live");
        folder_put(RUNTIME "live/state.new", "");
    }
    put_stops(TERM, STOPS_LEFT);
    set_children(0);
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!restarted());
}

TEST(fence_waits_for_the_agents_word)
{
    struct ticket t = a_ticket();
    int status;

    fence_by_reboot();
    leave_state(&t);
    put_stops(TERM, STOPS_OPEN);
    set_children(0);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    put_stops(TERM, STOPS_GONE);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!restarted());
}
