/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of agent/host: the verdict on guards, the files between agent and keeper, the
 * instance id. What needs a PID 1 is tried in the lab. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "host/drop_in.h"
#include "host/guards.h"
#include "host/heal.h"
#include "host/instance_id.h"
#include "host/keeper_files.h"
#include "host/kernel.h"
#include "host/properties.h"
#include "host/slice.h"
#include "host/small_file.h"
#include "host/stops_file.h"
#include "host/ticket_files.h"
#include "support/folder.h"
#include "support/guards.h"
#include "support/readdir.h"
#include "support/socket.h"
#include "support/test.h"
#include "support/text.h"

#define GROUP_DIR "/run/tenure/groups/" GUARDS_GROUP "/"

/* ---- guards ---- */

TEST_CASE(guards);

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

/* As the generator wants it; the strings are not owned, so it is never cleared. */
static struct unit_properties good_service(void)
{
    static char keeper_name[] = GUARDS_KEEPER, env_path[] = GROUP_DIR "env";
    static char state_path[] = GROUP_DIR "live/state";
    static char *keeper[] = {keeper_name, NULL};
    static char *env[] = {env_path, NULL};
    static char *state[] = {state_path, NULL};

    return (struct unit_properties){
        .id = "w.service",
        .load_state = "loaded",
        .slice = GUARDS_SLICE,
        .kill_mode = "control-group",
        .timeout_stop_failure_mode = "kill",
        .restart_mode = "normal",
        .send_sigkill = true,
        .final_kill_signal = 9,
        .timeout_stop = 5 * USEC_PER_SEC,
        .timeout = 5 * USEC_PER_SEC,
        .binds_to = keeper,
        .after = keeper,
        .environment_files = env,
        .asserts_path_exists = state,
        .wanted_by = keeper,
    };
}

static void refused(const char *unit, const struct unit_properties *p, enum guard_verdict verdict,
                    const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "";
    enum guard_verdict found = guards_of_unit(&guards, unit, p, problem);

    ck_assert_msg(found == verdict, "%d, not %d: %s", (int)found, (int)verdict, problem);
    ck_assert_msg(strncmp(problem, unit, strlen(unit)) == 0, "unit not named: %s", problem);
    ASSERT_CONTAINS(problem, says);
}

TEST(a_guarded_service)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "";

    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem) == GUARDS_GOOD, "%s", problem);
    p.timeout_stop = 1 * USEC_PER_SEC; /* sooner is fine */
    strcpy(p.kill_mode, "mixed");
    p.restart_mode[0] = '\0'; /* systemd 252 has none */
    p.control_group = (char[]){"/tenure.slice/" GUARDS_SLICE "/w.service"};
    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem) == GUARDS_GOOD, "%s", problem);
}

#define REFUSED_AS(verdict, change, says)                                                          \
    do {                                                                                           \
        struct unit_properties p = good_service();                                                 \
        change;                                                                                    \
        refused("w.service", &p, verdict, says);                                                   \
    } while (0)
#define LOST(change, says) REFUSED_AS(GUARDS_LOST, change, says)
#define OUTSIDE(change, says) REFUSED_AS(GUARDS_OUTSIDE, change, says)
#define BROKEN(change, says) REFUSED_AS(GUARDS_WRONG, change, says)

