/* SPDX-License-Identifier: Apache-2.0 */

/* tenurectl as a library: its words, its exit status, and what it does to files and to a bus on
 * which a stand-in plays both PID 1 and the agent. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "config/file.h"
#include "ctl/agent.h"
#include "ctl/ctl.h"
#include "ctl/status.h"

#include "../suite.h"

#define ARGUMENTS_MAX 8

/* libconfig 1.5 loses its buffer when a file ends within a string. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

static char dir[64];
static char *out, *err;

static const char *at(const char *name)
{
    static char path[8][256];
    static unsigned next;
    char *p = path[next++ % 8];

    (void)snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Runs tenurectl with these words (NULL at the end); its answers are in out and err. */
static int run(const char *const words[])
{
    char main_file[256], groups_dir[256], snapshot[256];
    char *argv[ARGUMENTS_MAX + 2] = {(char[]){"tenurectl"}};
    size_t n_out, n_err;
    int argc = 1;

    (void)snprintf(main_file, sizeof main_file, "%s", at("tenure.conf"));
    (void)snprintf(groups_dir, sizeof groups_dir, "%s", at("groups.d"));
    (void)snprintf(snapshot, sizeof snapshot, "%s", at("applied.conf"));
    for (size_t i = 0; words[i]; i++) {
        ck_assert_uint_lt(i, ARGUMENTS_MAX);
        argv[argc] = strdup(words[i]);
        ck_assert_ptr_nonnull(argv[argc++]);
    }
    free(out);
    free(err);
    const struct ctl ctl = {
        .paths = {.main_file = main_file, .groups_dir = groups_dir},
        .snapshot = snapshot,
        .out = open_memstream(&out, &n_out),
        .err = open_memstream(&err, &n_err),
    };
    ck_assert(ctl.out && ctl.err);
    char *first[ARGUMENTS_MAX + 2];
    memcpy(first, argv, sizeof first); /* getopt moves them about */
    int status = ctl_run(&ctl, argc, argv);
    ck_assert_int_eq(fclose(ctl.out), 0);
    ck_assert_int_eq(fclose(ctl.err), 0);
    for (int i = 1; i < argc; i++)
        free(first[i]);
    return status;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void set_up(void)
{
    (void)strcpy(dir, "/tmp/tenure-ctl.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(mkdir(at("groups.d"), 0755), 0);
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
    (void)setenv("TZ", "UTC", 1);
}

static void tear_down(void)
{
    char command[128];

    free(out);
    free(err);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void expect_in(const char *text, const char *fragment)
{
    ck_assert_msg(strstr(text, fragment), "no \"%s\" in: %s", fragment, text);
}

/* ---- words ---- */

static const struct {
    const char *words[ARGUMENTS_MAX];
    const char *fragment;
} misuses[] = {
    {{NULL}, "what shall be done?"},
    {{"stats"}, "there is no \"stats\""},
    {{"--foo"}, "no option \"--foo\""},
    {{"-x", "status"}, "no option \"-x\""},
    {{"status", "a", "b"}, "one group at most"},
    {{"status", "a/b"}, "\"a/b\" is no name of a group"},
    {{"status", "--jason"}, "status has no option \"--jason\": there is --json"},
    {{"check", "a", "b"}, "one file at most"},
    {{"check", "--json"}, "check has no option \"--json\": it takes none"},
    {{"apply", "now"}, "apply takes no argument"},
    {{"apply", "--force"}, "there is --if-missing"},
    {{"schema", "x"}, "schema takes no argument"},
    {{"is-leader"}, "takes one group"},
    {{"is-leader", "a", "b"}, "takes one group"},
    {{"is-leader", ""}, "is no name of a group"},
    {{"is-leader", "a@b"}, "is no name of a group"},
    {{"is-leader", "--quiet", "a"}, "is-leader has no option \"--quiet\": it takes none"},
    {{"status", ""}, "\"\" is no name of a group"},
    {{"status", "--json=yes"}, "status"},
    {{"schema", "--sql"}, "schema has no option \"--sql\": it takes none"},
    {{"apply", "--if-missing", "now"}, "apply takes no argument"},
    {{"Status"}, "there is no \"Status\""},
    {{""}, "there is no \"\""},
    {{"--json", "status"}, "no option \"--json\""},
};

START_TEST(wrong_use)
{
    ck_assert_int_eq(run(misuses[_i].words), CTL_USAGE);
    expect_in(err, misuses[_i].fragment);
    ck_assert_str_eq(out, "");
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1); /* one line */
}
END_TEST

START_TEST(help_and_version)
{
    ck_assert_int_eq(RUN("--version"), CTL_OK);
    ck_assert_str_eq(out, "tenurectl " TENURE_VERSION "\n");
    ck_assert_int_eq(RUN("--help"), CTL_OK);
    expect_in(out, "is-leader GROUP");
    ck_assert_int_eq(RUN("apply", "--help"), CTL_OK);
    expect_in(out, "is-leader GROUP");
    ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(schema_is_sql)
{
    ck_assert_int_eq(RUN("schema"), CTL_OK);
    expect_in(out, "begin;");
    expect_in(out, "commit;");
}
END_TEST

/* ---- check ---- */

#define MAIN(conninfo)                                                                             \
    "node = \"n1\";\narbiter = { type = \"postgresql\";\n conninfo = \"" conninfo "\"; };\n"
#define GROUP(name, unit) "groups = ( { name = \"" name "\"; units = [ \"" unit "\" ]; } );\n"

START_TEST(check_good)
{
    put("tenure.conf", MAIN("dbname=tenure") GROUP("billing", "billing.service"));
    ck_assert_int_eq(RUN("check", at("tenure.conf")), CTL_OK);
    expect_in(out, "node n1, 1 group\n");
    expect_in(out, "billing  15s      5s       1s       8.670s   2.167s   21.719s    "
                   "billing.service\n");
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(RUN("check"), CTL_OK);
    ck_assert_int_eq(access(at("applied.conf"), F_OK), -1);
}
END_TEST

START_TEST(check_shows_everything)
{
    char expected[512];

    put("tenure.conf", MAIN("dbname=tenure") "x = 1;\n" GROUP("g", "a.slice"));
    put("groups.d/a.conf", "groups = (\n");
    put("groups.d/b.conf", GROUP("h", "b.service") "y = 1;\n");
    ck_assert_int_eq(RUN("check"), CTL_FAILED);
    (void)snprintf(expected, sizeof expected, "%s/tenure.conf:4: \"x\" is not known", dir);
    expect_in(err, expected);
    expect_in(err, "tenure.conf:5: unit \"a.slice\"");
    expect_in(err, "groups.d/a.conf:2: syntax error");
    expect_in(err, "groups.d/b.conf:2: \"y\"");
    expect_in(err, "tenurectl: 4 problems\n");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(RUN("check", at("none.conf")), CTL_FAILED);
    expect_in(err, "none.conf: cannot be read");
}
END_TEST

START_TEST(check_conninfo_without_showing_it)
{
    static const char *const bad[] = {MAIN("password hush"), MAIN("hush=hush"),
                                      MAIN("host=a password='hush")};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("tenure.conf", bad[i]);
        ck_assert_int_eq(RUN("check"), CTL_FAILED);
        expect_in(err, "tenure.conf:3: conninfo is neither");
        ck_assert_ptr_null(strstr(err, "hush"));
    }
}
END_TEST

/* What libpq would take and the agent does not: said before anything is applied. */
START_TEST(check_conninfo_as_the_agent_does)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {MAIN("service=hush"), "tenure.conf:3: conninfo uses \"service\""},
        {MAIN("host=a,b,c port=1,2"), "tenure.conf:3: conninfo lists 3 hosts"},
        {MAIN("host=a connect_timeout=9999"), "tenure.conf:3: connect_timeout in conninfo"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("tenure.conf", bad[i].text);
        ck_assert_int_eq(RUN("check"), CTL_FAILED);
        expect_in(err, bad[i].says);
        ck_assert_ptr_null(strstr(err, "hush"));
    }
}
END_TEST

START_TEST(without_a_bus)
{
    ck_assert_int_eq(RUN("status"), CTL_FAILED);
    expect_in(err, "cannot reach the system bus");
    ck_assert_int_eq(RUN("is-leader", "g"), CTL_UNKNOWN);
    expect_in(err, "cannot ask systemd");
}
END_TEST

/* ---- a stand-in for PID 1 and the agent ---- */

struct stand_in {
    bool agent;         /* is there one? */
    const char *keeper; /* an active keeper's unit, or NULL */
    const char *retire_error;
    const char *reload_error;
    bool systemd_refuses;
    /* The hardware watchdog. */
    bool watchdog_silent;
    uint64_t watchdog_usec, watchdog_ping;
    const char *watchdog_device;
};

static pid_t daemon_pid, stand_in_pid;
static const struct stand_in *play;

static void note(const char *text)
{
    FILE *f = fopen(at("log"), "a");

    if (!f)
        _exit(9);
    (void)fprintf(f, "%s%s\n", text, access(at("applied.conf"), F_OK) == 0 ? " (snapshot)" : "");
    (void)fclose(f);
}

static int answer_objects(sd_bus_message *m)
{
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = sd_bus_message_append(
            reply, "a{oa{sa{sv}}}", 2, "/org/tenure1/group/b", 1, "org.tenure1.Group", 13, "Name",
            "s", "b-b", "Role", "s", "leader", "Term", "t", UINT64_C(4294967300), "Leader", "s",
            "n1", "LeaderSince", "t", UINT64_C(1700000000250000), "SeenUSec", "t",
            UINT64_C(1234567), "DeadlineUSec", "t", UINT64_C(8000000), "Reason", "s", "", "Method",
            "s", "lease", "Lease", "t", UINT64_C(15000000), "StopTimeout", "t", UINT64_C(5000000),
            "Units", "a(sss)", 1, "b.service", "active", "running", "Future", "as", 1, "x",
            "/org/tenure1/group/a", 1, "org.tenure1.Group", 4, "Name", "s", "a", "Role", "s",
            "standby", "SeenUSec", "t", UINT64_MAX, "Reason", "s", "n2 leads");
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return r;
}

static int answer_retire(sd_bus_message *m)
{
    char line[256] = "Retire";
    const char *group;
    int r = sd_bus_message_enter_container(m, 'a', "s");

    while (r >= 0 && sd_bus_message_read_basic(m, 's', &group) > 0)
        (void)snprintf(line + strlen(line), sizeof line - strlen(line), " %s", group);
    note(line);
    if (play->retire_error)
        return sd_bus_reply_method_errorf(m, "org.tenure1.Error.Busy", "%s", play->retire_error);
    return sd_bus_reply_method_return(m, NULL);
}

static int answer_agent(sd_bus_message *m)
{
    if (sd_bus_message_is_method_call(m, NULL, "GetManagedObjects"))
        return answer_objects(m);
    if (sd_bus_message_is_method_call(m, NULL, "GetAll"))
        return sd_bus_reply_method_return(m, "a{sv}", 4, "Node", "s", "n1", "Arbiter", "s",
                                          "postgresql pg1:5432", "Connected", "b", 1, "Status", "s",
                                          "leads 1 of 2");
    if (sd_bus_message_is_method_call(m, NULL, "Retire"))
        return answer_retire(m);
    if (sd_bus_message_is_method_call(m, NULL, "Reload")) {
        note("agent reloads");
        if (play->reload_error)
            return sd_bus_reply_method_errorf(m, "org.tenure1.Error.BadConfiguration", "%s",
                                              play->reload_error);
        return sd_bus_reply_method_return(m, NULL);
    }
    return 0;
}

static int answer_properties(sd_bus_message *m)
{
    if (play->watchdog_silent)
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_REPLY, "busy");
    return sd_bus_reply_method_return(
        m, "a{sv}", 5, "Version", "s", "252", "RuntimeWatchdogUSec", "t", play->watchdog_usec,
        "Environment", "as", 1, "A=B", "WatchdogLastPingTimestamp", "t", play->watchdog_ping,
        "WatchdogDevice", "s", play->watchdog_device ? play->watchdog_device : "");
}

