/* SPDX-License-Identifier: Apache-2.0 */
/* What is ended by name: which units these are, where their processes are, and how PID 1, played by
 * a script, gets stops and questions until all is dead. By the fence, and by what stops strays. */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "keeper/declared.h"
#include "keeper/tree.h"

#define DROP_IN "/tenure@" INSTANCE ".service.d/" GUARD_FILE
#define OUTSIDE "system.slice/a.service"
#define ALL_DEAD "ActiveState=inactive\nJob=\n\nActiveState=failed\n"
#define ONE_UP "ActiveState=inactive\n\nActiveState=active\nJob=\n"
#define ONE_ENDS "ActiveState=deactivating\nJob=17\n\nActiveState=inactive\n"
#define STAYS_DEAD ((usec_t)300000)

static const char *dirs[4];
static char dir_paths[3][PATH_MAX], systemctl[PATH_MAX];

/* Writes down what it is asked; "show" gets what is in the file "answer". */
static void put_systemctl(void)
{
    char script[2 * PATH_MAX];

    (void)snprintf(script, sizeof script,
                   "#!/bin/sh\necho \"$@\" >>%s\n[ \"$1\" != show ] || cat %s\n",
                   in_folder("asked-of-pid1"), in_folder("answer"));
    folder_put("systemctl", script);
    ck_assert_int_eq(chmod(in_folder("systemctl"), 0755), 0);
    (void)strcpy(systemctl, in_folder("systemctl"));
    folder_put("asked-of-pid1", "");
}

/* Replaced, never half there. */
static void set_answer(const char *text)
{
    folder_put("answer.new", text);
    ck_assert_int_eq(rename(in_folder("answer.new"), in_folder("answer")), 0);
}

static void set_up_names(void)
{
    static const char *const names[] = {"early", "etc", "run"};

    set_up();
    for (size_t i = 0; i < 3; i++) {
        folder_make_folder(names[i]);
        (void)strcpy(dir_paths[i], in_folder(names[i]));
        dirs[i] = dir_paths[i];
    }
    put_systemctl();
    set_answer(ALL_DEAD);
    set_children(0);
    config.drop_in_dirs = dirs;
    config.systemctl = systemctl;
    config.stop_limit = STOP;
}

static const char *asked(void)
{
    const char *text = file_get(in_folder("asked-of-pid1"));

    return text ? text : "";
}

static void set_cgroup(const char *path, const char *populated)
{
    char name[512];

    (void)snprintf(name, sizeof name, "%s/cgroup.events", path);
    folder_put(name, populated);
    (void)snprintf(name, sizeof name, "%s/cgroup.kill", path);
    folder_put(name, "");
}

static bool cgroup_killed(const char *path)
{
    char name[512];

    (void)snprintf(name, sizeof name, "%s/cgroup.kill", path);
    const char *text = file_get(in_folder(name));
    return text && strcmp(text, "1") == 0;
}

#define POPULATED "populated 1\nfrozen 0\n"
#define EMPTY "populated 0\nfrozen 0\n"

/* ---- which units ---- */

TEST_CASE(declared, .set_up = set_up_names);

TEST(names_are_added_once)
{
    struct declared d = {.n = 0};

    declared_add(&d, NULL);
    declared_add(&d, "  a.service b\\x2dc.socket a.service ");
    ck_assert_int_eq((int)d.n, 2);
    ck_assert_str_eq(d.names[0], "a.service");
    ck_assert_str_eq(d.names[1], "b\\x2dc.socket");
    ck_assert_ptr_null(d.names[2]);
    declared_add(&d, "a.service w@1.service x.timer y.path z.mount t.target");
    ck_assert_int_eq((int)d.n, 7);
    ck_assert(!d.cut);
}

static const char *const refused_names[] = {
    "system.slice", "init.scope",      "a",          ".service",         "../a.service",
    "a/b.service",  "tenured.service", "w@.service", "tenure@a.service", "tenure-stop@a.service",
    "a.service\n",  "sda.device",
};