TEST(each_missing_guard_of_a_service_is_named)
{
    char other[] = "x.service", elsewhere[] = "/system.slice/w.service";
    char sibling[] = "/tenure.slice/tenure-a.slice/w.service";

    LOST(strcpy(p.load_state, "not-found"), "LoadState is not-found");
    LOST(strcpy(p.load_state, "masked"), "systemctl unmask w.service");
    LOST(strcpy(p.load_state, "bad-setting"), "LoadState is bad-setting, not loaded");
    BROKEN(strcpy(p.id, "x.service"), "another name of x.service");
    BROKEN(p.need_daemon_reload = true, "NeedDaemonReload is yes");
    /* A unit that does not run cannot be started without its files; one that runs has lost its
     * guards. */
    BROKEN((strcpy(p.load_state, "masked"), strcpy(p.active_state, "inactive")), "unmask");
    BROKEN((strcpy(p.load_state, "not-found"), strcpy(p.active_state, "failed")), "not-found");
    LOST((strcpy(p.load_state, "masked"), strcpy(p.active_state, "active")), "unmask");
    LOST((strcpy(p.load_state, "not-found"), strcpy(p.active_state, "deactivating")), "not-found");
    /* The worse of two is what counts. */
    LOST((p.need_daemon_reload = true, p.binds_to = NULL), "BindsTo does not name");
    LOST(p.binds_to = NULL, "BindsTo does not name " GUARDS_KEEPER);
    LOST(p.after = LIST(other), "After does not name " GUARDS_KEEPER);
    LOST(p.asserts_path_exists = NULL, "AssertPathExists does not name " GROUP_DIR "live/state");
    LOST(p.environment_files = NULL, "EnvironmentFiles does not name " GROUP_DIR "env");
    LOST(strcpy(p.slice, "system.slice"), "Slice is system.slice, not " GUARDS_SLICE);
    LOST(strcpy(p.slice, ""), "Slice is nothing");
    OUTSIDE(p.control_group = elsewhere, "ControlGroup is /system.slice/w.service, not below");
    OUTSIDE(p.control_group = sibling, "ControlGroup is");
    /* Also when something else is wrong. */
    OUTSIDE((p.control_group = elsewhere, p.binds_to = NULL), "ControlGroup is");
    OUTSIDE((p.control_group = elsewhere, strcpy(p.load_state, "masked")), "ControlGroup is");
    LOST(p.timeout_stop = 5 * USEC_PER_SEC + 1, "TimeoutStopUSec is 5s, more than");
    LOST(p.timeout_stop = USEC_INFINITY, "TimeoutStopUSec is infinity, more than");
    LOST(p.timeout_stop = 0, "TimeoutStopUSec");
    LOST(strcpy(p.timeout_stop_failure_mode, "abort"), "TimeoutStopFailureMode is abort");
    BROKEN(strcpy(p.kill_mode, "process"), "KillMode is process");
    BROKEN(strcpy(p.kill_mode, "none"), "KillMode is none");
    BROKEN(strcpy(p.kill_mode, "none"), "write KillMode=mixed below [Service]");
    BROKEN(p.pam_name = other, "PAMName is x.service, not empty");
    BROKEN(strcpy(p.freezer_state, "frozen"), "systemctl thaw w.service");
    BROKEN((strcpy(p.freezer_state, "frozen"), strcpy(p.active_state, "failed")),
           "before this host is restarted");
    LOST(p.final_kill_signal = 15, "FinalKillSignal is 15, not 9 (SIGKILL)");
    LOST(p.send_sigkill = false, "SendSIGKILL is no");
    BROKEN(strcpy(p.restart_mode, "direct"), "RestartMode is direct");
    BROKEN(strcpy(p.fd_store_preserve, "yes"), "FileDescriptorStorePreserve is yes");
    BROKEN(p.accept = true, "Accept is yes");
    BROKEN(p.triggers = LIST(other), "Triggers names x.service, which is not declared");
}

/* Also when something else is wrong. */
TEST(what_is_bare)
{
    struct unit_properties p = good_service();
    char elsewhere[] = "/system.slice/w.service";

    ck_assert(!guards_are_bare(&guards, "w.service", &p));
    p.control_group = elsewhere;
    strcpy(p.kill_mode, "process");
    p.need_daemon_reload = true;
    ck_assert(!guards_are_bare(&guards, "w.service", &p));
    p.asserts_path_exists = NULL;
    ck_assert(guards_are_bare(&guards, "w.service", &p));

    p = good_service();
    strcpy(p.load_state, "masked");
    strcpy(p.active_state, "active");
    ck_assert(guards_are_bare(&guards, "w.service", &p));
    strcpy(p.active_state, "failed"); /* nothing of it can be started */
    ck_assert(!guards_are_bare(&guards, "w.service", &p));
}

TEST(which_copy_is_in_effect)
{
    struct unit_properties p = good_service();
    char generators[] = "/run/systemd/generator.early/w.service.d/~tenure.conf";
    char persistent[] = "/etc/systemd/system/w.service.d/~tenure.conf";
    char others[] = "/run/systemd/generator.early/x.service.d/~tenure.conf";

    ck_assert(!guards_by_generator("w.service", &p));
    p.drop_in_paths = LIST(persistent, others);
    ck_assert(!guards_by_generator("w.service", &p));
    p.drop_in_paths = LIST(others, generators);
    ck_assert(guards_by_generator("w.service", &p));
}

TEST(other_types_of_units)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "", declared[] = "w.service";

    /* A timer has neither processes nor a slice. */
    strcpy(p.id, "w.timer");
    p.slice[0] = p.kill_mode[0] = '\0';
    p.send_sigkill = false;
    p.timeout_stop = 0;
    p.triggers = LIST(declared);
    ck_assert_msg(guards_of_unit(&guards, "w.timer", &p, problem) == GUARDS_GOOD, "%s", problem);
    p.binds_to = NULL;
    refused("w.timer", &p, GUARDS_LOST, "BindsTo");

    p = good_service();
    strcpy(p.id, "w.socket");
    p.timeout_stop = 0; /* TimeoutUSec instead */
    p.environment_files = NULL;
    ck_assert_msg(guards_of_unit(&guards, "w.socket", &p, problem) == GUARDS_GOOD, "%s", problem);
    p.timeout = 6 * USEC_PER_SEC;
    refused("w.socket", &p, GUARDS_LOST, "TimeoutUSec is 6s");
    p = good_service();
    strcpy(p.id, "w.mount");
    strcpy(p.slice, "system.slice");
    refused("w.mount", &p, GUARDS_LOST, "Slice");
}