static int answer_systemd(sd_bus_message *m)
{
    if (sd_bus_message_is_method_call(m, NULL, "GetAll"))
        return answer_properties(m);
    if (sd_bus_message_is_method_call(m, NULL, "Get"))
        return sd_bus_reply_method_return(m, "v", "s", play->keeper ? "active" : "inactive");
    if (sd_bus_message_is_method_call(m, NULL, "ListUnitsByPatterns")) {
        if (!play->keeper)
            return sd_bus_reply_method_return(m, "a(ssssssouso)", 0);
        return sd_bus_reply_method_return(
            m, "a(ssssssouso)", 2, play->keeper, "", "loaded", "active", "running", "", "/u", 0, "",
            "/j", "tenure@.service", "", "loaded", "active", "running", "", "/u", 0, "", "/j");
    }
    if (sd_bus_message_is_method_call(m, NULL, "Reload")) {
        note("daemon-reload");
        if (play->systemd_refuses)
            return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_FAILED, "a generator hangs");
        return sd_bus_reply_method_return(m, NULL);
    }
    return 0;
}

static int answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    const char *path = sd_bus_message_get_path(m);

    (void)userdata;
    (void)error;
    if (!path)
        return 0;
    int r = strncmp(path, "/org/tenure1", strlen("/org/tenure1")) == 0 ? answer_agent(m)
                                                                       : answer_systemd(m);
    return r < 0 ? r : r > 0;
}

