/* SPDX-License-Identifier: Apache-2.0 */

/* What is reported to PID 1 of the agent: in order, and without waiting for a PID 1 that reads
 * nothing. A call that waits lets its test run into the time limit. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify_queue.h"
#include "support/folder.h"
#include "support/socket.h"
#include "support/test.h"

#define TURNS_MAX 1000
#define LOOP_WAIT_USEC (10 * USEC_PER_MSEC)
#define WATCHDOG_TEXT "60000" /* microseconds */

static struct sockaddr_un address;
static int receiver, others; /* PID 1's socket; another service's */
static sd_event *event;
static struct notify_queue notify;

static void listen_again(void)
{
    (void)unlink(address.sun_path);
    receiver = socket_bind_datagrams(address.sun_path, SOCK_NONBLOCK);
}

static void set_up(void)
{
    folder_make();
    address = socket_address(in_folder("notify"));
    listen_again();
    others = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(others, 0);
    ck_assert_int_ge(sd_event_new(&event), 0);
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    ck_assert_int_ge(notify_queue_open(&notify, event, address.sun_path), 0);
}

static void tear_down(void)
{
    notify_queue_close(&notify);
    sd_event_unref(event);
    (void)close(others);
    (void)close(receiver);
}

TEST_CASE(messages, .set_up = set_up, .tear_down = tear_down);

/* How many messages it takes until PID 1's queue is full. */
static unsigned fill(void)
{
    unsigned n = 0;

    while (sendto(others, "others", 6, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address) >
           0)
        n++;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_gt(n, 0);
    return n;
}

static const char *next(void)
{
    static char text[1024];
    ssize_t n = recv(receiver, text, sizeof text - 1, MSG_DONTWAIT);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void drain(unsigned n)
{
    while (n-- > 0)
        ck_assert_str_eq(next(), "others");
}

/* Runs the loop until it has nothing to do. Returns how many turns that took. */
static unsigned go_on(void)
{
    unsigned n = 0;

    while (n < TURNS_MAX && sd_event_run(event, LOOP_WAIT_USEC) > 0)
        n++;
    return n;
}

TEST(what_there_is_room_for_is_sent_at_once)
{
    notify_queue_send(&notify, "READY=%d", 1);
    notify_queue_status(&notify, "leads nothing");
    ck_assert_str_eq(next(), "READY=1");
    ck_assert_str_eq(next(), "STATUS=leads nothing");
    ck_assert_str_eq(next(), "");
    ck_assert_uint_eq(go_on(), 0);
}

TEST(without_room_nothing_waits_and_the_order_is_kept)
{
    unsigned n = fill();

    notify_queue_send(&notify, "RELOADING=1");
    notify_queue_status(&notify, "old");
    notify_queue_send(&notify, "READY=1");
    notify_queue_status(&notify, "new");
    ck_assert_uint_eq(go_on(), 0); /* it does not spin either */
    drain(n);
    ck_assert_uint_gt(go_on(), 0);
    ck_assert_str_eq(next(), "RELOADING=1");
    ck_assert_str_eq(next(), "READY=1");
    ck_assert_str_eq(next(), "STATUS=new");
    ck_assert_str_eq(next(), "");
    notify_queue_send(&notify, "STOPPING=1");
    ck_assert_str_eq(next(), "STOPPING=1");
}

/* What was sent is not sent twice. */
TEST(one_place_becomes_free_after_the_other)
{
    unsigned n = fill();

    notify_queue_send(&notify, "RELOADING=1");
    notify_queue_send(&notify, "READY=1");
    for (unsigned i = 0; i < n; i++) {
        drain(1);
        (void)go_on();
    }
    ck_assert_str_eq(next(), "RELOADING=1");
    ck_assert_str_eq(next(), "READY=1");
    ck_assert_str_eq(next(), "");
}

TEST(of_too_much_the_latest_is_kept)
{
    char text[NOTIFY_TEXT_MAX];
    unsigned n = fill();

    for (unsigned i = 0; i < NOTIFY_WAITING_MAX + 3; i++)
        notify_queue_send(&notify, "X_NUMBER=%u", i);
    drain(n);
    (void)go_on();
    for (unsigned i = 3; i < NOTIFY_WAITING_MAX + 3; i++) {
        (void)snprintf(text, sizeof text, "X_NUMBER=%u", i);
        ck_assert_str_eq(next(), text);
    }
    ck_assert_str_eq(next(), "");
}

TEST(another_receiver_is_found)
{
    (void)fill();
    notify_queue_send(&notify, "READY=1");
    (void)close(receiver);
    listen_again();
    (void)go_on();
    ck_assert_str_eq(next(), "READY=1");
}

TEST(nobody_there_is_no_error)
{
    (void)close(receiver);
    (void)unlink(address.sun_path);
    notify_queue_send(&notify, "READY=1");
    notify_queue_status(&notify, "alone");
    ck_assert_uint_eq(go_on(), 0);
    listen_again();
    notify_queue_send(&notify, "STOPPING=1");
    ck_assert_str_eq(next(), "STOPPING=1");
    ck_assert_str_eq(next(), "");

    notify_queue_close(&notify);
    ck_assert_int_ge(notify_queue_open(&notify, event, NULL), 0); /* not started by systemd */
    notify_queue_send(&notify, "READY=1");
    ck_assert_uint_eq(go_on(), 0);
}

TEST(the_watchdog_is_fed_by_the_loop)
{
    notify_queue_close(&notify);
    ck_assert_int_eq(setenv("WATCHDOG_USEC", WATCHDOG_TEXT, 1), 0);
    ck_assert_int_ge(notify_queue_open(&notify, event, address.sun_path), 0);
    ck_assert_str_eq(next(), ""); /* by the loop alone */
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_gt(sd_event_run(event, USEC_PER_SEC), 0);
        ck_assert_str_eq(next(), "WATCHDOG=1");
    }
    /* Without room: once, when there is some. */
    unsigned n = fill();
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_gt(sd_event_run(event, USEC_PER_SEC), 0);
    drain(n);
    ck_assert_int_gt(sd_event_run(event, USEC_PER_SEC), 0);
    ck_assert_str_eq(next(), "WATCHDOG=1");
    ck_assert_str_eq(next(), "");
}
