/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config/file.h"
#include "config/load.h"
#include "generator/generate.h"
#include "guard/each.h"
#include "guard/names.h"
#include "guard/text.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/libconfig_leaks.h"
#include "support/test.h"
#include "support/text.h"

static char early[96], snapshot[96];
static char groups_dir[96], main_file[96], run_dir[96], invocations[96];
static const char *unit_dirs[2]; /* ended by NULL */
static char copy[112], until_boot[96], older[112], copy_dir[96];
static const char *const applied[] = {snapshot, copy, until_boot, older, NULL};
static const struct generate_paths paths = {
    .applied = applied,
    .copy_dir = copy_dir,
    .main_file = main_file,
    .groups_dir = groups_dir,
    .run_dir = run_dir,
    .invocations = invocations,
    .early_dir = early,
    .unit_dirs = unit_dirs,
};

static void set_up(void)
{
    folder_make();
    folder_make_folder("early");
    (void)snprintf(early, sizeof early, "%s", in_folder("early"));
    (void)snprintf(snapshot, sizeof snapshot, "%s", in_folder("applied.conf"));
    (void)snprintf(copy, sizeof copy, "%s.copy", snapshot);
    (void)snprintf(until_boot, sizeof until_boot, "%s", in_folder("until-boot.conf"));
    (void)snprintf(older, sizeof older, "%s.older", snapshot);
    (void)snprintf(copy_dir, sizeof copy_dir, "%s", in_folder("copy"));
    (void)snprintf(main_file, sizeof main_file, "%s", in_folder("tenure.conf"));
    (void)snprintf(run_dir, sizeof run_dir, "%s", in_folder("run"));
    (void)snprintf(invocations, sizeof invocations, "%s", in_folder("invocations"));
    (void)snprintf(groups_dir, sizeof groups_dir, "%s", in_folder("groups.d"));
    unit_dirs[0] = folder();
}

TEST_CASE(guards, .set_up = set_up, .time_limit = 60);

static char *read_early(const char *name)
{
    char path[512], *text = NULL;

    (void)snprintf(path, sizeof path, "%s/%s", early, name);
    ck_assert_msg(file_read(path, 65536, &text) == 0, "%s: %s", path, strerror(errno));
    return text;
}

static void expect_file(const char *name, const char *expected)
{
    char *text = read_early(name);

    ck_assert_str_eq(text, expected);
    free(text);
}

static void expect_same(const char *a, const char *b)
{
    char *one = read_early(a), *other = read_early(b);

    ck_assert_str_eq(one, other);
    free(one);
    free(other);
}

static enum generate_source run(size_t n_problems)
{
    struct config_problems problems = {0};
    enum generate_source source;

