/* SPDX-License-Identifier: Apache-2.0 */

/* What of the agent is not the lab's business: whether this host's clock is within what the budget
 * tolerates, and what becomes of the groups when the applied configuration changes. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/clock_rate.h"
#include "daemon/configure.h"
#include "daemon/daemon.h"
#include "daemon/group.h"
#include "daemon/status.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/test.h"
#include "support/text.h"

TEST_CASE(rate);

#define PPM 65536L /* of timex.freq */

static bool fits(long tick, long ppm)
{
    struct timex t = {.tick = tick, .freq = ppm * PPM};
    char text[RATE_TEXT_MAX] = "?";
    bool fit = rate_within(&t, text);

    /* The reason is there exactly when it is needed. */
    ck_assert_int_eq(fit, text[0] == '\0');
    return fit;
}

TEST(an_undisturbed_clock_fits)
{
    ck_assert(fits(10000, 0));
    ck_assert(fits(10000, 500)); /* as far as the kernel's own discipline goes */
    ck_assert(fits(10000, -500));
}

TEST(a_thousandth_is_the_limit)
{
    ck_assert(fits(10009, 99));
    ck_assert(!fits(10009, 100));
    ck_assert(!fits(10010, 0));
    ck_assert(fits(9991, -99));
    ck_assert(!fits(9991, -100));
    ck_assert(!fits(9990, 0));
    ck_assert(fits(10010, -1));    /* what counts is the sum */
    ck_assert(!fits(11000, -500)); /* chrony's fastest slew */
    ck_assert(!fits(9000, 500));
}

static bool offset_fits(long usec, long constant, int status, long ppm)
{
    struct timex t = {.tick = 10000,
                      .freq = ppm * PPM,
                      .offset = status & STA_NANO ? usec * 1000 : usec,
                      .constant = constant,
                      .status = status | STA_PLL};
    char text[RATE_TEXT_MAX];

    return rate_within(&t, text);
}

/* systemd-timesyncd corrects up to 0.4 s so; at its shortest poll interval the constant is 1. */
TEST(an_offset_is_slewed_too)
{
    ck_assert(!offset_fits(390000, 1, STA_NANO, 0));
    ck_assert(!offset_fits(-390000, 1, STA_NANO, 0));
    ck_assert(offset_fits(7999, 1, STA_NANO, 0)); /* an eighth of it each second */
    ck_assert(!offset_fits(8000, 1, STA_NANO, 0));
    ck_assert(!offset_fits(-8000, 1, STA_NANO, 0));
    ck_assert(offset_fits(8000, 7, STA_NANO, 0)); /* a 512th */
    ck_assert(!offset_fits(8000, 1, 0, 0));       /* microseconds */
    ck_assert(offset_fits(7999, 1, 0, 0));
    ck_assert(!offset_fits(-4000, 1, STA_NANO, 500)); /* they do not cancel each other */
    ck_assert(!offset_fits(1000, 10, STA_NANO | STA_PPSTIME | STA_PPSSIGNAL, 0));
    ck_assert(offset_fits(390000, 99, STA_NANO, 0)); /* no kernel's: not shifted away */
    ck_assert(!offset_fits(8000, -1, STA_NANO, 0));
}

TEST(the_reason_names_the_rate)
{
    struct timex t = {.tick = 10500};
    char text[RATE_TEXT_MAX];

    ck_assert(!rate_within(&t, text));
    ASSERT_CONTAINS(text, "50000 ppm");
}

TEST(the_rate_of_this_host_can_be_read)
{
    struct rate_reading reading;

    rate_read(&reading);
    ck_assert(reading.kernel_says || reading.sharp);
    /* Whatever it is: if it is refused, then for its rate. */
    if (!reading.kernel_within)
        ASSERT_CONTAINS(reading.text, "ppm");
}

/* ---- configurations: a real host layer and arbiter, with nobody at the other end ---- */

static struct daemon d;
static char snapshot[64];
static const char *const applied[] = {snapshot, NULL};

/* groups: one letter each; 'A' is group a with another unit. */
static void apply(const char *node, const char *groups)
{
    FILE *f = fopen(snapshot, "w");

    ck_assert(f);
    (void)fprintf(f,
                  "node = \"%s\";\narbiter = { type = \"postgresql\"; conninfo = "
                  "\"host=/nonexistent dbname=x\"; };\ngroups = (",
                  node);
    for (const char *g = groups; *g; g++)
        (void)fprintf(f, "%s { name = \"%c\"; units = [ \"%c.service\" ]; }",
                      g == groups ? "" : ",", *g | 0x20, *g);
    (void)fprintf(f, " );\n");
    ck_assert_int_eq(fclose(f), 0);
}