static _Noreturn void be_the_stand_in(int ready)
{
    sd_bus *bus = NULL;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sd_bus_open_system(&bus) < 0 || sd_bus_add_filter(bus, NULL, answer, NULL) < 0 ||
        sd_bus_request_name(bus, "org.freedesktop.systemd1", 0) < 0 ||
        (play->agent && sd_bus_request_name(bus, AGENT_NAME, 0) < 0))
        _exit(1);
    if (write(ready, "x", 1) != 1)
        _exit(2);
    for (;;) {
        int r = sd_bus_process(bus, NULL);

        if (r < 0)
            _exit(0);
        if (r == 0)
            (void)sd_bus_wait(bus, UINT64_MAX);
    }
}

static void start_bus(void)
{
    int pipes[2];
    char address[512], option[32], listen[300];

    ck_assert_int_eq(pipe(pipes), 0);
    (void)snprintf(option, sizeof option, "--print-address=%d", pipes[1]);
    (void)snprintf(listen, sizeof listen, "--address=unix:path=%s", at("bus"));
    daemon_pid = fork();
    ck_assert_int_ge(daemon_pid, 0);
    if (daemon_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nosyslog", option,
                     listen, (char *)NULL);
        _exit(127);
    }
    (void)close(pipes[1]);
    ssize_t n = read(pipes[0], address, sizeof address - 1);
    ck_assert_msg(n > 1, "dbus-daemon does not start: is it installed?");
    address[n - 1] = '\0';
    (void)close(pipes[0]);
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