    ck_assert_int_eq(generate(&paths, &problems, &source), 0);
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
    "# Written by tenure: this unit belongs to group \"a-b\" and runs on its leader only.\n"       \
    "[Unit]\n"                                                                                     \
    "BindsTo=tenure@a-b.service\n"                                                                 \
    "After=tenure@a-b.service\n"                                                                   \
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
    "# Written by tenure: the applied configuration is missing or broken, so nothing that "        \
    "belongs to a group may start.\n"                                                              \
    "[Unit]\n"                                                                                     \
    "AssertPathExists=/run/tenure/nothing-is-applied/run-tenurectl-apply\n"
#define SERVICE_LOCK LOCK "\n[Service]\nRestart=no\n"

/* There are no files of w.timer and w.path, which may start w.service therefore. */
#define EACH_WITHOUT_TIME(key)                                                                     \
    key "w@1-2.service\n" key "w.socket\n" key "srv-x\\x2dy.mount\n" key "w.timer\n" key           \
        "w.path\n" key "w.target\n"
#define EACH_UNIT(key) key "w.service\n" EACH_WITHOUT_TIME(key)

static void expect_guards(void)
{
    expect_file("w.service.d/~tenure.conf", UNIT_PART SERVICE_PART);
    expect_file("w@1-2.service.d/~tenure.conf", UNIT_PART SERVICE_PART);
    expect_file("w.socket.d/~tenure.conf", UNIT_PART LATE_PART
                "\n[Socket]\nSlice=tenure-a\\x2db.slice\nTimeoutSec=2500000us\nSendSIGKILL=yes\n"
                "FinalKillSignal=SIGKILL\n");
    expect_file("srv-x\\x2dy.mount.d/~tenure.conf", UNIT_PART LATE_PART
                "\n[Mount]\nSlice=tenure-a\\x2db.slice\nTimeoutSec=2500000us\nSendSIGKILL=yes\n"
                "FinalKillSignal=SIGKILL\n");
    expect_file("w.timer.d/~tenure.conf", UNIT_PART LATE_PART);
    expect_file("w.path.d/~tenure.conf", UNIT_PART LATE_PART);
    expect_file("w.target.d/~tenure.conf", UNIT_PART LATE_PART);
    expect_file(
        "tenure@a-b.service.d/~tenure.conf",
        "# Written by tenure: the keeper of group \"a-b\" gets its slice and its units, and "
        "the time it needs to end them.\n"
        "[Unit]\nRequires=tenure-a\\x2db.slice\nAfter=tenure-a\\x2db.slice\n" EACH_UNIT(
            "PropagatesStopTo=") EACH_UNIT("Before=")
            EACH_WITHOUT_TIME(
                "Wants=") "\n[Service]\n"
                          "TimeoutStopSec=2550000us\n"
                          "TimeoutAbortSec=2550000us\n"
                          "Environment=\"TENURE_UNITS=w.service w@1-2.service w.socket "
                          "srv-x\\\\x2dy.mount w.timer w.path w.target\"\n");
    expect_file("tenured.service.d/~tenure.conf",
                "# Written by tenure: systemd keeps the units of all groups loaded.\n"
                "[Unit]\n"
                "Before=tenure@a-b.service\n");
    ck_assert_uint_eq(folder_count("early"), 9);
}

TEST(every_type)
{
    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_guards();
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT); /* over what is there */
    expect_guards();
}

static bool is_wanted(const char *unit)
{
    char path[512], line[512], *text = NULL;

    (void)snprintf(path, sizeof path, "%s/tenure@t.service.d/~tenure.conf", early);
    (void)snprintf(line, sizeof line, "\nWants=%s\n", unit);
    ck_assert_int_eq(file_read(path, 65536, &text), 0);
    bool found = strstr(text, line);
    free(text);
    return found;
}

