/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of agent/unit: the verdict on guards, the files between agent and keeper, the
 * instance id. What needs a PID 1 is tried in the lab. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/files.h"
#include "unit/guards.h"
#include "unit/instance.h"

#include "../suite.h"

#define KEEPER "tenure@a\\x2db.service"
#define SLICE "tenure-a\\x2db.slice"
#define GROUP_DIR "/run/tenure/groups/a-b/"

static char dir[64];

static void setup(void)
{
    strcpy(dir, "/tmp/test_host.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void teardown(void)
{
    ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in_dir(const char *name)
{
    static char path[512];

    ck_assert_int_lt(snprintf(path, sizeof path, "%s/%s", dir, name), sizeof path);
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* ---- guards ---- */

static const struct unit_view units[] = {{.name = "w.service"}, {.name = "w.timer"}};

static const struct guards guards = {
    .group = "a-b",
    .keeper_unit = KEEPER,
    .slice_unit = SLICE,
    .units = units,
    .n_units = 2,
    .stop = 5 * USEC_PER_SEC,
};

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

/* As the generator wants it; the strings are not owned, so it is never cleared. */
static struct unit_properties good_service(void)
{
    static char keeper_name[] = KEEPER, env_path[] = GROUP_DIR "env";
    static char state_path[] = GROUP_DIR "live/state";
    static char *keeper[] = {keeper_name, NULL};
    static char *env[] = {env_path, NULL};
    static char *state[] = {state_path, NULL};

    return (struct unit_properties){
        .id = "w.service",
        .load_state = "loaded",
        .slice = SLICE,
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

static void refused(const char *unit, const struct unit_properties *p, const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "";

    ck_assert(!guards_of_unit(&guards, unit, p, problem));
    ck_assert_msg(strncmp(problem, unit, strlen(unit)) == 0, "unit not named: %s", problem);
    ck_assert_msg(strstr(problem, says), "not “%s”: %s", says, problem);
}

START_TEST(a_guarded_service)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "";

    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem), "%s", problem);
    p.timeout_stop = 1 * USEC_PER_SEC; /* sooner is fine */
    strcpy(p.kill_mode, "mixed");
    p.restart_mode[0] = '\0'; /* systemd 252 has none */
    p.control_group = (char[]){"/tenure.slice/" SLICE "/w.service"};
    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem), "%s", problem);
}
END_TEST

#define BROKEN(change, says)                                                                       \
    do {                                                                                           \
        struct unit_properties p = good_service();                                                 \
        change;                                                                                    \
        refused("w.service", &p, says);                                                            \
    } while (0)

START_TEST(each_missing_guard_of_a_service_is_named)
{
    char other[] = "x.service", elsewhere[] = "/system.slice/w.service";
    char sibling[] = "/tenure.slice/tenure-a.slice/w.service";

    BROKEN(strcpy(p.load_state, "not-found"), "LoadState is not-found");
    BROKEN(strcpy(p.load_state, "masked"), "systemctl unmask w.service");
    BROKEN(strcpy(p.load_state, "bad-setting"), "LoadState is bad-setting, not loaded");
    BROKEN(strcpy(p.id, "x.service"), "another name of x.service");
    BROKEN(p.need_daemon_reload = true, "NeedDaemonReload is yes");
    BROKEN(p.binds_to = NULL, "BindsTo does not name " KEEPER);
    BROKEN(p.after = LIST(other), "After does not name " KEEPER);
    BROKEN(p.asserts_path_exists = NULL, "AssertPathExists does not name " GROUP_DIR "live/state");
    BROKEN(p.environment_files = NULL, "EnvironmentFiles does not name " GROUP_DIR "env");
    BROKEN(strcpy(p.slice, "system.slice"), "Slice is system.slice, not " SLICE);
    BROKEN(strcpy(p.slice, ""), "Slice is nothing");
    BROKEN(p.control_group = elsewhere, "ControlGroup is /system.slice/w.service, not below");
    BROKEN(p.control_group = sibling, "ControlGroup is");
    BROKEN(p.timeout_stop = 5 * USEC_PER_SEC + 1, "TimeoutStopUSec is 5s, more than");
    BROKEN(p.timeout_stop = USEC_INFINITY, "TimeoutStopUSec is infinity, more than");
    BROKEN(p.timeout_stop = 0, "TimeoutStopUSec");
    BROKEN(strcpy(p.timeout_stop_failure_mode, "abort"), "TimeoutStopFailureMode is abort");
    BROKEN(strcpy(p.kill_mode, "process"), "KillMode is process");
    BROKEN(strcpy(p.kill_mode, "none"), "KillMode is none");
    BROKEN(p.final_kill_signal = 15, "FinalKillSignal is 15, not 9 (SIGKILL)");
    BROKEN(p.send_sigkill = false, "SendSIGKILL is no");
    BROKEN(strcpy(p.restart_mode, "direct"), "RestartMode is direct");
    BROKEN(strcpy(p.fd_store_preserve, "yes"), "FileDescriptorStorePreserve is yes");
    BROKEN(p.accept = true, "Accept is yes");
    BROKEN(p.triggers = LIST(other), "Triggers names x.service, which is not declared");
}
END_TEST

START_TEST(other_types_of_units)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "", declared[] = "w.service";

    /* A timer has neither processes nor a slice. */
    strcpy(p.id, "w.timer");
    p.slice[0] = p.kill_mode[0] = '\0';
    p.send_sigkill = false;
    p.timeout_stop = 0;
    p.triggers = LIST(declared);
    ck_assert_msg(guards_of_unit(&guards, "w.timer", &p, problem), "%s", problem);
    p.binds_to = NULL;
    refused("w.timer", &p, "BindsTo");

    p = good_service();
    strcpy(p.id, "w.socket");
    p.timeout_stop = 0; /* TimeoutUSec instead */
    p.environment_files = NULL;
    ck_assert_msg(guards_of_unit(&guards, "w.socket", &p, problem), "%s", problem);
    p.timeout = 6 * USEC_PER_SEC;
    refused("w.socket", &p, "TimeoutUSec is 6s");
    p = good_service();
    strcpy(p.id, "w.mount");
    strcpy(p.slice, "system.slice");
    refused("w.mount", &p, "Slice");
}
END_TEST