TEST(a_unit_is_started_by_its_keeper_or_when_it_is_time)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "", timer[] = "w.timer", stranger[] = "x.timer";
    char keeper[] = GUARDS_KEEPER;

    ck_assert(!guards_may_rest(&guards, &p));
    p.wanted_by = NULL;
    refused("w.service", &p, GUARDS_WRONG, "WantedBy does not name " GUARDS_KEEPER);
    p.triggered_by = LIST(stranger);
    refused("w.service", &p, GUARDS_WRONG, "WantedBy does not name " GUARDS_KEEPER);
    ck_assert(!guards_may_rest(&guards, &p));
    p.triggered_by = LIST(stranger, timer);
    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem) == GUARDS_GOOD, "%s", problem);
    ck_assert(guards_may_rest(&guards, &p));
    /* Not by both. */
    p.wanted_by = LIST(keeper);
    refused("w.service", &p, GUARDS_WRONG, "WantedBy names " GUARDS_KEEPER);
    refused("w.service", &p, GUARDS_WRONG, "systemctl edit w.timer, and write Unit=w.service");

    p = good_service();
    strcpy(p.type, "oneshot");
    ck_assert(guards_may_rest(&guards, &p));
}

static struct unit_properties good_keeper(void)
{
    static char slice_name[] = GUARDS_SLICE, units[] = "TENURE_UNITS=w.service w.timer";
    static char *environment[] = {units, NULL};
    static char *slice[] = {slice_name, NULL};
    static char service[] = "w.service", timer[] = "w.timer";
    static char *both[] = {service, timer, NULL};
    static char path[] = "/lib/systemd/system/tenure@.service";
    static char program[] = "/usr/lib/tenure/tenure-keeper";

    return (struct unit_properties){
        .id = GUARDS_KEEPER,
        .load_state = "loaded",
        .type = "notify",
        .restart = "no",
        .fragment_path = path,
        .exec_start = {.path = program},
        .exec_stop_post = {.path = program},
        .timeout_stop = 5 * USEC_PER_SEC + 50 * USEC_PER_MSEC,
        .timeout_abort = 5 * USEC_PER_SEC,
        .watchdog_signal = 9,
        .requires = slice,
        .environment = environment,
        .after = slice,
        .before = both,
        .propagates_stop_to = both,
    };
}

static void keeper_refused(const struct unit_properties *p, enum guard_verdict verdict,
                           const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "";
    enum guard_verdict found = guards_of_keeper(&guards, p, problem);

    ck_assert_msg(found == verdict, "%d, not %d: %s", (int)found, (int)verdict, problem);
    ck_assert_msg(strncmp(problem, GUARDS_KEEPER, strlen(GUARDS_KEEPER)) == 0, "%s", problem);
    ASSERT_CONTAINS(problem, says);
}

#define KEEPER_REFUSED_AS(verdict, change, says)                                                   \
    do {                                                                                           \
        struct unit_properties p = good_keeper();                                                  \
        change;                                                                                    \
        keeper_refused(&p, verdict, says);                                                         \
    } while (0)
#define LOST_KEEPER(change, says) KEEPER_REFUSED_AS(GUARDS_LOST, change, says)
#define BROKEN_KEEPER(change, says) KEEPER_REFUSED_AS(GUARDS_WRONG, change, says)

TEST(the_keeper_unit)
{
    struct unit_properties good = good_keeper();
    char problem[HOST_PROBLEM_MAX] = "", other[] = "/etc/x", empty[] = "";
    char fewer[] = "TENURE_UNITS=w.service", more[] = "TENURE_UNITS=w.service w.timer x.path";
    char prefix[] = "TENURE_UNITS=w.servicew.timer", one[] = "w.service";

    ck_assert_msg(guards_of_keeper(&guards, &good, problem) == GUARDS_GOOD, "%s", problem);
    BROKEN_KEEPER((strcpy(p.load_state, "masked"), strcpy(p.active_state, "inactive")), "masked");
    LOST_KEEPER(strcpy(p.load_state, "masked"), "masked");
    BROKEN_KEEPER(p.fragment_path = other, "FragmentPath is /etc/x");
    BROKEN_KEEPER(p.fragment_path = NULL, "FragmentPath is nothing");
    BROKEN_KEEPER(strcpy(p.type, "simple"), "Type is simple, not notify");
    BROKEN_KEEPER(strcpy(p.restart, "always"), "Restart is always, not no");
    BROKEN_KEEPER(p.exec_start.path = other, "ExecStart is /etc/x");
    BROKEN_KEEPER(p.exec_stop_post.path = empty, "ExecStopPost is nothing");
    LOST_KEEPER(p.timeout_stop += 1, "TimeoutStopUSec");
    LOST_KEEPER(p.timeout_abort -= 1, "TimeoutAbortUSec is 4.999s, not 5s to 5.050s");
    BROKEN_KEEPER(p.watchdog_signal = 6, "WatchdogSignal is 6");
    LOST_KEEPER(p.requires = NULL, "Requires does not name " GUARDS_SLICE);
    LOST_KEEPER(p.after = NULL, "After does not name " GUARDS_SLICE);
    LOST_KEEPER(p.propagates_stop_to = NULL, "PropagatesStopTo does not name w.service");
    LOST_KEEPER(p.propagates_stop_to = LIST(one), "PropagatesStopTo does not name w.timer");
    LOST_KEEPER(p.before = LIST(one), "Before does not name w.timer");
    LOST_KEEPER(p.environment = NULL, "Environment has no TENURE_UNITS");
    LOST_KEEPER(p.environment = LIST(fewer), "Environment has no TENURE_UNITS");
    LOST_KEEPER(p.environment = LIST(more), "Environment has no TENURE_UNITS");
    LOST_KEEPER(p.environment = LIST(prefix), "Environment has no TENURE_UNITS");
}