TEST(what_no_group_can_have_is_left_out, EACH(refused_names))
{
    struct declared d = {.n = 0};

    declared_add(&d, refused_names[_i]);
    ck_assert_int_eq((int)d.n, 0);
}

TEST(a_long_name_is_left_out)
{
    struct declared d = {.n = 0};
    char name[300];

    memset(name, 'a', sizeof name);
    (void)strcpy(name + sizeof name - sizeof ".service", ".service");
    declared_add(&d, name);
    ck_assert_int_eq((int)d.n, 0);
}

TEST(too_many_names_are_cut)
{
    static struct declared d;
    char name[32];

    for (int i = 0; i < DECLARED_UNITS_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%d.service", i);
        declared_add(&d, name);
    }
    ck_assert(!d.cut);
    declared_add(&d, "one-more.service");
    ck_assert(d.cut);
    ck_assert_int_eq((int)d.n, DECLARED_UNITS_MAX);
}

TEST(all_copies_of_a_drop_in_count)
{
    struct declared d = {.n = 0};

    folder_put("early" DROP_IN, "[Unit]\nPropagatesStopTo=a.service\n"
                                "PropagatesStopTo=b\\x2dc.service\nBefore=z.service\n"
                                "[Service]\nTimeoutStopSec=1050000us\n");
    folder_put("etc" DROP_IN, "PropagatesStopTo=c.service\nTimeoutStopSec=650000us\n");
    folder_put("run" DROP_IN, "# PropagatesStopTo=d.service\nPropagatesStopTo=e.service");
    declared_read(&d, dirs, INSTANCE);
    ck_assert_int_eq((int)d.n, 3); /* a line without its end may be cut */
    ck_assert_str_eq(d.names[1], "b\\x2dc.service");
    ck_assert_str_eq(d.names[2], "c.service");
    ck_assert_uint_eq(d.stop, 1000000);
}

TEST(long_lines_are_left_out)
{
    static const char key[] = "PropagatesStopTo=";
    struct declared d = {.n = 0};
    char text[8192];

    memset(text, 'x', sizeof text);
    memcpy(text, key, sizeof key - 1);
    (void)strcpy(text + 7000, "\nPropagatesStopTo=a.service\n");
    folder_put("etc" DROP_IN, text);
    declared_read(&d, dirs, INSTANCE);
    ck_assert_int_eq((int)d.n, 1);
}

TEST(only_roots_own_files_are_read)
{
    struct declared d = {.n = 0};

    folder_put("etc" DROP_IN, "PropagatesStopTo=a.service\n");
    ck_assert_int_eq(chmod(in_folder("etc" DROP_IN), 0664), 0);
    folder_put("early" DROP_IN, "PropagatesStopTo=b.service\n");
    ck_assert_int_eq(chmod(in_folder("early" DROP_IN), 0646), 0);
    folder_make_folder("run/tenure@" INSTANCE ".service.d");
    ck_assert_int_eq(symlink(in_folder("early" DROP_IN), in_folder("run" DROP_IN)), 0);
    declared_read(&d, dirs, INSTANCE);
    ck_assert_int_eq((int)d.n, 0);
}

TEST(strangers_files_are_not_read, .root = true)
{
    struct declared d = {.n = 0};

    folder_put("etc" DROP_IN, "PropagatesStopTo=a.service\n");
    ck_assert_int_eq(chown(in_folder("etc" DROP_IN), SOME_UID, SOME_UID), 0);
    declared_read(&d, dirs, INSTANCE);
    ck_assert_int_eq((int)d.n, 0);
}

/* ---- where their processes are ---- */

TEST_CASE(tree, .set_up = set_up_names);

static const char *const two[] = {"a.service", "memory.service", NULL};

TEST(cgroups_are_found_in_any_slice)
{
    struct tree t;

    set_cgroup("a.service", EMPTY);
    set_cgroup("system.slice/a.service", POPULATED);
    set_cgroup("x.slice/x-y.slice/_memory.service", POPULATED);
    set_cgroup("system.slice/other.service", POPULATED);
    ck_assert_int_eq(tree_look(folder(), two, NULL, false, &t), 0);
    ck_assert_int_eq((int)t.alive, 2);
    ck_assert(!cgroup_killed("system.slice/a.service"));
    ck_assert_int_eq(tree_look(folder(), two, NULL, true, &t), 0);
    ck_assert(cgroup_killed("system.slice/a.service"));
    ck_assert(cgroup_killed("x.slice/x-y.slice/_memory.service"));
    ck_assert(!cgroup_killed("a.service")); /* there is nothing in it */
    ck_assert(!cgroup_killed("system.slice/other.service"));
    ck_assert(t.first[0] == '/');
}