static int on_chores(sd_event_source *source, void *userdata)
{
    (void)source;
    (void)userdata;
    return 0;
}

static void set_up(void)
{
    folder_make();
    (void)snprintf(snapshot, sizeof snapshot, "%s", in_folder("applied.conf"));
    d = (struct daemon){.applied = applied,
                        .fit = true,
                        .notify = NOTIFY_CLOSED,
                        .arbiter_handler = &daemon_arbiter_handler};
    memset(d.instance, 'a', INSTANCE_ID_LEN);
    ck_assert_int_ge(sd_event_new(&d.event), 0);
    ck_assert_int_ge(sd_event_add_defer(d.event, &d.chores, on_chores, NULL), 0);
    ck_assert_int_ge(host_new(d.event, &daemon_host_handler, &d, &d.host), 0);
    ck_assert_int_ge(api_new(&daemon_api_source, &d, &d.api), 0);
}

static void tear_down(void)
{
    d.arbiter = arbiter_free(d.arbiter);
    for (size_t i = 0; i < d.n_groups; i++)
        (void)group_free(d.groups[i]);
    free(d.groups);
    d.api = api_free(d.api);
    d.host = host_free(d.host);
    d.config = config_free(d.config);
    d.next = config_free(d.next);
    sd_event_source_unref(d.chores);
    sd_event_unref(d.event);
}

TEST_CASE(configure, .set_up = set_up, .tear_down = tear_down);

static void reload(const char *node, const char *groups)
{
    char text[REASON_MAX] = "";

    apply(node, groups);
    ck_assert_msg(configure_begin(&d, text) == 0, "%s", text);
    ck_assert_msg(configure_finish(&d, text) == 0, "%s", text);
}

/* Each of these groups is there, in order, and the host watches it. */
static void has(const char *groups)
{
    ck_assert_uint_eq(d.n_groups, strlen(groups));
    for (size_t i = 0; i < d.n_groups; i++) {
        const char name[] = {groups[i], '\0'};

        ck_assert_str_eq(d.groups[i]->config->name, name);
        ck_assert_ptr_eq(daemon_group(&d, name), d.groups[i]);
        ck_assert_ptr_nonnull(host_view(d.host, name));
        ck_assert(!d.groups[i]->member.stopping);
    }
}

/* Nothing is left for text_clean() to do: for D-Bus to take it that is enough. */
static void expect_clean(const char *text)
{
    char again[2048];

    ck_assert_str_eq(text_clean(text, again, sizeof again), text);
}

TEST(groups_come_and_go_and_the_others_stay)
{
    static const char *const steps[] = {"abc", "ac",     "abcdefg", "aefg", "aceghix",
                                        "",    "abcxyz", "z",       "aZ",   "az"};

    apply("n1", "ab");
    ck_assert_int_eq(configure_start(&d), 0);
    has("ab");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char groups[16];
        struct group *before = daemon_group(&d, "a");

        reload("n1", steps[i]);
        (void)snprintf(groups, sizeof groups, "%s", steps[i]);
        for (char *g = groups; *g; g++)
            *g = (char)(*g | 0x20);
        has(groups);
        if (before && strchr(steps[i], 'a'))
            ck_assert_ptr_eq(daemon_group(&d, "a"), before); /* not even touched */
    }
    ck_assert_ptr_null(daemon_group(&d, "b"));
}

TEST(a_renamed_node_owns_under_its_new_name)
{
    apply("n1", "ab");
    ck_assert_int_eq(configure_start(&d), 0);
    reload("n2", "ab");
    has("ab");
    ck_assert_int_eq(strncmp(daemon_group(&d, "a")->member.owner, "n2/", 3), 0);
}

TEST(a_broken_snapshot_changes_nothing)
{
    char text[REASON_MAX] = "";

    apply("n1", "ab");
    ck_assert_int_eq(configure_start(&d), 0);
    file_put(snapshot, "nonsense = {");
    ck_assert_int_eq(configure_begin(&d, text), -EBADMSG);
    ASSERT_CONTAINS(text, snapshot);
    has("ab");
    /* With a broken one from the start there are no groups, until there is a good one. */
    tear_down();
    set_up();
    file_put(snapshot, "nonsense = {");
    ck_assert_int_eq(configure_start(&d), 0);
    has("");
    ck_assert_ptr_null(d.config);
    reload("n1", "abc");
    has("abc");
}

