/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "generator/generate.h"
#include "generator/guard.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/libconfig_leaks.h"
#include "support/test.h"

static char early[96], snapshot[96];
static const char *unit_dirs[2]; /* ended by NULL */

static void set_up(void)
{
    folder_make();
    folder_make_folder("early");
    (void)snprintf(early, sizeof early, "%s", in_folder("early"));
    (void)snprintf(snapshot, sizeof snapshot, "%s", in_folder("applied.conf"));
    unit_dirs[0] = folder();
}

TEST_CASE(guards, .set_up = set_up, .time_limit = 60);

static void expect_file(const char *name, const char *expected)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", early, name);
    const char *text = file_get(path);
    ck_assert_msg(text != NULL, "no %s", path);
    ck_assert_str_eq(text, expected);
}

static void expect_link(const char *name, const char *target)
{
    char path[512], found[512];

    (void)snprintf(path, sizeof path, "%s/%s", early, name);
    ssize_t n = readlink(path, found, sizeof found - 1);
    ck_assert_int_gt(n, 0);
    found[n] = '\0';
    ck_assert_str_eq(found, target);
}

static enum generate_source run(size_t n_problems)
{
    struct config_problems problems = {0};
    enum generate_source source;

    ck_assert_int_eq(generate(snapshot, early, unit_dirs, &problems, &source), 0);
    ck_assert_uint_eq(problems.n, n_problems);
    config_problems_clear(&problems);
    return source;
}

#define HEAD "node = \"n\"; arbiter = { type = \"postgresql\"; conninfo = \"dbname=tenure\"; };\n"
#define GOOD                                                                                       \
    HEAD "groups = ( { name = \"a-b\"; stop_timeout = \"2500ms\"; units = [ \"w.service\", "       \
         "\"w@1-2.service\", \"w.socket\", \"srv-x\\\\x2dy.mount\", \"w.timer\", \"w.path\", "     \
         "\"w.target\" ]; } );\n"

#define UNIT_PART                                                                                  \
    "# Written by tenure-generator: this unit belongs to group \"a-b\" and runs on its leader "    \
    "only.\n"                                                                                      \
    "[Unit]\n"                                                                                     \
    "BindsTo=tenure@a\\x2db.service\n"                                                             \
    "After=tenure@a\\x2db.service\n"                                                               \
    "AssertPathExists=/run/tenure/groups/a-b/live/state\n"
#define SERVICE_PART                                                                               \
    "\n[Service]\n"                                                                                \
    "Slice=tenure-a\\x2db.slice\n"                                                                 \
    "EnvironmentFile=-/run/tenure/groups/a-b/env\n"                                                \
    "TimeoutStopSec=2500000us\n"                                                                   \
    "TimeoutStopFailureMode=kill\n"                                                                \
    "SendSIGKILL=yes\n"                                                                            \
    "FinalKillSignal=SIGKILL\n"
#define LATE_PART                                                                                  \
    "DefaultDependencies=no\n"                                                                     \
    "Conflicts=shutdown.target\n"                                                                  \
    "Before=shutdown.target\n"                                                                     \
    "After=sysinit.target\n"
#define LOCK                                                                                       \
    "# Written by tenure-generator: the applied configuration is broken, so nothing that it "      \
    "names may start.\n"                                                                           \
    "[Unit]\n"                                                                                     \
    "AssertPathExists=/run/tenure/applied.conf-is-broken/run-tenurectl-apply\n"