static void start_playing(const struct stand_in *what)
{
    int pipes[2];
    char c;

    start_bus();
    play = what;
    ck_assert_int_eq(pipe(pipes), 0);
    stand_in_pid = fork();
    ck_assert_int_ge(stand_in_pid, 0);
    if (stand_in_pid == 0)
        be_the_stand_in(pipes[1]);
    (void)close(pipes[1]);
    ck_assert_int_eq(read(pipes[0], &c, 1), 1);
    (void)close(pipes[0]);
}

static void stop_playing(void)
{
    ck_assert_int_eq(kill(stand_in_pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(stand_in_pid, NULL, 0), stand_in_pid);
    ck_assert_int_eq(kill(daemon_pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(daemon_pid, NULL, 0), daemon_pid);
}

/* What was done, in which order; forgotten afterwards. */
static void expect_log(const char *expected)
{
    char *text = NULL;
    int r = file_read(at("log"), 65536, &text);

    ck_assert(r == 0 || r == -ENOENT);
    ck_assert_str_eq(text ? text : "", expected);
    free(text);
    (void)unlink(at("log"));
}

static void expect_applied(const char *fragment)
{
    char *text = NULL;

    ck_assert_int_eq(file_read(at("applied.conf"), 65536, &text), 0);
    expect_in(text, fragment);
    free(text);
}

/* ---- apply ---- */

START_TEST(apply_first_and_again)
{
    start_playing(&(struct stand_in){.agent = false});
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("daemon-reload (snapshot)\n");
    expect_applied("a.service");
    put("tenure.conf", "rubbish");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "tenure.conf:1: syntax error");
    expect_in(err, "nothing is changed");
    expect_log("");
    expect_applied("a.service");
    stop_playing();
}
END_TEST

START_TEST(apply_leads_down_what_goes)
{
    start_playing(&(struct stand_in){.agent = true});
    put("tenure.conf", MAIN("dbname=tenure"));
    put("groups.d/a.conf", GROUP("gone", "a.service"));
    put("groups.d/b.conf", GROUP("other", "b.service"));
    put("groups.d/c.conf", GROUP("same", "c.service"));
    put("groups.d/d.conf", GROUP("budget", "d.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_in(out, "Applied 4 groups: 4 new, 0 removed, 0 changed, 0 as before.");
    expect_log("daemon-reload (snapshot)\nagent reloads (snapshot)\n");

    ck_assert_int_eq(unlink(at("groups.d/a.conf")), 0);
    put("groups.d/b.conf", GROUP("other", "e.service"));
    put("groups.d/d.conf",
        "groups = ( { name = \"budget\"; units = [ \"d.service\" ]; lease = \"20s\"; } );");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_in(out, "Applied 3 groups: 0 new, 1 removed, 2 changed, 1 as before.");
    expect_log(
        "Retire gone other (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    expect_applied("e.service");

    /* Another name of this node: all its leaderships end first. */
    put("tenure.conf", "node = \"n2\"; arbiter = { type = \"postgresql\"; conninfo = \"x=y\"; };");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED); /* x is no option of libpq */
    expect_log("");
    put("tenure.conf",
        "node = \"n2\"; arbiter = { type = \"postgresql\"; conninfo = \"port=1\"; };");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire budget other same (snapshot)\ndaemon-reload (snapshot)\n"
               "agent reloads (snapshot)\n");
    stop_playing();
}
END_TEST

START_TEST(apply_agent_cannot_lead_down)
{
    start_playing(&(struct stand_in){.agent = true, .retire_error = "a.service does not stop"});
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\nagent reloads (snapshot)\n");
    put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "a.service does not stop; nothing is changed");
    expect_log("Retire g (snapshot)\nagent reloads (snapshot)\n");
    expect_applied("a.service");
    stop_playing();
}
END_TEST

START_TEST(apply_agent_refuses)
{
    start_playing(&(struct stand_in){.agent = true, .reload_error = "not today"});
    put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "is written, but tenured did not take it: not today");
    stop_playing();
}
END_TEST