TEST(what_is_below_a_unit_is_the_units)
{
    struct tree t;

    set_cgroup("machine.slice/box.service/system.slice/a.service", POPULATED);
    set_cgroup("user.slice/user-1.slice/user@1.service/app.slice/a.service", POPULATED);
    set_cgroup("init.scope/a.service", POPULATED);
    ck_assert_int_eq(tree_look(folder(), two, NULL, true, &t), 0);
    ck_assert_int_eq((int)t.alive, 0);
    ck_assert_str_eq(t.first, "");
}

TEST(a_slice_can_be_left_out)
{
    struct tree t;

    set_cgroup("tenure.slice/tenure-a.slice/a.service", POPULATED);
    set_cgroup("tenure.slice/tenure-b.slice/a.service", POPULATED);
    ck_assert_int_eq(tree_look(folder(), two, "tenure-a.slice", true, &t), 0);
    ck_assert_int_eq((int)t.alive, 1);
    ck_assert_str_eq(t.first, "/tenure.slice/tenure-b.slice/a.service");
    ck_assert(!cgroup_killed("tenure.slice/tenure-a.slice/a.service"));
}

TEST(many_entries_are_all_looked_at)
{
    struct tree t;
    char name[300];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "system.slice/%0200d.slice/a.service", i);
        set_cgroup(name, POPULATED);
    }
    ck_assert_int_eq(tree_look(folder(), two, NULL, false, &t), 0);
    ck_assert_int_eq((int)t.alive, 60);
}

TEST(slices_that_are_too_deep_are_an_error)
{
    struct tree t;
    char name[512] = "";

    for (int i = 0; i < TREE_DEPTH_MAX; i++)
        (void)strcat(name, "d.slice/");
    (void)strcat(name, "a.service");
    set_cgroup(name, POPULATED);
    ck_assert_int_eq(tree_look(folder(), two, NULL, false, &t), 0);
    ck_assert_int_eq((int)t.alive, 1);
    (void)strcpy(name + strlen(name) - strlen("a.service"), "d.slice/a.service");
    set_cgroup(name, POPULATED);
    ck_assert_int_eq(tree_look(folder(), two, NULL, false, &t), -E2BIG);
}

TEST(what_cannot_be_read_counts_as_alive)
{
    struct tree t;

    set_cgroup("system.slice/a.service", "nonsense\n");
    ck_assert_int_eq(tree_look(folder(), two, NULL, false, &t), -EBADMSG);
    ck_assert_int_eq((int)t.alive, 1);
    ck_assert_int_eq(tree_look(in_folder("nowhere"), two, NULL, false, &t), -ENOENT);
}

TEST(what_was_removed_is_dead)
{
    struct tree t;

    folder_make_folder("system.slice");
    folder_make_folder("system.slice/a.service"); /* its files went already */
    ck_assert_int_eq(tree_look(folder(), two, NULL, true, &t), 0);
    ck_assert_int_eq((int)t.alive, 0);
}

/* ---- strays ---- */

/* PID 1 makes the keeper's directory when it starts one. */
static void set_up_stop(void)
{
    set_up_names();
    ck_assert_int_eq(rmdir(in_folder(RUNTIME)), 0);
}

TEST_CASE(stop, .set_up = set_up_stop, .tear_down = tear_down, .time_limit = TIME_LIMIT);

static void declare_two(void)
{
    folder_put("etc" DROP_IN, "PropagatesStopTo=a.service\nPropagatesStopTo=b\\x2dc.service\n"
                              "TimeoutStopSec=650000us\n"); /* S and 50 ms */
}