static void expect_guards(void)
{
    expect_file("w.service.d/zz-tenure.conf", UNIT_PART SERVICE_PART);
    expect_file("w@1-2.service.d/zz-tenure.conf", UNIT_PART SERVICE_PART);
    expect_file("w.socket.d/zz-tenure.conf", UNIT_PART LATE_PART
                "\n[Socket]\nSlice=tenure-a\\x2db.slice\nTimeoutSec=2500000us\nSendSIGKILL=yes\n"
                "FinalKillSignal=SIGKILL\n");
    expect_file("srv-x\\x2dy.mount.d/zz-tenure.conf", UNIT_PART LATE_PART
                "\n[Mount]\nSlice=tenure-a\\x2db.slice\nTimeoutSec=2500000us\nSendSIGKILL=yes\n"
                "FinalKillSignal=SIGKILL\n");
    expect_file("w.timer.d/zz-tenure.conf", UNIT_PART LATE_PART);
    expect_file("w.path.d/zz-tenure.conf", UNIT_PART LATE_PART);
    expect_file("w.target.d/zz-tenure.conf", UNIT_PART LATE_PART);
    expect_file(
        "tenure@a\\x2db.service.d/zz-tenure.conf",
        "# Written by tenure-generator: the keeper of group \"a-b\" gets its slice, and the time "
        "it needs to end its units.\n"
        "[Unit]\nRequires=tenure-a\\x2db.slice\nAfter=tenure-a\\x2db.slice\n\n"
        "[Service]\n"
        "TimeoutStopSec=2550000us\n"
        "TimeoutAbortSec=2550000us\n"
        "Environment=\"TENURE_UNITS=w.service w@1-2.service w.socket "
        "srv-x\\\\x2dy.mount w.timer w.path w.target\"\n");
    expect_link("tenure@a\\x2db.service.wants/w.service", "../w.service");
    expect_link("tenure@a\\x2db.service.wants/srv-x\\x2dy.mount", "../srv-x\\x2dy.mount");
    expect_file("tenured.service.d/zz-tenure.conf",
                "# Written by tenure-generator: systemd keeps the units of all groups loaded.\n"
                "[Unit]\n"
                "Before=tenure@a\\x2db.service\n");
    ck_assert_uint_eq(folder_count("early"), 10);
}

TEST(every_type)
{
    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_guards();
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT); /* over what is there */
    expect_guards();
}

static bool is_linked(const char *unit)
{
    char path[512];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/tenure@t.service.wants/%s", early, unit);
    return lstat(path, &st) == 0;
}

