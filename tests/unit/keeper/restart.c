/* SPDX-License-Identifier: Apache-2.0 */
/* The last resort: a host that restarts, as SIGKILL did not end the group. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TEST_CASE(restart, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(keeper_restarts_the_host)
{
    struct ticket t;
    int status;

    fence_by_reboot();
    t = start_leading();
    ck_assert_int_eq(access(in_folder("asked"), F_OK), 0);
    answer_barrier();
    usec_t restart_at = wait_restart();
    ck_assert(killed());
    ck_assert(restart_at >= t.deadline + STOP + KILL / 2);
    /* The button first; what it cannot do reboot(2) does, and all that again until it worked. */
    const char *button = pressed();
    ck_assert(button && button[0] == 'b');
    ck_assert_int_eq(unlink(in_folder("restarted")), 0);
    (void)wait_restart();
    ck_assert(!exited(&status));
}

/* Its processes may be dead; what it has mounted is not gone. */
TEST(keeper_restarts_the_host_for_a_unit_that_stays)
{
    fence_by_reboot();
    (void)start_leading();
    set_up_unit("a.service", true);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    (void)wait_restart();
}

/* Nobody knows what a PID 1 that hangs is about to start. */
TEST(keeper_restarts_the_host_for_a_pid1_that_hangs)
{
    fence_by_reboot();
    config.sysrq_trigger = NULL;
    (void)start_leading();
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    (void)wait_restart();
    ck_assert_str_eq(pressed(), "");
}

/* All processes are gone, and no unit keeps anything else: PID 1 may take its time to notice. */
TEST(no_restart_for_a_pid1_that_is_busy, .times = 2)
{
    int status;

    fence_by_reboot();
    (void)start_leading();
    put_stops(TERM, STOPS_NONE);
    set_up_unit("a.service", true);
    set_populated(false);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    if (_i == 1)
        answer_barrier();
    (void)wait_killed(clock_boottime() + PATIENCE);
    pause_for(3 * KILL);
    ck_assert(!restarted());
    ck_assert(!exited(&status));
    if (_i == 0)
        answer_barrier();
    set_up_unit("a.service", false);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* An address: PID 1 is done with its unit, and there it is still, or nobody knows. */
static const struct {
    uint64_t term;
    enum stops stops;
    bool restart;
} words[] = {
    {TERM, STOPS_LEFT, true},      {TERM, STOPS_OPEN, true},      {TERM, STOPS_GONE, false},
    {TERM, STOPS_NONE, false},     {TERM - 1, STOPS_LEFT, false}, /* of another term */
    {TERM - 1, STOPS_OPEN, false},
};

TEST(keeper_restarts_the_host_for_what_a_stop_left, EACH(words))
{
    fence_by_reboot();
    (void)start_leading();
    put_stops(words[_i].term, words[_i].stops);
    set_children(0);
    usec_t asked = clock_boottime();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    if (words[_i].restart)
        ck_assert(wait_restart() >= asked + STOP + KILL / 2);
    else {
        ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
        ck_assert(!restarted());
    }
}

TEST(the_agents_word_comes_in_time)
{
    int status;

    fence_by_reboot();
    (void)start_leading();
    put_stops(TERM, STOPS_OPEN);
    set_children(0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    put_stops(TERM, STOPS_GONE);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!restarted());
}

TEST(no_restart_after_an_end_in_time)
{
    fence_by_reboot();
    (void)start_leading();
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    (void)wait_killed(clock_boottime() + PATIENCE);
    pause_for(KILL / 10); /* SIGKILL takes its time */
    set_children(0);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(!restarted());
    ck_assert_str_eq(pressed(), "");
}

TEST(no_restart_unless_asked_for)
{
    int status;

    fence_by_reboot();
    config.reboot_after = 0;
    (void)start_leading();
    ck_assert_int_ne(access(in_folder("asked"), F_OK), 0);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    answer_barrier();
    (void)wait_killed(clock_boottime() + PATIENCE);
    pause_for(3 * KILL);
    ck_assert(!restarted());
    ck_assert_str_eq(pressed(), "");
    ck_assert(!exited(&status));
}

TEST(no_term_without_the_right_to_restart)
{
    struct ticket t = a_ticket();

    fence_by_reboot();
    folder_put("forbidden", "");
    put_ticket(&t);
    start_process(keeper_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert(!state_there());
    ck_assert(!take_notification(A_WHILE));
}

/* Of all that root may do this is what it keeps, for this one purpose. */
TEST(keeps_one_capability, .root = true)
{
    char path[64];

    fence_by_reboot();
    config.uid = SOME_UID;
    config.gid = SOME_UID;
    ck_assert_int_eq(chmod(folder(), 0777), 0); /* the file that restart() leaves */
    (void)start_leading();
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)keeper);
    const char *status = file_get(path);
    ck_assert(status);
    ASSERT_CONTAINS(status, "CapEff:\t0000000000400000\n");
    ASSERT_CONTAINS(status, "CapPrm:\t0000000000400000\n");
    ASSERT_CONTAINS(status, "CapInh:\t0000000000000000\n");
}