/* A server's own language, longer than anything here: whatever it is, it is shown, and once. */
TEST(what_the_server_says_is_shown_once)
{
    static const char *const said[] = {"ВАЖНО:  сервер не принимает соединения ",
                                       "\x1b[31m\xc2\x9b", "a", "\xff\xfe", "ab"};
    char text[2048];
    struct api_manager manager;
    struct api_group group;

    apply("n1", "ab");
    ck_assert_int_eq(configure_start(&d), 0);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        size_t n = 0;

        for (size_t k = 0; k <= i % 3; k++) /* cut at every byte of a letter */
            text[n++] = 'x';
        while (n + strlen(said[i]) < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", said[i]);
        daemon_arbiter_handler.lost(&d, text);
        status_publish_line(&d);
        daemon_api_source.describe_manager(&d, &manager);
        ck_assert_uint_gt(strlen(manager.arbiter), ARBITER_TEXT_MAX / 2);
        expect_clean(manager.arbiter);
        expect_clean(manager.status);
        ASSERT_CONTAINS(manager.status, "arbiter out of reach: ");
        for (size_t k = 0; k < d.n_groups; k++) {
            ck_assert(daemon_api_source.describe_group(&d, d.groups[k]->config->name, &group));
            ck_assert_str_eq(group.reason, "the arbiter cannot be reached");
        }
    }
}

static void expect_group(const char *role, const char *reason)
{
    struct api_group group;

    for (size_t k = 0; k < d.n_groups; k++) {
        ck_assert(daemon_api_source.describe_group(&d, d.groups[k]->config->name, &group));
        ck_assert_str_eq(group.role, role);
        ck_assert_str_eq(group.reason, reason);
    }
}

/* Connections come and go while requests wait for it; whose fault that is does not change. */
TEST(a_lock_on_all_records_blocks_until_somebody_can_write)
{
    apply("n1", "ab");
    ck_assert_int_eq(configure_start(&d), 0);
    daemon_arbiter_handler.connected(&d, "PostgreSQL");
    daemon_arbiter_handler.locked(&d, "the table is locked:\n process 7");
    expect_group("blocked", "the table is locked: process 7");
    daemon_arbiter_handler.lost(&d, "no answer in time");
    expect_group("blocked", "the table is locked: process 7");
    daemon_arbiter_handler.connected(&d, "PostgreSQL");
    daemon_arbiter_handler.locked(&d, "the table is locked: process 8");
    expect_group("blocked", "the table is locked: process 8");
    /* That the server cannot be reached does not end the lock: it is not logged again afterwards.
     */
    daemon_arbiter_handler.lost(&d, "Connection refused");
    daemon_arbiter_handler.locked(&d, NULL);
    expect_group("blocked", "the arbiter cannot be reached");
    ck_assert_str_eq(d.locked_logged, "the table is locked: process 8");

    /* A record that is another one was written by somebody. */
    struct reply reply = {
        .outcome = OUTCOME_GRANTED,
        .has_record = true,
        .record = {.lease = 15 * USEC_PER_SEC, .duration = 8 * USEC_PER_SEC},
    };
    daemon_arbiter_handler.connected(&d, "PostgreSQL");
    daemon_arbiter_handler.locked(&d, NULL);
    ck_assert_str_eq(d.locked_logged, "");
    daemon_arbiter_handler.locked(&d, "the table is locked: process 9");
    for (int i = 0; i < 2; i++) {
        expect_group("blocked", "the table is locked: process 9");
        struct member_event event = {.type = EVENT_SEND};
        struct request request;

        ck_assert(group_step(d.groups[0], &event, &request));
        reply.record.term++;
        d.tick[0] = d.groups[0];
        d.n_tick = 1;
        daemon_arbiter_handler.replies(&d, &reply, 1);
    }
    ck_assert_str_eq(d.locked, "");
    /* So is who has it on another server. */
    daemon_arbiter_handler.locked(&d, "the table is locked: process 9");
    reload("n2", "ab");
    ck_assert_str_eq(d.locked, "");
}

TEST(what_was_never_polled_has_not_stepped_down)
{
    apply("n1", "a");
    ck_assert_int_eq(configure_start(&d), 0);
    group_event(d.groups[0], EVENT_STOP);
    /* PID 1 has not said that no keeper lives: the guards must not go yet. */
    ck_assert(!member_settled(&d.groups[0]->member));
}