static void leave_state(usec_t deadline)
{
    char text[TICKET_SIZE_MAX];
    struct ticket t = a_ticket();

    t.deadline = deadline;
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    (void)mkdir(in_folder(RUNTIME), 0755);
    (void)mkdir(in_folder(RUNTIME "live"), 0755);
    folder_put(RUNTIME "live/state", text);
}

static bool asked_for(const char *what)
{
    return strstr(asked(), what) != NULL;
}

TEST(pid1_stops_them_by_name)
{
    declare_two();
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert_str_eq(asked(), "--no-block --no-ask-password --job-mode=replace-irreversibly stop "
                              "-- a.service b\\x2dc.service\n"
                              "show --property=ActiveState --property=Job -- a.service "
                              "b\\x2dc.service\n");
}

/* An agent of an earlier version asks, and the drop-ins are today's already. */
TEST(escaped_names_are_the_groups_too)
{
    static char escaped[] = "my\\x2dgroup";

    declare_two();
    config.instance = escaped;
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ASSERT_CONTAINS(asked(), "stop -- a.service b\\x2dc.service\n");
}

TEST(processes_get_s_then_sigkill)
{
    usec_t start = clock_boottime();

    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    set_answer(ONE_ENDS);
    start_process(stop_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), PATIENCE));
    ck_assert(clock_boottime() >= start + STOP);
    set_cgroup(OUTSIDE, EMPTY);
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* A PID 1 that was busy starts it once more before it reads of the stop. */
TEST(what_begins_again_is_killed_again)
{
    int status;

    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    set_answer(ONE_ENDS);
    config.stop_limit = PATIENCE;
    start_process(stop_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), PATIENCE));
    set_cgroup(OUTSIDE, EMPTY);
    pause_for(A_WHILE);
    ck_assert(!exited(&status)); /* dead, but the job is not done */
    set_cgroup(OUTSIDE, POPULATED);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), STOP));
    /* Also when PID 1 says that all is dead. */
    set_answer(ALL_DEAD);
    pause_for(STAYS_DEAD);
    ck_assert(!exited(&status));
    set_cgroup(OUTSIDE, EMPTY);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

static int times_stopped(void)
{
    int n = 0;

    for (const char *at = asked(); (at = strstr(at, "stop --")); at++)
        n++;
    return n;
}

TEST(what_is_up_all_the_same_is_stopped_again)
{
    declare_two();
    set_answer(ONE_UP);
    start_process(stop_run);
    ck_assert(WAIT_FOR(times_stopped() >= 3, PATIENCE));
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(what_ends_already_is_waited_for)
{
    declare_two();
    set_answer(ONE_ENDS);
    start_process(stop_run);
    pause_for(STAYS_DEAD);
    ck_assert_int_eq(times_stopped(), 1);
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

static const char *const no_answers[] = {"",
                                         "ActiveState=inactive\n",
                                         "ActiveState=inact",
                                         (ALL_DEAD "ActiveState=inactive\n"),
                                         "ActiveState=\nActiveState=inactive\n",
                                         "ActiveState=inactive\nJob=3\nActiveState=inactive\n"};

TEST(no_other_answer_is_all_dead, EACH(no_answers))
{
    int status;

    declare_two();
    set_answer(no_answers[_i]);
    start_process(stop_run);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE); /* S and the limit are over */
}

TEST(an_error_is_no_answer)
{
    declare_two();
    ck_assert_int_eq(unlink(in_folder("answer")), 0);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert_int_gt(times_stopped(), 1);
}

TEST(without_systemctl_processes_are_killed_all_the_same)
{
    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    ck_assert_int_eq(unlink(systemctl), 0);
    start_process(stop_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), PATIENCE));
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
}

/* PID 1 hangs: the command never ends, and dies with us. */
TEST(a_pid1_that_hangs_delays_no_kill)
{
    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    folder_put("systemctl", "#!/bin/sh\nexec sleep 60\n");
    usec_t start = clock_boottime();
    start_process(stop_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), PATIENCE));
    ck_assert(clock_boottime() < start + 2 * STOP);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert(clock_boottime() < start + 4 * STOP);
}