/* A job of the night must not run with every takeover; but it is guarded like the others. */
TEST(what_a_timer_or_path_starts_is_not_pulled_up)
{
    folder_put("a.timer", "[Timer]\nOnCalendar=03:00\n");
    folder_put("b.path", "[Path]\nPathExists=/x\nUnit=other.service\n");
    folder_put("c.socket", "[Socket]\nListenStream=1\n");
    folder_put("applied.conf",
               HEAD "groups = ( { name = \"t\"; units = [ \"a.service\", \"a.timer\", \"b.path\", "
                    "\"b.service\", \"other.service\", \"c.socket\", \"c.service\" ]; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    ck_assert(!is_linked("a.service"));
    ck_assert(!is_linked("other.service"));
    ck_assert(is_linked("a.timer"));
    ck_assert(is_linked("b.path"));
    ck_assert(is_linked("b.service")); /* nobody else starts it */
    ck_assert(is_linked("c.socket"));
    ck_assert(is_linked("c.service")); /* serves the socket at once */
    ck_assert_uint_eq(folder_count("early"), 10);
}

/* What lets a keeper restart the host, and no other keeper. */
TEST(reboot_is_for_those_who_ask)
{
    folder_put("applied.conf",
               HEAD "groups = ( { name = \"f\"; lease = \"9s\"; stop_timeout = \"2s\"; units = [ "
                    "\"a.service\" ]; fence = \"reboot\"; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_file(
        "tenure@f.service.d/zz-tenure.conf",
        "# Written by tenure-generator: the keeper of group \"f\" gets its slice, and the time "
        "it needs to end its units.\n"
        "[Unit]\nRequires=tenure-f.slice\nAfter=tenure-f.slice\n\n"
        "[Service]\n"
        "TimeoutStopSec=2050000us\n"
        "TimeoutAbortSec=2050000us\n"
        "Environment=\"TENURE_UNITS=a.service\"\n"
        "Environment=TENURE_REBOOT_USEC=900000\n"
        "CapabilityBoundingSet=CAP_SYS_BOOT\n"
        "SystemCallFilter=reboot\n");
}

TEST(nothing_applied)
{
    ck_assert_int_eq(run(0), GENERATE_NOTHING);
    ck_assert_uint_eq(folder_count("early"), 0);
    folder_put("applied.conf", HEAD);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    ck_assert_uint_eq(folder_count("early"), 0);
}

static const char *const damaged[] = {
    "",
    "groups = (",
    HEAD "groups = ( { name = \"a-b\"; units = [ \"w.service\" ]; fence = \"none\"; } );",
    HEAD "groups = ( { name = \"a-b\"; units = [ \"w.service\", \"w.service\" ]; } );",
};

TEST(copy_stands_in, EACH(damaged))
{
    folder_put("applied.conf", damaged[_i]);
    folder_put("applied.conf" CONFIG_SNAPSHOT_COPY_SUFFIX, GOOD);
    ck_assert_int_eq(run(1), GENERATE_COPY);
    expect_guards();
}

TEST(copy_stands_in_for_missing)
{
    folder_put("applied.conf" CONFIG_SNAPSHOT_COPY_SUFFIX, GOOD);
    ck_assert_int_eq(run(0), GENERATE_COPY);
    expect_guards();
}

TEST(both_broken)
{
    folder_put(
        "applied.conf",
        "groups = ( { name = \"a-b\"; units = [ \"w.service\", \"srv-x\\\\x2dy.mount\", \"no "
        "unit.service\", \"../x.service\", \"tenure@x.service\", \"dbus.service\", \"cut.serv");
    folder_put("applied.conf" CONFIG_SNAPSHOT_COPY_SUFFIX,
               "rubbish \"v.timer\" \"\" \"\n\"v.service");
    ck_assert_int_eq(run(1), GENERATE_LOCK);
    expect_file("w.service.d/zz-tenure.conf", LOCK);
    expect_file("srv-x\\x2dy.mount.d/zz-tenure.conf", LOCK);
    expect_file("v.timer.d/zz-tenure.conf", LOCK);
    ck_assert_uint_eq(folder_count("early"), 3);
}

TEST(cannot_write)
{
    struct config_problems problems = {0};
    enum generate_source source;

    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(generate(snapshot, "/nonexistent", unit_dirs, &problems, &source), -ENOENT);
    /* One unit that cannot be guarded leaves the others guarded. */
    int fd = creat(strcat(early, "/w.service.d"), 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    *strrchr(early, '/') = '\0';
    ck_assert_int_eq(generate(snapshot, early, unit_dirs, &problems, &source), -ENOTDIR);
    expect_file("w.timer.d/zz-tenure.conf", UNIT_PART LATE_PART);
}

TEST(longest_names)
{
    struct config_group g = {.budget = {.stop = USEC_INFINITY}};
    char unit[UNIT_NAME_LEN_MAX + 1], text[GUARD_SIZE_MAX];

    memset(g.name, 'g', GROUP_NAME_MAX);
    memset(g.name + 1, '-', 54); /* the most that config lets through */
    memset(unit, 'u', sizeof unit);
    (void)strcpy(unit + UNIT_NAME_LEN_MAX - 10, ".service");
    ck_assert_int_gt(guard_unit_text(&g, unit, text, sizeof text), 0);
    ck_assert_int_eq(guard_unit_text(&g, unit, text, 100), -ENOBUFS);
    ck_assert_int_gt(guard_keeper_text(&g, text, sizeof text), 0);
    ck_assert_int_eq(guard_keeper_text(&g, text, 10), -ENOBUFS);
    ck_assert_int_eq(guard_lock_text(text, 10), -ENOBUFS);
}

/* A boot waits for its generators. What counts is its own time on a processor, since other tests
 * run beside it. Generous, for sanitizers and slow machines. */
TEST(a_thousand_groups_are_quick)
{
    struct timespec start, end;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(f);
    (void)fputs(HEAD "groups = (", f);
    for (int i = 0; i < CONFIG_GROUPS_MAX; i++)
        (void)fprintf(f, "%s{ name = \"g%d\"; units = [ \"u%d.service\", \"u%d.timer\" ]; }\n",
                      i ? "," : "", i, i, i);
    (void)fputs(");", f);
    (void)fclose(f);
    folder_put("applied.conf", text);
    free(text);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    ck_assert_uint_eq(folder_count("early"), 4 * CONFIG_GROUPS_MAX + 1);
    ck_assert_int_le(end.tv_sec - start.tv_sec, 5);
}