START_TEST(apply_systemd_refuses)
{
    start_playing(&(struct stand_in){.agent = true, .systemd_refuses = true});
    put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "systemd did not reload: a generator hangs");
    expect_log("daemon-reload (snapshot)\n");
    stop_playing();
}
END_TEST

START_TEST(apply_without_agent_spares_live_keepers)
{
    start_playing(&(struct stand_in){.keeper = "tenure@g\\x2d1.service"});
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "b.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "group \"g-1\" still leads here and must be led down first");
    expect_applied("a.service");
    /* A group that stays is not in the way. */
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    /* Nor is anything known to be, when nobody knows what is applied. */
    put("applied.conf", "rubbish");
    put("applied.conf.copy", "rubbish");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "group \"g-1\" still leads here");
    stop_playing();
}
END_TEST

START_TEST(apply_with_a_damaged_snapshot)
{
    start_playing(&(struct stand_in){.agent = true});
    put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\nagent reloads (snapshot)\n");
    put("tenure.conf", MAIN("dbname=tenure") GROUP("h", "a.service"));
    put("applied.conf", "rubbish"); /* the copy tells what goes */
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire g (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    put("applied.conf", "rubbish"); /* the agent tells */
    put("applied.conf.copy", "rubbish");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire a b-b (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    stop_playing();
}
END_TEST

START_TEST(apply_one_at_a_time)
{
    start_playing(&(struct stand_in){.agent = false});
    put("tenure.conf", MAIN("dbname=tenure"));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "another apply is at work");
    (void)close(fd);
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    stop_playing();
}
END_TEST

START_TEST(apply_as_nobody)
{
    put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_in(err, "must be run as root");
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* ---- status, is-leader ---- */

START_TEST(status_for_people)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ck_assert_str_eq(out,
                     "   node: n1\narbiter: postgresql pg1:5432\n status: leads 1 of 2\n"
                     "   host: hardware watchdog not armed\n\n"
                     "GROUP  ROLE     TERM        LEADER  SINCE                SEEN      REASON\n"
                     "a      standby  -           -       -                    never     n2 leads\n"
                     "b-b    leader   4294967300  n1      2023-11-14 22:13:20  1.2s ago  -\n");
    ck_assert_int_eq(RUN("status", "b-b"), CTL_OK);
    expect_in(out, "   left: 8s of this term");
    expect_in(out, "  units: b.service: active (running)\n");
    ck_assert_int_eq(RUN("status", "c"), CTL_FAILED);
    expect_in(err, "there is no group \"c\" here");
    stop_playing();
}
END_TEST

START_TEST(status_for_programs)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("status", "--json"), CTL_OK);
    json_t *root = json_loads(out, 0, NULL), *group, *unit;
    const char *name, *role, *since, *unit_name;
    json_int_t term;
    double seen, deadline, lease;

    ck_assert_ptr_nonnull(root);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "groups")), 2);
    ck_assert(json_is_true(json_object_get(root, "connected")));
    group = json_array_get(json_object_get(root, "groups"), 0);
    ck_assert(json_is_null(json_object_get(group, "seen_ago_seconds")));
    ck_assert(json_is_null(json_object_get(group, "leader")));
    ck_assert(json_is_null(json_object_get(group, "leader_since")));
    group = json_array_get(json_object_get(root, "groups"), 1);
    ck_assert_int_eq(json_unpack(group, "{s:s, s:s, s:I, s:s, s:F, s:F, s:F, s:[o]}", "name", &name,
                                 "role", &role, "term", &term, "leader_since", &since,
                                 "seen_ago_seconds", &seen, "deadline_seconds", &deadline,
                                 "lease_seconds", &lease, "units", &unit),
                     0);
    ck_assert_str_eq(name, "b-b");
    ck_assert_str_eq(role, "leader");
    ck_assert_int_eq(term, 4294967300);
    ck_assert_str_eq(since, "2023-11-14T22:13:20.250000Z");
    ck_assert_double_eq_tol(seen, 1.234567, 1e-9);
    ck_assert_double_eq_tol(deadline, 8, 1e-9);
    ck_assert_double_eq_tol(lease, 15, 1e-9);
    ck_assert_int_eq(json_unpack(unit, "{s:s}", "name", &unit_name), 0);
    ck_assert_str_eq(unit_name, "b.service");
    json_decref(root);

    ck_assert_int_eq(RUN("status", "--json", "b-b"), CTL_OK);
    root = json_loads(out, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "groups")), 1);
    json_decref(root);
    stop_playing();
}
END_TEST