TEST(a_leader_is_left_alone)
{
    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    leave_state(clock_boottime() + PATIENCE);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_LEADS);
    ck_assert_str_eq(asked(), "");
    ck_assert(!cgroup_killed(OUTSIDE));
}

TEST(one_that_begins_to_lead_too)
{
    declare_two();
    set_answer(ONE_ENDS);
    set_cgroup(OUTSIDE, POPULATED);
    start_process(stop_run);
    pause_for(A_WHILE);
    leave_state(clock_boottime() + PATIENCE);
    ck_assert_int_eq(wait_exit(), EXIT_LEADS);
    ck_assert(!cgroup_killed(OUTSIDE));
}

static void put_ticket_until(usec_t deadline)
{
    struct ticket t = a_ticket();

    t.deadline = deadline;
    put_ticket(&t);
}

/* From the ticket to the state: PID 1 may have the start jobs already. */
static void begin_term(int step)
{
    usec_t deadline = clock_boottime() + PATIENCE;

    if (step == 0) {
        put_ticket_until(deadline);
        return;
    }
    folder_make_folder(RUNTIME);
    if (step > 1)
        folder_make_folder(RUNTIME "live");
    if (step > 2) {
        leave_state(deadline);
        ck_assert_int_eq(
            rename(in_folder(RUNTIME "live/state"), in_folder(RUNTIME "live/state.new")), 0);
    }
    if (step > 3)
        folder_put(RUNTIME "live/state.new", "group=" GROUP "\n"); /* half of it */
}

TEST(a_term_that_begins_is_left_alone, .times = 5)
{
    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    begin_term(_i);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_LEADS);
    ck_assert_str_eq(asked(), "");
    ck_assert(!cgroup_killed(OUTSIDE));
}

TEST(one_that_begins_meanwhile_too, .times = 5)
{
    declare_two();
    set_answer(ONE_ENDS);
    set_cgroup(OUTSIDE, POPULATED);
    start_process(stop_run);
    pause_for(A_WHILE);
    begin_term(_i);
    ck_assert_int_eq(wait_exit(), EXIT_LEADS);
    ck_assert(!cgroup_killed(OUTSIDE));
}