START_TEST(a_unit_is_started_by_its_keeper_or_when_it_is_time)
{
    struct unit_properties p = good_service();
    char problem[HOST_PROBLEM_MAX] = "", timer[] = "w.timer", stranger[] = "x.timer";

    ck_assert(!guards_may_rest(&guards, &p));
    p.wanted_by = NULL;
    refused("w.service", &p, "WantedBy does not name " KEEPER);
    p.triggered_by = LIST(stranger);
    refused("w.service", &p, "WantedBy does not name " KEEPER);
    ck_assert(!guards_may_rest(&guards, &p));
    p.triggered_by = LIST(stranger, timer);
    ck_assert_msg(guards_of_unit(&guards, "w.service", &p, problem), "%s", problem);
    ck_assert(guards_may_rest(&guards, &p));

    p = good_service();
    strcpy(p.type, "oneshot");
    ck_assert(guards_may_rest(&guards, &p));
}
END_TEST

static struct unit_properties good_keeper(void)
{
    static char slice_name[] = SLICE, told[] = "TENURE_UNITS=w.service w.timer";
    static char *environment[] = {told, NULL};
    static char *slice[] = {slice_name, NULL};
    static char path[] = "/lib/systemd/system/tenure@.service";
    static char program[] = "/usr/lib/tenure/tenure-keeper";

    return (struct unit_properties){
        .id = KEEPER,
        .load_state = "loaded",
        .type = "notify",
        .restart = "no",
        .fragment_path = path,
        .exec_start = program,
        .exec_stop_post = program,
        .timeout_stop = 5 * USEC_PER_SEC + 50 * USEC_PER_MSEC,
        .timeout_abort = 5 * USEC_PER_SEC,
        .watchdog_signal = 9,
        .requires = slice,
        .environment = environment,
        .after = slice,
    };
}

static void keeper_refused(const struct unit_properties *p, const char *says)
{
    char problem[HOST_PROBLEM_MAX] = "";

    ck_assert(!guards_of_keeper(&guards, p, problem));
    ck_assert_msg(strncmp(problem, KEEPER, strlen(KEEPER)) == 0, "%s", problem);
    ck_assert_msg(strstr(problem, says), "not “%s”: %s", says, problem);
}

#define BROKEN_KEEPER(change, says)                                                                \
    do {                                                                                           \
        struct unit_properties p = good_keeper();                                                  \
        change;                                                                                    \
        keeper_refused(&p, says);                                                                  \
    } while (0)