static const struct {
    struct stand_in play;
    const char *text, *json;
} watchdogs[] = {
    {{.agent = true, .watchdog_usec = 10000000, .watchdog_ping = 1, .watchdog_device = "/dev/wd"},
     "   host: hardware watchdog armed, 10s (/dev/wd)\n",
     "{\"armed\": true, \"timeout_seconds\": 10.0, \"device\": \"/dev/wd\"}"},
    {{.agent = true, .watchdog_usec = UINT64_MAX, .watchdog_ping = 1},
     "   host: hardware watchdog armed, the device's own time\n",
     "{\"armed\": true, \"timeout_seconds\": null, \"device\": null}"},
    {{.agent = true,
      .watchdog_usec = 10000000,
      .watchdog_ping = UINT64_MAX,
      .watchdog_device = "/dev/wd"},
     "   host: hardware watchdog not armed: RuntimeWatchdogSec= is 10s, but systemd has no "
     "device\n",
     "{\"armed\": false, \"timeout_seconds\": 10.0, \"device\": \"/dev/wd\"}"},
    {{.agent = true, .watchdog_usec = 10000000},
     "   host: hardware watchdog not armed: RuntimeWatchdogSec= is 10s, but systemd has no "
     "device\n",
     "{\"armed\": false, \"timeout_seconds\": 10.0, \"device\": null}"},
    {{.agent = true, .watchdog_ping = 1},
     "   host: hardware watchdog not armed\n",
     "{\"armed\": false, \"timeout_seconds\": null, \"device\": null}"},
    {{.agent = true, .watchdog_silent = true},
     "   host: hardware watchdog unknown, systemd does not answer\n",
     "{\"armed\": null, \"timeout_seconds\": null, \"device\": null}"},
};