/* What no keeper would take, or has left behind. */
TEST(what_begins_no_term_is_none, .times = 4)
{
    declare_two();
    if (_i == 0)
        put_ticket_until(clock_boottime() - 1);
    else if (_i == 1)
        folder_put(TICKETS INSTANCE, "group=" GROUP "\n");
    else if (_i == 2)
        ck_assert_int_eq(symlink(in_folder("answer"), in_folder(TICKETS INSTANCE)), 0);
    else {
        leave_state(clock_boottime() - 1);
        ck_assert_int_eq(
            rename(in_folder(RUNTIME "live/state"), in_folder(RUNTIME "live/state.new")), 0);
    }
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* A keeper that ends has taken its state away; PID 1 waits for what shall be stopped. */
TEST(a_term_that_ends_is_none, .root = true)
{
    declare_two();
    folder_make_folder(RUNTIME);
    folder_make_folder(RUNTIME "live");
    ck_assert_int_eq(chown(in_folder(RUNTIME "live"), SOME_UID, SOME_UID), 0);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* As it is when PID 1 takes it away. */
TEST(what_is_gone_the_next_moment_begins_nothing)
{
    declare_two();
    set_answer(ONE_ENDS);
    start_process(stop_run);
    ck_assert(WAIT_FOR(times_stopped() >= 1, PATIENCE));
    for (int i = 0; i < 20; i++) {
        folder_make_folder(RUNTIME);
        ck_assert_int_eq(rmdir(in_folder(RUNTIME)), 0);
        pause_for(A_WHILE / 10);
    }
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(a_term_that_is_over_is_none)
{
    declare_two();
    leave_state(clock_boottime() - 1);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(a_state_that_is_half_written_may_be_a_leaders)
{
    declare_two();
    leave_state(clock_boottime() + PATIENCE);
    folder_put(RUNTIME "live/state", "group=" GROUP "\n");
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_LEADS);
}

TEST(a_strangers_state_is_no_leaders, .root = true)
{
    declare_two();
    leave_state(clock_boottime() + PATIENCE);
    ck_assert_int_eq(chown(in_folder(RUNTIME "live/state"), SOME_UID, SOME_UID), 0);
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(sigterm_ends_it)
{
    declare_two();
    set_answer(ONE_ENDS);
    config.stop_limit = PATIENCE;
    start_process(stop_run);
    pause_for(A_WHILE);
    ck_assert_int_eq(kill(keeper, SIGTERM), 0);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
}

TEST(without_a_name_there_is_nothing_to_do)
{
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    config.instance = "a-b";
    start_process(stop_run);
    ck_assert_int_eq(wait_exit(), EXIT_FAILURE);
    ck_assert_str_eq(asked(), "");
}

/* ---- the fence ---- */

TEST_CASE(fence_by_name, .set_up = set_up_names, .tear_down = tear_down, .time_limit = TIME_LIMIT);

TEST(the_fence_reaches_what_is_outside)
{
    int status;

    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    set_answer(ONE_ENDS);
    start_process(fence_run); /* no state: the end had begun */
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), STOP));
    ck_assert(WAIT_FOR(asked_for("stop -- a.service"), PATIENCE));
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_cgroup(OUTSIDE, EMPTY);
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* After a daemon-reload that lost the keeper's drop-in, the environment has no names. */
TEST(the_fence_knows_names_from_files)
{
    config.units = NULL;
    declare_two();
    set_cgroup(OUTSIDE, POPULATED);
    start_process(fence_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), STOP));
    set_cgroup(OUTSIDE, EMPTY);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(the_fence_gives_s_outside_too)
{
    usec_t start = clock_boottime();

    leave_state(start + PATIENCE);
    set_cgroup(OUTSIDE, POPULATED);
    start_process(fence_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), PATIENCE));
    ck_assert(clock_boottime() >= start + STOP);
    set_cgroup(OUTSIDE, EMPTY);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

/* A unit between two starts has no process and no file: PID 1 alone knows of it. */
TEST(the_fence_waits_for_what_starts_again)
{
    int status;

    set_answer(ONE_UP);
    start_process(fence_run);
    pause_for(A_WHILE);
    ck_assert(!exited(&status));
    set_answer(ALL_DEAD);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(the_fence_does_not_wait_for_pid1_for_long)
{
    usec_t start = clock_boottime();

    folder_put("systemctl", "#!/bin/sh\nexec sleep 60\n");
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert(clock_boottime() < start + 2 * USEC_PER_SEC);
}

TEST(a_pid1_that_hangs_delays_no_fence)
{
    folder_put("systemctl", "#!/bin/sh\nexec sleep 60\n");
    set_cgroup(OUTSIDE, POPULATED);
    set_children(1);
    usec_t start = clock_boottime();
    start_process(fence_run);
    ck_assert(wait_killed(start + STOP) < start + STOP);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), STOP));
    set_children(0);
    set_cgroup(OUTSIDE, EMPTY);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}

TEST(a_pid1_that_hangs_delays_no_restart)
{
    usec_t start = clock_boottime();

    fence_by_reboot();
    folder_put("systemctl", "#!/bin/sh\nexec sleep 60\n");
    set_cgroup(OUTSIDE, POPULATED); /* alone: it counts, too */
    start_process(fence_run);
    ck_assert(wait_restart() < start + KILL + STOP);
}

TEST(a_keeper_that_ended_well_needs_no_confirmation)
{
    config.ended_well = true;
    start_process(fence_run);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
    ck_assert_str_eq(asked(), "");
}

TEST(but_what_is_outside_is_looked_for)
{
    config.ended_well = true;
    set_cgroup(OUTSIDE, POPULATED);
    start_process(fence_run);
    ck_assert(WAIT_FOR(cgroup_killed(OUTSIDE), STOP));
    ck_assert(WAIT_FOR(asked_for("stop -- a.service"), PATIENCE));
    set_cgroup(OUTSIDE, EMPTY);
    ck_assert_int_eq(wait_exit(), EXIT_SUCCESS);
}
