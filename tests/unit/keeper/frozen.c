/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper that is frozen, and a PID 1 that hangs. */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE(frozen, .set_up = set_up, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(frozen_past_the_deadline)
{
    struct ticket t = start_leading();
    int status;

    pause_for(t.duration / 2);
    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(keeper, &status, WUNTRACED), keeper);
    /* In the queue before the deadline, and good for half of D beyond it. */
    usec_t queued = clock_boottime() + t.duration;
    send_verb(KEEPER_EXTEND, TERM, queued);
    ck_assert(clock_boottime() < t.deadline);
    pause_for(t.deadline - clock_boottime() + 20 * USEC_PER_MSEC);
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    ck_assert(wait_notified("STOPPING=1") < queued);
    ck_assert_ptr_null(strstr(notified, "WATCHDOG=1")); /* not one ping for it */
    ck_assert(!state_there());
}

TEST(frozen_past_the_kill_time)
{
    struct ticket t = start_leading();
    int status;

    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(keeper, &status, WUNTRACED), keeper);
    pause_for(t.deadline + STOP - clock_boottime() + 10 * USEC_PER_MSEC);
    ck_assert(!killed());
    usec_t thawed = clock_boottime();
    ck_assert_int_eq(kill(keeper, SIGCONT), 0);
    (void)wait_notified("STOPPING=1");
    (void)wait_killed(thawed + STOP - 100 * USEC_PER_MSEC); /* not S once more */
}

/* PID 1 reads nothing: its queue fills up, and the keeper neither waits for it nor gives up. */
TEST(a_pid1_that_reads_nothing)
{
    struct ticket t = start_leading();
    struct sockaddr_un address = socket_address(config.notify_socket);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    while (sendto(fd, "X=1", 3, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address) == 3)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    (void)close(fd);

    (void)wait_killed(t.deadline + STOP + PATIENCE);
    ck_assert(clock_boottime() >= t.deadline + STOP);
    ck_assert(!state_there());
    /* Once it reads again, both messages come, in this order. */
    set_children(0);
    (void)wait_notified("STOPPING=1");
    ck_assert_int_eq(barrier_fd, -1);
    answer_barrier();
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