/* A nightly job must not run with every failover; but it is guarded like the others. */
TEST(what_a_timer_or_path_starts_is_not_pulled_up)
{
    folder_put("a.timer", "[Timer]\nOnCalendar=03:00\n");
    folder_put("b.path", "[Path]\nPathExists=/x\nUnit=other.service\n");
    folder_put("c.socket", "[Socket]\nListenStream=1\n");
    folder_put("applied.conf",
               HEAD "groups = ( { name = \"t\"; units = [ \"a.service\", \"a.timer\", \"b.path\", "
                    "\"b.service\", \"other.service\", \"c.socket\", \"c.service\" ]; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    ck_assert(!is_wanted("a.service"));
    ck_assert(!is_wanted("other.service"));
    ck_assert(is_wanted("a.timer"));
    ck_assert(is_wanted("b.path"));
    ck_assert(is_wanted("b.service")); /* nobody else starts it */
    ck_assert(is_wanted("c.socket"));
    ck_assert(is_wanted("c.service")); /* serves the socket at once */
    ck_assert_uint_eq(folder_count("early"), 9);
}

/* What lets a keeper restart the host, and no other keeper. */
TEST(reboot_is_for_those_who_ask)
{
    folder_put("applied.conf",
               HEAD "groups = ( { name = \"f\"; lease = \"9s\"; stop_timeout = \"2s\"; units = [ "
                    "\"a.service\" ]; fence = \"reboot\"; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_file(
        "tenure@f.service.d/~tenure.conf",
        "# Written by tenure: the keeper of group \"f\" gets its slice and its units, and the time "
        "it needs to end them.\n"
        "[Unit]\nRequires=tenure-f.slice\nAfter=tenure-f.slice\nPropagatesStopTo=a.service\n"
        "Before=a.service\nWants=a.service\n\n"
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
    folder_put("applied.conf.copy", GOOD);
    ck_assert_int_eq(run(1), GENERATE_COPY);
    expect_guards();
}

TEST(copy_stands_in_for_missing)
{
    folder_put("applied.conf.copy", GOOD);
    ck_assert_int_eq(run(0), GENERATE_COPY);
    expect_guards();
}

TEST(both_broken)
{
    folder_put(
        "applied.conf",
        "groups = ( { name = \"a-b\"; units = [ \"w.service\", \"srv-x\\\\x2dy.mount\", \"no "
        "unit.service\", \"../x.service\", \"tenure@x.service\", \"dbus.service\", \"cut.serv");
    folder_put("applied.conf.copy", "rubbish \"v.timer\" \"\" \"\n\"v.service");
    ck_assert_int_eq(run(1), GENERATE_LOCK);
    expect_file("w.service.d/~tenure-lock.conf", SERVICE_LOCK);
    expect_file("srv-x\\x2dy.mount.d/~tenure-lock.conf", LOCK);
    expect_file("v.timer.d/~tenure-lock.conf", LOCK);
    ck_assert_uint_eq(folder_count("early"), 3);
}

/* Missing is not empty: what is still to be read of the administrator's files counts. */
TEST(both_missing)
{
    ck_assert_int_eq(mkdir(groups_dir, 0755), 0);
    folder_put("tenure.conf", HEAD "groups = ( { name = \"m\"; units = [ \"m.service\" ]; } );\n");
    folder_put("groups.d/a.conf",
               "# units = [ \"no.service\" ]\n// \"nor.service\"\n/* \"\n \"this.service\" */\n"
               "groups = ( { name = \"a\"; units = [ \"a.service\", # \"not\"\n"
               "\"a.timer\", \"d\\\\x2de.mount\", \"dbus.service\" ]; } );\n");
    folder_put("groups.d/b.conf", "broken \"#b.service\" \"b.socket\" /* \"c.service\"");
    folder_put("groups.d/c.txt", "\"t.service\"");
    ck_assert_int_eq(run(0), GENERATE_LOCK);
    expect_file("m.service.d/~tenure-lock.conf", SERVICE_LOCK);
    expect_file("a.service.d/~tenure-lock.conf", SERVICE_LOCK);
    expect_file("a.timer.d/~tenure-lock.conf", LOCK);
    expect_file("d\\x2de.mount.d/~tenure-lock.conf", LOCK);
    expect_file("b.socket.d/~tenure-lock.conf", LOCK);
    ck_assert_uint_eq(folder_count("early"), 5);
}

/* All is deleted on a leader, or what could not be read of it: what runs is still bound to its
 * term, and cannot be started again. */
TEST(all_is_lost_on_a_leader)
{
    char command[512];

    folder_put("tenure.conf", GOOD);
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir -p run/a-b/live groups.d copy/w.timer.d copy/w.path.d && "
                   "touch run/a-b/live/state copy/w.path.d/~tenure.conf",
                   folder());
    ck_assert_int_eq(system(command), 0);
    folder_put("copy/w.timer.d/~tenure.conf", UNIT_PART LATE_PART);
    folder_put("groups.d/other.conf",
               "groups = ( { name = \"other\"; units = [ \"o.service\" ]; } );\n");
    ck_assert_int_eq(run(0), GENERATE_LOCK);
    expect_file("w.service.d/~tenure.conf", UNIT_PART SERVICE_PART);
    expect_file("w.service.d/~tenure-lock.conf", SERVICE_LOCK);
    expect_file("w.path.d/~tenure.conf", UNIT_PART LATE_PART);
    expect_file("w.path.d/~tenure-lock.conf", LOCK);
    expect_same("w.target.d/~tenure.conf", "w.path.d/~tenure.conf");
    expect_file("o.service.d/~tenure-lock.conf", SERVICE_LOCK);
    /* Neither what has a copy nor what is not led here. */
    (void)snprintf(command, sizeof command,
                   "cd %s/early && test ! -e w.timer.d && test ! -e o.service.d/~tenure.conf && "
                   "test ! -e tenure@other.service.d && grep -qx PropagatesStopTo=w.timer "
                   "'tenure@a-b.service.d/~tenure.conf'",
                   folder());
    ck_assert_int_eq(system(command), 0);
    /* A keeper's copy is not hidden either. */
    (void)snprintf(command, sizeof command,
                   "cd %s && mkdir 'copy/tenure@a-b.service.d' && mv early/tenure@*/~tenure.conf "
                   "copy/tenure@*/",
                   folder());
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(run(0), GENERATE_LOCK);
    (void)snprintf(command, sizeof command, "test ! -e %s/early/tenure@*/~tenure.conf", folder());
    ck_assert_int_eq(system(command), 0);
}

/* An upgrade from a version that escaped the group's name in the keeper's: what lives under that
 * name ends, with what it needs for that, before another one starts. */
TEST(earlier_keeper)
{
    folder_put("applied.conf", GOOD);
    folder_make_folder("invocations");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    ck_assert(access(in_folder("early/tenure@a\\x2db.service.d"), F_OK) < 0);

    /* PID 1's links lead nowhere. */
    ck_assert_int_eq(
        symlink("0123456789abcdef", in_folder("invocations/invocation:tenure@a\\x2db.service")), 0);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_file(
        "tenure@a\\x2db.service.d/~tenure.conf",
        "# Written by tenure: the keeper of group \"a-b\" has another name in this version. The "
        "one "
        "of\n"
        "# the earlier name ends, and cannot be started any more.\n"
        "[Unit]\nBindsTo=tenure@a-b.service\nConflicts=tenure@a-b.service\n"
        "Before=tenure@a-b.service\n"
        "Requires=tenure-a\\x2db.slice\nAfter=tenure-a\\x2db.slice\n" EACH_UNIT(
            "Before=") "\n[Service]\n"
                       "RuntimeDirectory=\n"
                       "RuntimeDirectory=tenure/groups/a-b\n"
                       "TimeoutStopSec=2550000us\n"
                       "TimeoutAbortSec=2550000us\n"
                       "Environment=\"TENURE_UNITS=w.service "
                       "w@1-2.service w.socket srv-x\\\\x2dy.mount "
                       "w.timer w.path w.target\"\n");
    /* And all else as ever. */
    expect_file("w.service.d/~tenure.conf", UNIT_PART SERVICE_PART);
    ck_assert_uint_eq(folder_count("early"), 10);
}

/* Without what is applied, too: units that are led are bound to the new name all the same. */
TEST(earlier_keeper_of_a_declared_group)
{
    folder_put("tenure.conf", GOOD);
    folder_make_folder("invocations");
    ck_assert_int_eq(
        symlink("0123456789abcdef", in_folder("invocations/invocation:tenure@a\\x2db.service")), 0);
    ck_assert_int_eq(run(0), GENERATE_LOCK);
    const char *text = file_get(in_folder("early/tenure@a\\x2db.service.d/~tenure.conf"));
    ck_assert_ptr_nonnull(text);
    ASSERT_CONTAINS(text, "\nBindsTo=tenure@a-b.service\n");
}

TEST(broken_and_declared)
{
    ck_assert_int_eq(mkdir(groups_dir, 0755), 0);
    folder_put("groups.d/a.conf", "groups = ( { name = \"a\"; units = [ \"a.service\" ]; } );\n");
    folder_put("applied.conf", "nonsense = { \"w.service\"");
    ck_assert_int_eq(run(1), GENERATE_LOCK);
    expect_file("w.service.d/~tenure-lock.conf", SERVICE_LOCK);
    expect_file("a.service.d/~tenure-lock.conf", SERVICE_LOCK);
    ck_assert_uint_eq(folder_count("early"), 2);
}

/* What is applied counts, not what is to be. */
TEST(declared_and_applied)
{
    ck_assert_int_eq(mkdir(groups_dir, 0755), 0);
    folder_put("groups.d/a.conf", "groups = ( { name = \"a\"; units = [ \"a.service\" ]; } );\n");
    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_guards();
}

/* Where /etc cannot be written: nothing is amiss, and what is there counts before it. */
TEST(applied_until_the_next_boot)
{
    folder_put("until-boot.conf", GOOD);
    ck_assert_int_eq(run(0), GENERATE_VOLATILE);
    expect_guards();
    folder_put("applied.conf.copy", HEAD);
    ck_assert_int_eq(run(0), GENERATE_COPY);
}

/* Somebody went back to an earlier version for a while, and had it apply something else. */
TEST(applied_by_an_earlier_version_since)
{
    folder_put("applied.conf.older", HEAD
               "groups = ( { name = \"a-b\"; units = [ \"w.service\", \"new.timer\" ]; } );\n");
    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(run(0), GENERATE_OLDER);
    expect_file("new.timer.d/~tenure-lock.conf", LOCK);
    expect_file("w.service.d/~tenure.conf", UNIT_PART SERVICE_PART);
    ck_assert_uint_eq(folder_count("early"), 10);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/w.service.d/~tenure-lock.conf", early);
    ck_assert_int_eq(access(path, F_OK), -1);
    /* It says the same, or is all that there is. */
    (void)snprintf(path, sizeof path, "rm -r %s/new.timer.d", early);
    ck_assert_int_eq(system(path), 0);
    folder_put("applied.conf.older",
               HEAD "groups = ( { name = \"a-b\"; units = [ \"w.service\" ]; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    folder_put("applied.conf.older", GOOD);
    ck_assert_int_eq(unlink(snapshot), 0);
    ck_assert_int_eq(run(0), GENERATE_COPY);
    expect_guards();
}

TEST(what_cannot_be_read_is_reported)
{
    struct config_problems problems = {0};
    enum generate_source source;

    folder_put("groups.d", "no directory");
    folder_put("tenure.conf", HEAD "groups = ( { name = \"m\"; units = [ \"m.service\" ]; } );\n");
    ck_assert_int_eq(generate(&paths, &problems, &source), -ENOTDIR);
    ck_assert_int_eq(source, GENERATE_LOCK);
    expect_file("m.service.d/~tenure-lock.conf", SERVICE_LOCK);
}

TEST(cannot_write)
{
    struct config_problems problems = {0};
    enum generate_source source;

    folder_put("applied.conf", GOOD);
    struct generate_paths nowhere = paths;

    nowhere.early_dir = "/nonexistent";
    ck_assert_int_eq(generate(&nowhere, &problems, &source), -ENOENT);
    /* One unit that cannot be guarded leaves the others guarded. */
    int fd = creat(strcat(early, "/w.service.d"), 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    *strrchr(early, '/') = '\0';
    ck_assert_int_eq(generate(&paths, &problems, &source), -ENOTDIR);
    expect_file("w.timer.d/~tenure.conf", UNIT_PART LATE_PART);
}

static size_t halves; /* files that PID 1 would read and that are not whole */

static int check_whole(void *userdata, const char *unit, const char *text)
{
    char path[512], *there = NULL;

    (void)userdata;
    (void)snprintf(path, sizeof path, "%s/%s.d/" GUARD_FILE, early, unit);
    if (file_read(path, 65536, &there) == 0 && strcmp(there, text) != 0)
        halves++;
    free(there);
    return 0;
}

/* Half a guard would hide the whole one of the other copy, by its name: killed at any byte, or out
 * of room, the generator leaves none. */
TEST(no_half_of_a_guard, .times = 2)
{
    struct config_problems problems = {0};
    struct tenure_config *c = NULL;
    enum generate_source source;

    folder_put("applied.conf", GOOD);
    ck_assert_int_eq(config_load_snapshot(snapshot, &problems, &c), 0);
    for (rlim_t size = 0; size < 700; size += 23) {
        int status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            const struct rlimit limit = {size, size};

            (void)signal(SIGXFSZ, _i == 0 ? SIG_DFL : SIG_IGN);
            (void)setrlimit(RLIMIT_FSIZE, &limit);
            _exit(generate(&paths, &problems, &source) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(size > 600 || (_i == 0 ? WIFSIGNALED(status) : WEXITSTATUS(status) == 1));
        ck_assert_int_eq(guard_each(c, unit_dirs, check_whole, NULL), 0);
        ck_assert_uint_eq(halves, 0);
    }
    (void)config_free(c);
}

TEST(longest_names)
{
    struct config_group g = {.budget = {.stop = USEC_INFINITY}};
    char unit[UNIT_NAME_LEN_MAX + 1], *units[CONFIG_UNITS_MAX], *text = NULL;

    memset(g.name, 'g', GROUP_NAME_MAX);
    memset(g.name + 1, '-', 54); /* the most that config lets through */
    memset(unit, 'u', sizeof unit);
    (void)strcpy(unit + UNIT_NAME_LEN_MAX - 10, ".service");
    for (size_t i = 0; i < CONFIG_UNITS_MAX; i++)
        units[i] = unit;
    g.units = units;
    g.n_units = CONFIG_UNITS_MAX;
    ck_assert_int_eq(guard_unit_text(&g, unit, &text), 0);
    free(text);
    ck_assert_int_eq(guard_keeper_text(&g, NULL, 0, unit_dirs, &text), 0);
    ck_assert_uint_gt(strlen(text), 4 * CONFIG_UNITS_MAX * strlen(unit));
    free(text);
    (void)strcpy(g.name, "-");
    ck_assert_int_eq(guard_unit_text(&g, unit, &text), -EINVAL);
    ck_assert_int_eq(guard_keeper_text(&g, NULL, 0, unit_dirs, &text), -EINVAL);
}

/* A unit whose file lies elsewhere has as many names as there are links to it: on systemd 252 each
 * is a unit of its own. */
TEST(second_names)
{
    static const struct {
        const char *link, *to;
    } links[] = {
        {"a.service", "/nowhere/a.service"},
        {"alias.service", "/nowhere/a.service"},
        {"again.service", "alias.service"},
        {"a.timer", "/nowhere/a.service"},
        {"masked.service", "/dev/null"},
        {"within.service", "b.service"},
        {"other.service", "/nowhere/b.service"},
        {"w@.service", "/nowhere/w@.service"},
        {"x@.service", "/nowhere/w@.service"},
        {"y@2.service", "/nowhere/w@.service"},
        {"bad name.service", "/nowhere/a.service"},
    };

    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/%s", folder(), links[i].link);
        ck_assert_int_eq(symlink(links[i].to, path), 0);
    }
    folder_put("b.service", "[Service]\n");
    folder_put("applied.conf",
               HEAD "groups = ( { name = \"t\"; units = [ \"a.service\", \"b.service\", "
                    "\"w@1.service\" ]; } );\n");
    ck_assert_int_eq(run(0), GENERATE_SNAPSHOT);
    expect_same("a.service.d/~tenure.conf", "alias.service.d/~tenure.conf");
    expect_same("w@1.service.d/~tenure.conf", "x@1.service.d/~tenure.conf");
    ck_assert_uint_eq(folder_count("early"), 7);
    ck_assert(!is_wanted("alias.service"));
    char *text = read_early("tenure@t.service.d/~tenure.conf");
    ck_assert_ptr_nonnull(strstr(text, "\nPropagatesStopTo=alias.service\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nPropagatesStopTo=x@1.service\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"TENURE_UNITS=a.service b.service w@1.service\""));
    free(text);
}

/* Which group a drop-in is of is read from what guards, not from what is said about it. */
TEST(a_guard_tells_its_group)
{
    struct config_group g = {.name = "a-b", .budget = {.stop = 1}};
    char group[GROUP_NAME_MAX + 1] = "", *text = NULL;

    ck_assert_int_eq(guard_unit_text(&g, "x.timer", &text), 0);
    ck_assert_int_eq(guard_group_of_text(text, group), 0);
    ck_assert_str_eq(group, "a-b");
    *strstr(text, "DefaultDependencies") = '\0'; /* what matters is there */
    ck_assert_int_eq(guard_group_of_text(text, group), 0);
    *strstr(text, "state") = '\0';
    ck_assert_int_eq(guard_group_of_text(text, group), -EBADMSG);
    free(text);
    ck_assert_int_eq(guard_lock_text("x.service", &text), 0);
    ck_assert_int_eq(guard_group_of_text(text, group), -EBADMSG);
    free(text);
    ck_assert_int_eq(guard_group_of_text("", group), -EBADMSG);
    ck_assert_int_eq(guard_group_of_text("[Unit]\nBindsTo=tenure@a.service\n", group), -EBADMSG);
    ck_assert_int_eq(guard_group_of_text("AssertPathExists=/run/tenure/groups/a/live/state\n"
                                         "BindsTo=tenure@b.service\n",
                                         group),
                     -EBADMSG);
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
    ck_assert_uint_eq(folder_count("early"), 3 * CONFIG_GROUPS_MAX + 1);
    ck_assert_int_le(end.tv_sec - start.tv_sec, 5);
}