START_TEST(the_keeper_unit)
{
    struct unit_properties good = good_keeper();
    char problem[HOST_PROBLEM_MAX] = "", other[] = "/etc/x", empty[] = "";
    char fewer[] = "TENURE_UNITS=w.service", more[] = "TENURE_UNITS=w.service w.timer x.path";
    char prefix[] = "TENURE_UNITS=w.servicew.timer";

    ck_assert_msg(guards_of_keeper(&guards, &good, problem), "%s", problem);
    BROKEN_KEEPER(strcpy(p.load_state, "masked"), "masked");
    BROKEN_KEEPER(p.fragment_path = other, "FragmentPath is /etc/x");
    BROKEN_KEEPER(p.fragment_path = NULL, "FragmentPath is nothing");
    BROKEN_KEEPER(strcpy(p.type, "simple"), "Type is simple, not notify");
    BROKEN_KEEPER(strcpy(p.restart, "always"), "Restart is always, not no");
    BROKEN_KEEPER(p.exec_start = other, "ExecStart is /etc/x");
    BROKEN_KEEPER(p.exec_stop_post = empty, "ExecStopPost is nothing");
    BROKEN_KEEPER(p.timeout_stop += 1, "TimeoutStopUSec");
    BROKEN_KEEPER(p.timeout_abort -= 1, "TimeoutAbortUSec is 4.999s, not 5s to 5.050s");
    BROKEN_KEEPER(p.watchdog_signal = 6, "WatchdogSignal is 6");
    BROKEN_KEEPER(p.requires = NULL, "Requires does not name " SLICE);
    BROKEN_KEEPER(p.after = NULL, "After does not name " SLICE);
    BROKEN_KEEPER(p.environment = NULL, "Environment has no TENURE_UNITS");
    BROKEN_KEEPER(p.environment = LIST(fewer), "Environment has no TENURE_UNITS");
    BROKEN_KEEPER(p.environment = LIST(more), "Environment has no TENURE_UNITS");
    BROKEN_KEEPER(p.environment = LIST(prefix), "Environment has no TENURE_UNITS");
}
END_TEST

/* ---- cgroups ---- */

START_TEST(cgroup_stat)
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
END_TEST

START_TEST(slices)
{
    bool empty = false;

    /* Not there: nothing runs in it. */
    ck_assert_int_eq(slice_look(dir, "a-b", &empty), 0);
    ck_assert(empty);

    ck_assert_int_eq(mkdir(in_dir("tenure.slice"), 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("tenure.slice/" SLICE), 0755), 0);
    write_text(in_dir("tenure.slice/" SLICE "/cgroup.stat"), "nr_descendants 1\n");
    ck_assert_int_eq(slice_look(dir, "a-b", &empty), 0);
    ck_assert(!empty);
    write_text(in_dir("tenure.slice/" SLICE "/cgroup.stat"), "nr_descendants 0\n");
    ck_assert_int_eq(slice_look(dir, "a-b", &empty), 0);
    ck_assert(empty);
    write_text(in_dir("tenure.slice/" SLICE "/cgroup.stat"), "garbage\n");
    ck_assert_int_eq(slice_look(dir, "a-b", &empty), -EBADMSG);
}
END_TEST

START_TEST(no_cgroup2_is_told)
{
    char text[HOST_TEXT_MAX] = "";

    ck_assert_int_eq(kernel_check_at(dir, text), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(text, "cgroup v2"));
}
END_TEST

/* ---- tickets and states ---- */