START_TEST(status_shows_the_watchdog)
{
    start_playing(&watchdogs[_i].play);
    ck_assert_int_eq(RUN("status"), CTL_OK);
    expect_in(out, watchdogs[_i].text);
    ck_assert_int_eq(RUN("status", "a"), CTL_OK);
    expect_in(out, watchdogs[_i].text);
    ck_assert_int_eq(RUN("status", "--json"), CTL_OK);
    json_t *root = json_loads(out, 0, NULL), *expected = json_loads(watchdogs[_i].json, 0, NULL);
    ck_assert(root && expected);
    ck_assert(json_equal(json_object_get(root, "hardware_watchdog"), expected));
    json_decref(expected);
    json_decref(root);
    stop_playing();
}
END_TEST

START_TEST(status_without_agent)
{
    start_playing(&(struct stand_in){.keeper = "tenure@g\\x2d1.service"});
    ck_assert_int_eq(RUN("status"), CTL_FAILED);
    expect_in(err, "tenured does not run on this host");
    expect_in(err, "systemctl start tenured");
    expect_in(err, "The keeper of group \"g-1\" lives");
    ck_assert_str_eq(out, "");
    stop_playing();
}
END_TEST

START_TEST(is_leader)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("is-leader", "g"), CTL_FAILED);
    ck_assert_str_eq(out, "");
    ck_assert_str_eq(err, "");
    stop_playing();
}
END_TEST

START_TEST(is_leader_needs_the_state)
{
    start_playing(&(struct stand_in){.keeper = "x"});
    ck_assert_int_eq(RUN("is-leader", "no-such-group-on-this-host"), CTL_FAILED);
    ck_assert_str_eq(err, "");
    stop_playing();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, wrong_use, 0, sizeof misuses / sizeof *misuses);
    tcase_add_test(t, help_and_version);
    tcase_add_test(t, schema_is_sql);
    tcase_add_test(t, check_good);
    tcase_add_test(t, check_shows_everything);
    tcase_add_test(t, check_conninfo_without_showing_it);
    tcase_add_test(t, check_conninfo_as_the_agent_does);
    tcase_add_test(t, without_a_bus);
    tcase_add_test(t, status_for_people);
    tcase_add_test(t, status_for_programs);
    tcase_add_loop_test(t, status_shows_the_watchdog, 0, sizeof watchdogs / sizeof *watchdogs);
    tcase_add_test(t, status_without_agent);
    tcase_add_test(t, is_leader);
    tcase_add_test(t, is_leader_needs_the_state);
    if (geteuid() == 0) { /* what only root may do cannot be tried by others */
        tcase_add_test(t, apply_first_and_again);
        tcase_add_test(t, apply_leads_down_what_goes);
        tcase_add_test(t, apply_agent_cannot_lead_down);
        tcase_add_test(t, apply_agent_refuses);
        tcase_add_test(t, apply_systemd_refuses);
        tcase_add_test(t, apply_without_agent_spares_live_keepers);
        tcase_add_test(t, apply_with_a_damaged_snapshot);
        tcase_add_test(t, apply_one_at_a_time);
        tcase_add_test(t, apply_as_nobody);
    }
    suite_add_tcase(suite, t);

    return run_suite(suite);
}