/* One table: all settings of a drop-in are asked for, but those that have no property. */
TEST(every_setting_can_be_asked_for)
{
    static const char *const unseen[] = {"DefaultDependencies", "Conflicts", "Before", "After"};
    struct unit_properties p = {.send_sigkill = false};

    for (size_t i = 0; i < guard_n_settings; i++) {
        const struct guard_setting *s = &guard_settings[i];
        bool may_be_unseen = false;

        for (size_t k = 0; k < sizeof unseen / sizeof unseen[0]; k++)
            may_be_unseen = may_be_unseen || strcmp(s->key, unseen[k]) == 0;
        if (s->proof == GUARD_UNSEEN)
            ck_assert_msg(may_be_unseen && s->value == GUARD_WORD, "%s is not asked for", s->key);
        else
            ck_assert_msg(properties_find(&p, s->property), "%s is not read", s->property);
    }
    ck_assert_ptr_null(properties_find(&p, "Nonsense"));
}

/* ---- cgroups ---- */

TEST_CASE(cgroups, .set_up = folder_make);

TEST(cgroup_stat)
{
    uint64_t n = 77;

    ck_assert_int_eq(cgroup_stat_parse("nr_descendants 3\nnr_dying_descendants 9\n", &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(cgroup_stat_parse("x 1\nnr_descendants 0\n", &n), 0);
    ck_assert_uint_eq(n, 0);
    n = 77;
    ck_assert_int_eq(cgroup_stat_parse("", &n), -EBADMSG);
    ck_assert_int_eq(cgroup_stat_parse("nr_dying_descendants 9\n", &n), -EBADMSG);
    ck_assert_int_eq(cgroup_stat_parse("nr_descendants\n", &n), -EBADMSG);
    ck_assert_int_eq(cgroup_stat_parse("nr_descendants -1\n", &n), -EBADMSG);
    ck_assert_int_eq(cgroup_stat_parse("nr_descendants 111111111111111111111111\n", &n), -EBADMSG);
    ck_assert_uint_eq(n, 77);
}

TEST(cgroup_events)
{
    bool populated = false;

    ck_assert_int_eq(cgroup_events_parse("populated 1\nfrozen 0\n", &populated), 0);
    ck_assert(populated);
    ck_assert_int_eq(cgroup_events_parse("frozen 1\npopulated 0\n", &populated), 0);
    ck_assert(!populated);
    populated = true;
    ck_assert_int_eq(cgroup_events_parse("", &populated), -EBADMSG);
    ck_assert_int_eq(cgroup_events_parse("populated 2\n", &populated), -EBADMSG);
    ck_assert_int_eq(cgroup_events_parse("frozen 0\n", &populated), -EBADMSG);
    ck_assert(populated);
}

#define SLICE_FOLDER "tenure.slice/" GUARDS_SLICE "/"

static bool slice_is_empty(bool empty_counts)
{
    bool empty = !empty_counts;

    ck_assert_int_eq(slice_read(folder(), "a-b", empty_counts, &empty), 0);
    return empty;
}

TEST(slices)
{
    bool empty = false;

    /* Not there: nothing runs in it. */
    ck_assert(slice_is_empty(true) && slice_is_empty(false));

    folder_make_folder("tenure.slice");
    folder_make_folder(SLICE_FOLDER);
    folder_put(SLICE_FOLDER "cgroup.stat", "nr_descendants 1\n");
    folder_put(SLICE_FOLDER "cgroup.events", "populated 1\nfrozen 0\n");
    ck_assert(!slice_is_empty(true) && !slice_is_empty(false));
    /* An empty folder that was left in it. */
    folder_put(SLICE_FOLDER "cgroup.events", "populated 0\nfrozen 0\n");
    ck_assert(!slice_is_empty(true) && slice_is_empty(false));
    folder_put(SLICE_FOLDER "cgroup.stat", "nr_descendants 0\n");
    ck_assert(slice_is_empty(true) && slice_is_empty(false));
    folder_put(SLICE_FOLDER "cgroup.stat", "garbage\n");
    ck_assert_int_eq(slice_read(folder(), "a-b", true, &empty), -EBADMSG);
    folder_put(SLICE_FOLDER "cgroup.events", "garbage\n");
    ck_assert_int_eq(slice_read(folder(), "a-b", false, &empty), -EBADMSG);
}

TEST(no_cgroup2_is_reported)
{
    char text[HOST_TEXT_MAX] = "";

    ck_assert_int_eq(kernel_check_at(folder(), text), -EOPNOTSUPP);
    ASSERT_CONTAINS(text, "cgroup v2");
}

/* ---- the guards' other copy ---- */

TEST_CASE(copies, .set_up = folder_make);

static bool drop_in_there(const char *dir, const char *unit)
{
    bool there;

    ck_assert_int_eq(drop_in_find(dir, unit, &there), 0);
    return there;
}

TEST(a_copy_is_a_file_with_something_in_it)
{
    ck_assert(!drop_in_there(folder(), "w.service"));
    folder_make_folder("w.service.d");
    ck_assert(!drop_in_there(folder(), "w.service"));
    folder_put("w.service.d/~tenure.conf", "");
    ck_assert(!drop_in_there(folder(), "w.service"));
    folder_put("w.service.d/~tenure.conf", "[Unit]\n");
    ck_assert(drop_in_there(folder(), "w.service"));
    ck_assert(!drop_in_there(folder(), "x.service"));
    ck_assert_int_eq(rename(in_folder("w.service.d/~tenure.conf"), in_folder("else")), 0);
    ck_assert_int_eq(symlink("../else", in_folder("w.service.d/~tenure.conf")), 0);
    ck_assert(!drop_in_there(folder(), "w.service"));
    folder_put("v.service.d", "no directory");
    ck_assert(!drop_in_there(folder(), "v.service"));
}

/* In a directory that the agent may not search nothing is known to be lost. */
TEST(a_copy_that_cannot_be_seen_is_unknown, .root = true)
{
    bool there;

    folder_make_folder("w.service.d");
    folder_put("w.service.d/~tenure.conf", "[Unit]\n");
    ck_assert_int_eq(chmod(folder(), 0755) | chmod(in_folder("w.service.d"), 0700), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    int r = drop_in_find(folder(), "w.service", &there);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(r, -EACCES);
}

/* ---- the job that restores them ---- */

TEST_CASE(heals, .set_up = folder_make);

TEST(a_heal_beside_an_apply_is_none)
{
    ck_assert_int_eq(heal_judge("success", 0), 0);
    ck_assert_int_eq(heal_judge("exit-code", GUARD_BUSY_STATUS), -EAGAIN);
    ck_assert_int_eq(heal_judge("exit-code", 1), -EIO);
    ck_assert_int_eq(heal_judge("signal", 9), -EIO);
    ck_assert_int_eq(heal_judge("timeout", 0), -EIO);
}

/* ---- tickets and states ---- */

TEST_CASE(tickets, .set_up = folder_make);

static struct ticket some_ticket(uint64_t term)
{
    return (struct ticket){
        .version = TICKET_VERSION,
        .group = "a-b",
        .node = "n1",
        .owner = "n1/0123",
        .term = term,
        .lease = 15 * USEC_PER_SEC,
        .stop = 5 * USEC_PER_SEC,
        .duration = 8 * USEC_PER_SEC,
        .deadline = 123456789,
    };
}

TEST(a_ticket_is_published_whole_and_once)
{
    struct ticket t = some_ticket(7), later = some_ticket(8), read_back;
    char text[TICKET_SIZE_MAX];
    struct stat st;

    ck_assert_int_eq(ticket_publish(folder(), &t), 0);
    int fd = open(in_folder("a-b"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ssize_t n = read(fd, text, sizeof text);
    ck_assert_int_gt(n, 0);
    (void)close(fd);
    ck_assert_int_eq(ticket_parse(text, (size_t)n, &read_back), 0);
    ck_assert_uint_eq(read_back.term, 7);

    /* Never over another: the one that is there may be about to be consumed. */
    ck_assert_int_eq(ticket_publish(folder(), &later), -EEXIST);
    ck_assert_int_eq(ticket_withdraw(folder(), "a-b"), 0);
    ck_assert_int_eq(ticket_withdraw(folder(), "a-b"), 0);
    ck_assert_int_eq(ticket_publish(folder(), &later), 0);
    later.term = 0;
    ck_assert_int_eq(ticket_publish(folder(), &later), -EINVAL);
    ck_assert_int_eq(ticket_publish(in_folder("none"), &t), -ENOENT);
}

static void expect_no_ticket(const char *dir, int error, const char *reason, const char *remedy)
{
    char text[HOST_TEXT_MAX];

    ck_assert_int_eq(tickets_try(dir, text), -error);
    ASSERT_CONTAINS(text, dir);
    ASSERT_CONTAINS(text, reason);
    ASSERT_CONTAINS(text, remedy);
}

TEST(whether_a_ticket_could_be_written_is_tried)
{
    char text[HOST_TEXT_MAX] = "?";

    ck_assert_int_eq(tickets_try(folder(), text), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(rmdir(folder()), 0); /* and left nothing there */
    expect_no_ticket(folder(), ENOENT, "No such file or directory: it is missing",
                     "systemd-tmpfiles --create tenure.conf, then systemctl restart tenured");
    folder_make();
    folder_put("file", "");
    expect_no_ticket(in_folder("file"), ENOTDIR, "Not a directory: a file is in its place",
                     "remove that, run systemd-tmpfiles --create tenure.conf");
    expect_no_ticket(in_folder("file/tickets"), ENOTDIR,
                     "Not a directory: a file is in the place of /run/tenure,",
                     "run systemctl stop tenured first, which makes this host step down; "
                     "then remove that file");
    expect_no_ticket(in_folder("none/tickets"), ENOENT,
                     "No such file or directory: all of /run/tenure is missing",
                     "run systemctl stop tenured first, which makes this host step down");
}

/* Not the directory's fault. */
TEST(no_file_can_be_opened)
{
    struct rlimit limit, none;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    expect_no_ticket(folder(), EMFILE, "Too many open files: the agent has as many files open",
                     "systemctl restart tenured");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(whose_ticket_directory_it_is_counts, .root = true)
{
    folder_make_folder("tickets");
    ck_assert_int_eq(chmod(folder(), 0755) | chmod(in_folder("tickets"), 0700), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    expect_no_ticket(in_folder("tickets"), EACCES, "Permission denied: it belongs to another user",
                     "gives it back to user tenure");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chown(in_folder("tickets"), 65534, 65534) | chmod(in_folder("tickets"), 0500),
                     0);
    ck_assert_int_eq(seteuid(65534), 0);
    expect_no_ticket(in_folder("tickets"), EACCES, "its mode does not let the agent",
                     "systemd-tmpfiles --create");
    ck_assert_int_eq(seteuid(0), 0);
}

TEST(a_file_system_without_room_for_tickets, .root = true)
{
    static const char page[4096] = "";

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("none", folder(), "tmpfs", 0, "size=4096"), 0);
    int fd = open(in_folder("ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, page, sizeof page), sizeof page);
    (void)close(fd);
    expect_no_ticket(folder(), ENOSPC, "the file system is full", "df -h /run");
    ck_assert_int_eq(mount("none", folder(), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    expect_no_ticket(folder(), EROFS, "the file system is read-only",
                     "mount -o remount,rw /run if need be, then systemctl restart tenured");
    ck_assert_int_eq(umount(folder()), 0);
}

/* '.', '..' and two tickets, in any order: a ticket that could not be seen is not taken for gone.
 */
TEST(all_tickets_are_cleared, .times = 4)
{
    const struct ticket t = some_ticket(7);

    folder_put("c", "");
    ck_assert_int_eq(ticket_publish(folder(), &t), 0);
    readdir_fails_after((unsigned)_i);
    ck_assert_int_eq(tickets_clear(folder()), -EIO);
    ck_assert_int_eq(tickets_clear(folder()), 0);
    ck_assert_int_ne(access(in_folder("a-b"), F_OK), 0);
    ck_assert_int_ne(access(in_folder("c"), F_OK), 0);
    ck_assert_int_eq(tickets_clear(in_folder("none")), -ENOENT);
}

TEST(a_state_is_read_strictly)
{
    struct ticket t = some_ticket(7), got = {.term = 1};
    char text[TICKET_SIZE_MAX];

    ck_assert_int_eq(state_load(folder(), "a-b", &got), -ENOENT);
    folder_make_folder("a-b");
    folder_make_folder("a-b/live");
    ck_assert_int_eq(state_load(folder(), "a-b", &got), -ENOENT);
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    folder_put("a-b/live/state", text);
    ck_assert_int_eq(state_load(folder(), "a-b", &got), 0);
    ck_assert_uint_eq(got.term, 7);

    text[strlen(text) - 1] = '\0';
    folder_put("a-b/live/state", text);
    ck_assert_int_eq(state_load(folder(), "a-b", &got), -EBADMSG);
    strcpy(t.group, "other");
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    folder_put("a-b/live/state", text);
    ck_assert_int_eq(state_load(folder(), "a-b", &got), -EBADMSG);
}

/* Readings of a file that changes meanwhile; NULL: it is gone. */
struct readings {
    const char *text[4];
    size_t *next;
};

static ssize_t next_reading(const void *from, char *ret, size_t size)
{
    const struct readings *r = from;
    const char *text = r->text[(*r->next)++];

    if (!text)
        return -ENOENT;
    int n = snprintf(ret, size, "%s", text);
    ck_assert(n >= 0 && (size_t)n < size);
    return n;
}

/* A deadline that is half of one and half of another would be believed, and could be any time. */
static const struct {
    struct readings readings;
    const char *settled; /* NULL: error instead */
    int error;
    size_t n; /* so many were made */
} changing[] = {
    {{{"deadline 11", "deadline 11"}, NULL}, "deadline 11", 0, 2},
    {{{"deadline 19", "deadline 22", "deadline 22"}, NULL}, "deadline 22", 0, 3},
    {{{"deadline 1", "deadline 12", "deadline 12"}, NULL}, "deadline 12", 0, 3},
    {{{"deadline 19", "deadline 29", "deadline 19"}, NULL}, NULL, -EAGAIN, 3},
    {{{"deadline 11", "deadline 21", "deadline 22", "deadline 22"}, NULL}, NULL, -EAGAIN, 3},
    {{{NULL}, NULL}, NULL, -ENOENT, 1},
    {{{"deadline 11", NULL}, NULL}, NULL, -ENOENT, 2},
    {{{"deadline 11", "deadline 22", NULL}, NULL}, NULL, -ENOENT, 3},
};

TEST(a_state_is_believed_when_two_readings_agree, EACH(changing))
{
    char text[TICKET_SIZE_MAX + 1];
    size_t made = 0;
    struct readings readings = changing[_i].readings;

    readings.next = &made;
    ssize_t n = read_settled(next_reading, &readings, text, sizeof text);
    ck_assert_uint_eq(made, changing[_i].n);
    if (!changing[_i].settled) {
        ck_assert_int_eq(n, changing[_i].error);
        return;
    }
    ck_assert_int_eq(n, (int)strlen(changing[_i].settled));
    ck_assert_int_eq(memcmp(text, changing[_i].settled, (size_t)n), 0);
}

TEST(datagrams_arrive_or_say_why_not)
{
    struct keeper_message sent = {.magic = KEEPER_MESSAGE_MAGIC, .verb = KEEPER_EXTEND, .term = 7};
    struct keeper_message got = {0};
    int fd = datagram_socket(), r = 0;
    char group[GROUP_NAME_MAX + 1], path[256];

    memset(group, '-', sizeof group);
    group[0] = 'a';
    group[GROUP_NAME_MAX] = '\0';
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(datagram_send(fd, folder(), group, &sent, sizeof sent), -ENOENT);
    folder_make_folder(group);
    ck_assert_int_eq(datagram_send(fd, folder(), group, &sent, sizeof sent), -ENOENT);

    (void)snprintf(path, sizeof path, "%s/extend", in_folder(group));
    int keeper = socket_bind_datagrams(path, SOCK_NONBLOCK);
    ck_assert_int_eq(datagram_send(fd, folder(), group, &sent, sizeof sent), 0);
    ck_assert_int_eq(recv(keeper, &got, sizeof got, 0), sizeof got);
    ck_assert_uint_eq(got.term, 7);

    for (int i = 0; i < 100000 && r == 0; i++)
        r = datagram_send(fd, folder(), group, &sent, sizeof sent);
    ck_assert_int_eq(r, -EAGAIN);
    (void)close(keeper);
    ck_assert_int_eq(datagram_send(fd, folder(), group, &sent, sizeof sent), -ECONNREFUSED);
    (void)close(fd);
}

/* ---- the instance id ---- */

/* What distinguishes this host from others, in files of the test's own. */
static void instance_host(const char *machine, const char *boot, const char *container)
{
    folder_put("root/etc/machine-id", machine);
    folder_put("root/proc/sys/kernel/random/boot_id", boot);
    folder_put("root/proc/self/ns/other", "");
    (void)unlink(in_folder("root/proc/self/ns/pid"));
    ck_assert_int_eq(symlink(container, in_folder("root/proc/self/ns/pid")), 0);
}

static void instance_set_up(void)
{
    folder_make();
    folder_make_folder("run");
    instance_host("m1\n", "b1\n", "pid:[1]");
}

TEST_CASE(instance_id, .set_up = instance_set_up);

static int instance_get(char id[static INSTANCE_ID_LEN + 1], int *lock)
{
    return instance_id_in(in_folder("run"), in_folder("root"), id, lock);
}

/* One run of an agent. */
static const char *instance_of_a_life(void)
{
    static char ids[4][INSTANCE_ID_LEN + 1];
    static unsigned n;
    char *id = ids[n++ % 4];
    int lock = -1;

    ck_assert_int_eq(instance_get(id, &lock), 0);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), INSTANCE_ID_LEN);
    (void)close(lock);
    return id;
}

TEST(the_instance_id_lasts_and_is_one_agents)
{
    char id[INSTANCE_ID_LEN + 1] = "", again[INSTANCE_ID_LEN + 1] = "";
    int lock = -1, second = -1;

    ck_assert_int_eq(instance_get(id, &lock), 0);
    ck_assert_int_eq(instance_get(again, &second), -EBUSY);
    ck_assert_int_eq(second, -1);
    (void)close(lock);
    ck_assert_str_eq(instance_of_a_life(), id);

    /* Half a file is as good as none. */
    ck_assert_int_eq(truncate(in_folder("run/id"), 7), 0);
    ck_assert_str_ne(instance_of_a_life(), id);
    ck_assert_int_eq(instance_id_in(in_folder("none"), in_folder("root"), again, &lock), -ENOENT);
    ck_assert_int_eq(instance_id_in(in_folder("run"), in_folder("none"), again, &lock), -ENOENT);
}

static const char *const elsewhere[][3] = {
    {"m2\n", "b1\n", "pid:[1]"}, {"m1\n", "b2\n", "pid:[1]"}, {"m1\n", "b1\n", "pid:[2]"}};

/* The folder was copied to another host, kept over a boot, or is another container's. */
TEST(the_instance_id_is_this_hosts, EACH(elsewhere))
{
    const char *id = instance_of_a_life();

    instance_host(elsewhere[_i][0], elsewhere[_i][1], elsewhere[_i][2]);
    const char *another = instance_of_a_life();
    ck_assert_str_ne(another, id);
    ck_assert_str_eq(instance_of_a_life(), another);
}

/* What cannot be read any more, or could not be read before, is no other host: a leader is not
 * disturbed. */
TEST(the_instance_id_outlives_what_is_not_known, .times = 3)
{
    const char *id = instance_of_a_life();

    if (_i == 0)
        ck_assert_int_eq(unlink(in_folder("root/etc/machine-id")), 0);
    else if (_i == 1)
        ck_assert_int_eq(unlink(in_folder("root/proc/self/ns/pid")), 0);
    else
        ck_assert_int_eq(unlink(in_folder("run/host")),
                         0); /* by an agent that did not know that file */
    ck_assert_str_eq(instance_of_a_life(), id);
    instance_host("m1\n", "b1\n", "pid:[1]");
    ck_assert_str_eq(instance_of_a_life(), id);
    instance_host("m1\n", "b2\n", "pid:[1]");
    ck_assert_str_ne(instance_of_a_life(), id);
}

/* Killed in the middle of making one. */
TEST(the_instance_id_is_made_again_when_half_of_it_is_there)
{
    const char *id = instance_of_a_life();

    instance_host("m2\n", "b1\n", "pid:[1]");
    folder_put("run/id", "0123456789abcdef0123456789abcdef\n"); /* and the old host beside it */
    const char *another = instance_of_a_life();
    ck_assert_str_ne(another, id);
    ck_assert_str_ne(another, "0123456789abcdef0123456789abcdef");
}

/* ---- what an agent that was restarted has to know ---- */

TEST_CASE(stops_files, .set_up = folder_make);

#define STOPS_PATH "stops.a-b"

TEST(stops_are_found_again)
{
    const char *units[] = {"a.service", "b\\x2dc@1.service"}, *others[] = {"x.mount", units[1]};
    struct stop_began began[2] = {
        {.as = {.known = true, .commands = true, .fingerprint = UINT64_MAX}, .since = 7},
        {.as = {.remains = true}, .was_up = true, .proven = 11},
    };
    struct stop_began found[2] = {{.since = 99}, {.since = 99}};
    struct stops_file f = {.term = 5, .stops = STOPS_OPEN, .n = 2, .units = units, .began = began};
    struct stops_file back = {.n = 2, .units = units, .began = found};

    ck_assert_int_eq(stops_load(folder(), "a-b", &back), -ENOENT);
    ck_assert_int_eq(stops_save(folder(), "a-b", &f), 0);
    ck_assert_uint_eq(folder_count(""), 1);
    ck_assert_int_eq(stops_load(folder(), "a-b", &back), 0);
    ck_assert_uint_eq(back.term, 5);
    ck_assert_int_eq(back.stops, STOPS_OPEN);
    ck_assert_uint_eq(found[0].as.fingerprint, UINT64_MAX);
    ck_assert(found[0].as.known && found[0].as.commands && !found[0].as.remains);
    ck_assert(!found[0].was_up && found[0].since == 7);
    ck_assert(!found[1].as.known && found[1].as.remains && found[1].was_up);
    ck_assert(found[0].proven == 0 && found[1].proven == 11);
    /* Other units are declared by now. */
    back.units = others;
    ck_assert_int_eq(stops_load(folder(), "a-b", &back), 0);
    ck_assert(!found[0].as.known && found[0].since == 0 && found[1].as.remains);
    /* Replaced, in one piece. */
    f.stops = STOPS_LEFT;
    ck_assert_int_eq(stops_save(folder(), "a-b", &f), 0);
    ck_assert_int_eq(stops_load(folder(), "a-b", &back), 0);
    ck_assert_int_eq(back.stops, STOPS_LEFT);
    ck_assert_int_eq(stops_save(folder(), "no/name", &f), -EINVAL);
    ck_assert_int_eq(stops_save("/no/such/folder", "a-b", &f), -ENOENT);
    f.stops = STOPS_UNKNOWN;
    ck_assert_int_eq(stops_save(folder(), "a-b", &f), -EINVAL);
}

#define STOPS_HEAD "tenure-stops 1\nterm=1\nstops=open\n"

static const char *const no_stops[] = {
    "",
    "garbage",
    STOPS_HEAD "unit=a.service 1 1 1 1 1 1\n",
    STOPS_HEAD "unit=a.service 1 1 1 1 1 1 1 1\n",
    STOPS_HEAD "unit=a.service 1 1 1 x 1 1 1\n",
    STOPS_HEAD "unit=a.service 2 1 1 1 1 1 1\n",
    STOPS_HEAD "unit=a.service 1  1 1 1 1 1 1\n",
    STOPS_HEAD "nonsense\n",
};

TEST(stops_that_cannot_be_read, EACH(no_stops))
{
    const char *units[] = {"a.service"};
    struct stop_began began = {.since = 99};
    struct stops_file f = {.term = 3, .n = 1, .units = units, .began = &began};

    folder_put(STOPS_PATH, no_stops[_i]);
    ck_assert_int_eq(stops_load(folder(), "a-b", &f), -EBADMSG);
    ck_assert_uint_eq(f.term, 3);
    ck_assert_uint_eq(began.since, 99);
}