static struct ticket some_ticket(uint64_t term)
{
    return (struct ticket){
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

START_TEST(a_ticket_is_published_whole_and_once)
{
    struct ticket t = some_ticket(7), later = some_ticket(8), read_back;
    char text[TICKET_SIZE_MAX];
    struct stat st;

    ck_assert_int_eq(ticket_publish(dir, &t), 0);
    int fd = open(in_dir("a\\x2db"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ssize_t n = read(fd, text, sizeof text);
    ck_assert_int_gt(n, 0);
    (void)close(fd);
    ck_assert_int_eq(ticket_parse(text, (size_t)n, &read_back), 0);
    ck_assert_uint_eq(read_back.term, 7);

    /* Never over another: the one that is there may be about to be consumed. */
    ck_assert_int_eq(ticket_publish(dir, &later), -EEXIST);
    ck_assert_int_eq(ticket_withdraw(dir, "a-b"), 0);
    ck_assert_int_eq(ticket_withdraw(dir, "a-b"), 0);
    ck_assert_int_eq(ticket_publish(dir, &later), 0);
    later.term = 0;
    ck_assert_int_eq(ticket_publish(dir, &later), -EINVAL);
    ck_assert_int_eq(ticket_publish(in_dir("none"), &t), -ENOENT);
}
END_TEST

START_TEST(a_state_is_read_strictly)
{
    struct ticket t = some_ticket(7), got = {.term = 1};
    char text[TICKET_SIZE_MAX];

    ck_assert_int_eq(state_load(dir, "a-b", &got), -ENOENT);
    ck_assert_int_eq(mkdir(in_dir("a-b"), 0755), 0);
    ck_assert_int_eq(mkdir(in_dir("a-b/live"), 0755), 0);
    ck_assert_int_eq(state_load(dir, "a-b", &got), -ENOENT);
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    write_text(in_dir("a-b/live/state"), text);
    ck_assert_int_eq(state_load(dir, "a-b", &got), 0);
    ck_assert_uint_eq(got.term, 7);

    text[strlen(text) - 1] = '\0';
    write_text(in_dir("a-b/live/state"), text);
    ck_assert_int_eq(state_load(dir, "a-b", &got), -EBADMSG);
    strcpy(t.group, "other");
    ck_assert_int_gt(ticket_format(&t, text, sizeof text), 0);
    write_text(in_dir("a-b/live/state"), text);
    ck_assert_int_eq(state_load(dir, "a-b", &got), -EBADMSG);
}
END_TEST

START_TEST(datagrams_arrive_or_say_why_not)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct keeper_message sent = {.magic = KEEPER_MESSAGE_MAGIC, .verb = KEEPER_EXTEND, .term = 7};
    struct keeper_message got = {0};
    int fd = datagram_socket(), r = 0;
    char group[GROUP_NAME_MAX + 1];

    memset(group, '-', sizeof group);
    group[0] = 'a';
    group[GROUP_NAME_MAX] = '\0';
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(datagram_send(fd, dir, group, &sent), -ENOENT);
    ck_assert_int_eq(mkdir(in_dir(group), 0755), 0);
    ck_assert_int_eq(datagram_send(fd, dir, group, &sent), -ENOENT);

    int keeper = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_lt(
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s/extend", dir, group),
        sizeof address.sun_path);
    ck_assert_int_eq(bind(keeper, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(datagram_send(fd, dir, group, &sent), 0);
    ck_assert_int_eq(recv(keeper, &got, sizeof got, 0), sizeof got);
    ck_assert_uint_eq(got.term, 7);

    for (int i = 0; i < 100000 && r == 0; i++)
        r = datagram_send(fd, dir, group, &sent);
    ck_assert_int_eq(r, -EAGAIN);
    (void)close(keeper);
    ck_assert_int_eq(datagram_send(fd, dir, group, &sent), -ECONNREFUSED);
    (void)close(fd);
}
END_TEST

/* ---- the instance id ---- */

START_TEST(the_instance_id_lasts_and_is_one_agents)
{
    char id[INSTANCE_ID_LEN + 1] = "", again[INSTANCE_ID_LEN + 1] = "";
    int lock = -1, second = -1;

    ck_assert_int_eq(instance_id_in(dir, id, &lock), 0);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), INSTANCE_ID_LEN);
    ck_assert_int_eq(instance_id_in(dir, again, &second), -EBUSY);
    ck_assert_int_eq(second, -1);
    (void)close(lock);

    ck_assert_int_eq(instance_id_in(dir, again, &lock), 0);
    ck_assert_str_eq(id, again);
    (void)close(lock);

    /* Half a file is as good as none. */
    ck_assert_int_eq(truncate(in_dir("id"), 7), 0);
    ck_assert_int_eq(instance_id_in(dir, again, &lock), 0);
    ck_assert_str_ne(id, again);
    ck_assert_uint_eq(strspn(again, "0123456789abcdef"), INSTANCE_ID_LEN);
    (void)close(lock);
    ck_assert_int_eq(instance_id_in(in_dir("none"), again, &lock), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("host");
    TCase *pure = tcase_create("guards");
    TCase *files = tcase_create("files");

    tcase_add_test(pure, a_guarded_service);
    tcase_add_test(pure, each_missing_guard_of_a_service_is_named);
    tcase_add_test(pure, other_types_of_units);
    tcase_add_test(pure, a_unit_is_started_by_its_keeper_or_when_it_is_time);
    tcase_add_test(pure, the_keeper_unit);
    tcase_add_test(pure, cgroup_stat);
    suite_add_tcase(s, pure);

    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, slices);
    tcase_add_test(files, no_cgroup2_is_told);
    tcase_add_test(files, a_ticket_is_published_whole_and_once);
    tcase_add_test(files, a_state_is_read_strictly);
    tcase_add_test(files, datagrams_arrive_or_say_why_not);
    tcase_add_test(files, the_instance_id_lasts_and_is_one_agents);
    suite_add_tcase(s, files);

    return run_suite(s);
}
