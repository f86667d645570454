/* SPDX-License-Identifier: Apache-2.0 */

/* tenurectl as a library: its words, its exit status, and what it does to files and to a bus on
 * which a stand-in plays both PID 1 and the agent. */

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

#include "base/clock.h"
#include "ctl/agent.h"
#include "ctl/status_json.h"
#include "ctl/status_text.h"
#include "ctl/verbs.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/libconfig_leaks.h"
#include "support/test.h"
#include "support/text.h"

#define ARGUMENTS_MAX 8

static char *out, *err;
static const char *etc = ""; /* where the files of /etc are below the folder */
static bool asks_systemd;
static bool to_journal;
static const char *typed; /* at a terminal; NULL: there is none */

/* Runs tenurectl with these words (NULL at the end); its answers are in out and err. */
static int run(const char *const words[])
{
    char main_file[256], groups_dir[256], snapshot[256], copy[256], until_boot[256], older[256],
        copy_dir[256], remember_dir[256], lock_file[256];
    const char *const applied[] = {snapshot, copy, until_boot, older, NULL};
    const char *const unit_dirs[] = {copy_dir, NULL};
    char *argv[ARGUMENTS_MAX + 2] = {(char[]){"tenurectl"}};
    size_t n_out, n_err;
    int argc = 1;

    (void)snprintf(main_file, sizeof main_file, "%s", in_folder("tenure.conf"));
    (void)snprintf(groups_dir, sizeof groups_dir, "%s", in_folder("groups.d"));
    (void)snprintf(snapshot, sizeof snapshot, "%s/%sapplied.conf", folder(), etc);
    (void)snprintf(copy, sizeof copy, "%s/%sapplied.conf.copy", folder(), etc);
    (void)snprintf(until_boot, sizeof until_boot, "%s", in_folder("run/applied.conf"));
    (void)snprintf(older, sizeof older, "%s", in_folder("older.conf"));
    (void)snprintf(copy_dir, sizeof copy_dir, "%s/%sunits", folder(), etc);
    (void)snprintf(remember_dir, sizeof remember_dir, "%s", in_folder("remembered"));
    (void)snprintf(lock_file, sizeof lock_file, "%s", in_folder("apply.lock"));
    for (size_t i = 0; words[i]; i++) {
        ck_assert_uint_lt(i, ARGUMENTS_MAX);
        argv[argc] = strdup(words[i]);
        ck_assert_ptr_nonnull(argv[argc++]);
    }
    free(out);
    free(err);
    const struct ctl ctl = {
        .paths = {.main_file = main_file, .groups_dir = groups_dir, .unit_dirs = unit_dirs},
        .applied = applied,
        .copy_dir = copy_dir,
        .remember_dir = remember_dir,
        .lock_file = lock_file,
        .asks_systemd = asks_systemd,
        .out = open_memstream(&out, &n_out),
        .err = open_memstream(&err, &n_err),
        .in = fmemopen((void *)(uintptr_t)(typed ? typed : "n2\n"), strlen(typed ? typed : "n2\n"),
                       "r"),
        .is_person = typed,
        .to_journal = to_journal,
    };
    ck_assert(ctl.out && ctl.err && ctl.in);
    char *first[ARGUMENTS_MAX + 2];
    memcpy(first, argv, sizeof first); /* getopt moves them about */
    int status = ctl_run(&ctl, argc, argv);
    ck_assert_int_eq(fclose(ctl.out), 0);
    ck_assert_int_eq(fclose(ctl.err), 0);
    ck_assert_int_eq(fclose(ctl.in), 0);
    for (int i = 1; i < argc; i++)
        free(first[i]);
    return status;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void set_up(void)
{
    folder_make();
    folder_make_folder("groups.d");
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
    (void)setenv("TZ", "UTC", 1);
    etc = "";
    asks_systemd = false;
    typed = NULL;
}

static void tear_down(void)
{
    free(out);
    free(err);
}

/* ---- words ---- */

TEST_CASE(words, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

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
    {{"check", "--json"}, "check has no option \"--json\": there is --offline"},
    {{"apply", "now"}, "apply takes no argument"},
    {{"confirm-dead"}, "confirm-dead takes one node"},
    {{"confirm-dead", "n2", "n3"}, "confirm-dead takes one node"},
    {{"confirm-dead", "n/2"}, "\"n/2\" is no name of a node"},
    {{"confirm-dead", "n2"}, "a script that knows it says --yes-n2"},
    {{"confirm-dead", "n2", "--yes-n1"}, "--yes-n1 does not name the node \"n2\""},
    {{"confirm-dead", "n2", "--yes-n"}, "--yes-n does not name the node \"n2\""},
    {{"confirm-dead", "n2", "--yes-n22"}, "--yes-n22 does not name the node \"n2\""},
    {{"confirm-dead", "n2", "--yes-"}, "--yes- does not name the node \"n2\""},
    {{"confirm-dead", "n2", "--yes"}, "confirm-dead has no option \"--yes\""},
    {{"confirm-dead", "n2", "--yes-n1", "--yes-n2"}, "--yes-NODE is given once"},
    {{"apply", "--forced"},
     "there is --if-missing, --restore, --force, --dry-run, --release VALUE"},
    {{"apply", "--release"},
     "there is --if-missing, --restore, --force, --dry-run, --release VALUE"},
    {{"apply", "--if-missing", "--force"}, "apply takes no argument"},
    {{"apply", "--restore", "--dry-run"}, "apply takes no argument"},
    {{"apply", "--if-missing", "--release", "a"}, "apply takes no argument"},
    {{"apply", "--restore", "--release", "a"}, "apply takes no argument"},
    {{"apply", "--restore", "--if-missing"}, "apply takes no argument"},
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

TEST(wrong_use, EACH(misuses))
{
    ck_assert_int_eq(run(misuses[_i].words), CTL_USAGE);
    ASSERT_CONTAINS(err, misuses[_i].fragment);
    ck_assert_str_eq(out, "");
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1); /* one line */
}

TEST(help_and_version)
{
    ck_assert_int_eq(RUN("--version"), CTL_OK);
    ck_assert_str_eq(out, "tenurectl " TENURE_VERSION "\n");
    ck_assert_int_eq(RUN("--help"), CTL_OK);
    ASSERT_CONTAINS(out, "is-leader GROUP");
    ASSERT_CONTAINS(out, "where one would, it makes the outage longer\n");
    ck_assert_int_eq(RUN("apply", "--help"), CTL_OK);
    ASSERT_CONTAINS(out, "is-leader GROUP");
    ck_assert_str_eq(err, "");
}

TEST(schema_is_sql)
{
    ck_assert_int_eq(RUN("schema"), CTL_OK);
    ASSERT_CONTAINS(out, "begin;");
    ASSERT_CONTAINS(out, "commit;");
}

/* ---- check ---- */

TEST_CASE(check, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

#define MAIN(conninfo)                                                                             \
    "node = \"n1\";\narbiter = { type = \"postgresql\";\n conninfo = \"" conninfo "\"; };\n"
#define GROUP(name, unit) "groups = ( { name = \"" name "\"; units = [ \"" unit "\" ]; } );\n"

TEST(check_good)
{
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("billing", "billing.service"));
    ck_assert_int_eq(RUN("check", in_folder("tenure.conf")), CTL_OK);
    ASSERT_CONTAINS(out, "node n1, 1 group\n");
    ASSERT_CONTAINS(out, "billing  15s      5s       1s       8.670s   2.167s   21.719s    "
                         "billing.service\n");
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(RUN("check"), CTL_OK);
    ck_assert_int_eq(access(in_folder("applied.conf"), F_OK), -1);
}

TEST(check_shows_everything)
{
    char expected[512];

    folder_put("tenure.conf", MAIN("dbname=tenure") "x = 1;\n" GROUP("g", "a.slice"));
    folder_put("groups.d/a.conf", "groups = (\n");
    folder_put("groups.d/b.conf", GROUP("h", "b.service") "y = 1;\n");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_BAD);
    (void)snprintf(expected, sizeof expected, "%s/tenure.conf:4: \"x\" is not known", folder());
    ASSERT_CONTAINS(err, expected);
    ASSERT_CONTAINS(err, "tenure.conf:5: unit \"a.slice\"");
    ASSERT_CONTAINS(err, "groups.d/a.conf:2: syntax error");
    ASSERT_CONTAINS(err, "groups.d/b.conf:2: \"y\"");
    ASSERT_CONTAINS(err, "tenurectl: 4 problems\n");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(RUN("check", in_folder("none.conf")), CTL_CHECK_BAD);
    ASSERT_CONTAINS(err, "none.conf: cannot be read");
}

/* A full disk: nobody sees what it says, and its status must not be a better one. */
TEST(check_that_cannot_be_written)
{
    static const char *const applied[] = {"/nonexistent/a", "/nonexistent/b", "/nonexistent/c",
                                          NULL};

    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    for (int bad = 0; bad < 2; bad++) {
        char main_file[256], groups[256];
        char *argv[] = {(char[]){"tenurectl"}, (char[]){"check"}, NULL};
        FILE *full = fopen("/dev/full", "w"), *null = fopen("/dev/null", "w");

        ck_assert(full && null);
        (void)snprintf(main_file, sizeof main_file, "%s", in_folder(bad ? "none" : "tenure.conf"));
        (void)snprintf(groups, sizeof groups, "%s", in_folder("groups.d"));
        (void)fputs("something", full);
        const struct ctl ctl = {.paths = {.main_file = main_file, .groups_dir = groups},
                                .applied = applied,
                                .copy_dir = "/nonexistent",
                                .out = full,
                                .err = null};
        ck_assert_int_eq(ctl_run(&ctl, 2, argv), bad ? CTL_CHECK_BAD : CTL_CHECK_UNKNOWN);
        (void)fclose(full);
        (void)fclose(null);
    }
}

TEST(check_conninfo_without_showing_it)
{
    static const char *const bad[] = {MAIN("password hush"), MAIN("hush=hush"),
                                      MAIN("host=a password='hush")};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder_put("tenure.conf", bad[i]);
        ck_assert_int_eq(RUN("check"), CTL_CHECK_BAD);
        ASSERT_CONTAINS(err, "tenure.conf:3: conninfo is neither");
        ck_assert_ptr_null(strstr(err, "hush"));
    }
}

/* What libpq would take and the agent does not: said before anything is applied. */
#define EXPOSED "the password would go in clear text to any server that answers"
#define TO_ANYBODY "host=pg1 sslmode=require channel_binding=prefer password=hush"

/* What each says is one of the remedies. */
TEST(check_refuses_a_password_for_any_server_that_answers)
{
    static const struct {
        const char *conninfo, *more;
        bool refused;
    } of[] = {
        {TO_ANYBODY, "", true},
        {TO_ANYBODY, "allow_unverified = false;", true},
        {TO_ANYBODY, "allow_unverified = true;", false},
        {"host=pg1 sslmode=require password=hush", "", false},
        {"host=pg1 sslmode=verify-full channel_binding=prefer password=hush", "", false},
        {"host=127.0.0.1 channel_binding=prefer password=hush", "", false},
    };
    char text[512];

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        (void)snprintf(text, sizeof text,
                       "node = \"n1\";\narbiter = { type = \"postgresql\";\n conninfo = \"%s\"; "
                       "%s };\n",
                       of[i].conninfo, of[i].more);
        folder_put("tenure.conf", text);
        ck_assert_int_eq(RUN("check", "--offline"), of[i].refused ? CTL_CHECK_BAD : CTL_OK);
        ck_assert_ptr_null(strstr(err, "hush"));
        if (!of[i].refused)
            continue;
        ASSERT_CONTAINS(err, "tenure.conf:3: " EXPOSED);
        ASSERT_CONTAINS(err, "allow_unverified = true;");
        ASSERT_CONTAINS(err, "sslmode=verify-full");
        ASSERT_CONTAINS(err, "1 problem");
    }
}

TEST(check_conninfo_as_the_agent_does)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {MAIN("service=hush"), "tenure.conf:3: conninfo uses \"service\""},
        {MAIN("host=a,b,c port=1,2"), "tenure.conf:3: conninfo lists 3 hosts"},
        {MAIN("host=a connect_timeout=9999"), "tenure.conf:3: connect_timeout in conninfo"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder_put("tenure.conf", bad[i].text);
        ck_assert_int_eq(RUN("check"), CTL_CHECK_BAD);
        ASSERT_CONTAINS(err, bad[i].says);
        ck_assert_ptr_null(strstr(err, "hush"));
    }
}

/* What `status --json` says without an agent. */
static void expect_silence(const char *agent, const char *problem, size_t n_groups)
{
    json_t *root = json_loads(out, 0, NULL);
    const json_t *groups = json_object_get(root, "groups");

    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(json_string_value(json_object_get(root, "agent")), agent);
    ASSERT_CONTAINS(json_string_value(json_object_get(root, "problem")), problem);
    ck_assert(json_is_null(json_object_get(root, "node")));
    ck_assert(json_is_null(json_object_get(root, "connected")));
    if (n_groups == SIZE_MAX)
        ck_assert(json_is_null(groups));
    else
        ck_assert_uint_eq(json_array_size(groups), n_groups);
    for (size_t i = 0; i < json_array_size(groups); i++)
        ck_assert(json_is_null(json_object_get(json_array_get(groups, i), "units")));
    json_decref(root);
}

TEST(without_a_bus)
{
    ck_assert_int_eq(RUN("status"), CTL_UNREACHABLE);
    ASSERT_CONTAINS(err, "cannot reach the system bus");
    ck_assert_str_eq(out, "");
    ck_assert_int_eq(RUN("status", "--json"), CTL_UNREACHABLE);
    expect_silence("not reachable", "cannot reach the system bus", SIZE_MAX);
    ck_assert_int_eq(RUN("is-leader", "g"), CTL_UNKNOWN);
    ASSERT_CONTAINS(err, "cannot ask systemd");
}

/* ---- a stand-in for PID 1 and the agent ---- */

struct stand_in {
    bool agent;               /* is there one? */
    const char *agent_state;  /* of its unit; NULL: "inactive" */
    const char *keeper;       /* a living keeper's unit, or NULL */
    const char *keeper_state; /* NULL: "active" */
    const char *keeper_path;  /* with this in its path it lives, and no other one; NULL: all do */
    const char *slice;        /* that keepers require, or NULL */
    const char *retire_error;
    const char *reload_error;
    const char *leader;             /* of group a; NULL: nobody */
    uint64_t leader_runs;           /* on its host yet */
    bool older;                     /* an agent of the version before, which does not say that */
    bool seen, cut_off;             /* group a's lease; the agent */
    uint64_t seen_usec;             /* how long ago; 0: half a second */
    const char *confirm_error;      /* of ConfirmDead … */
    const char *confirm_error_name; /* … NULL: Refused */
    bool confirm_nonsense;          /* its answer is of another type */
    unsigned confirmed;             /* else so many records, the first with a note */
    bool systemd_refuses;
    /* The hardware watchdog. */
    bool watchdog_silent;
    uint64_t watchdog_usec;
    uint64_t watchdog_ping; /* 1: just now */
    const char *watchdog_device;
    uint64_t unchanged; /* group a's lease, watched for 15 s; 0: it is not */
    uint64_t renewed;   /* so long ago; 0: never seen */
};

static pid_t daemon_pid, stand_in_pid;
static const struct stand_in *play;

static void note(const char *text)
{
    FILE *f = fopen(in_folder("log"), "a");

    if (!f)
        _exit(9);
    (void)fprintf(f, "%s%s\n", text,
                  access(in_folder("applied.conf"), F_OK) == 0 ? " (snapshot)" : "");
    (void)fclose(f);
}

static int answer_objects(sd_bus_message *m)
{
    sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(m, &reply);

    if (r >= 0)
        r = sd_bus_message_append(
            reply, "a{oa{sa{sv}}}", 2, "/org/tenure1/group/b", 1, "org.tenure1.Group", 15, "Name",
            "s", "b-b", "Role", "s", "leader", "Term", "t", UINT64_C(4294967300), "Leader", "s",
            "n1", "LeaderSince", "t", UINT64_C(1700000000250000), "SeenUSec", "t",
            UINT64_C(3456789), "RenewedUSec", "t", UINT64_C(1234567), "DeadlineUSec", "t",
            UINT64_C(8000000), "Reason", "s", "", "Method", "s", "lease", "Lease", "t",
            UINT64_C(15000000), "ConfiguredLease", "t", UINT64_C(60000000), "StopTimeout", "t",
            UINT64_C(5000000), "Units", "a(sss)", 1, "b.service", "active", "running", "Future",
            "as", 1, "x", "/org/tenure1/group/a", 1, "org.tenure1.Group", 12, "Name", "s", "a",
            "Role", "s", "standby", "Leader", "s", play->leader ? play->leader : "", "Term", "t",
            UINT64_C(0), play->older ? "OlderUSec" : "LeaderRunsUSec", "t", play->leader_runs,
            "SeenUSec", "t",
            play->unchanged > 0   ? UINT64_C(1000000)
            : play->seen_usec > 0 ? play->seen_usec
            : play->seen          ? UINT64_C(500000)
                                  : UINT64_MAX,
            "Reason", "s", "n2 leads", "KeeperDuration", "t", UINT64_C(8670000), "UnchangedUSec",
            "t", play->unchanged, "WatchUSec", "t",
            play->unchanged > 0 ? UINT64_C(15000000) : UINT64_C(0), "RenewedUSec", "t",
            play->renewed > 0 ? play->renewed : UINT64_MAX, "ClaimsInUSec", "t",
            play->unchanged > 0 ? UINT64_C(15000000) - play->unchanged : UINT64_MAX);
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

static int answer_confirm_dead(sd_bus_message *m)
{
    char line[256];
    const char *node;
    int r = sd_bus_message_read(m, "s", &node);

    if (r < 0)
        return r;
    (void)snprintf(line, sizeof line, "ConfirmDead %s%s", node,
                   sd_bus_message_get_allow_interactive_authorization(m) > 0 ? ", asking" : "");
    note(line);
    if (play->confirm_error)
        return sd_bus_reply_method_errorf(
            m, play->confirm_error_name ? play->confirm_error_name : "org.tenure1.Error.Refused",
            "%s", play->confirm_error);
    if (play->confirm_nonsense)
        return sd_bus_reply_method_return(m, "s", "n2");
    if (play->confirmed == 0)
        return sd_bus_reply_method_return(m, "a(sttts)", 0);
    return sd_bus_reply_method_return(m, "a(sttts)", 2, "a", UINT64_C(4294967301),
                                      UINT64_C(15000000), UINT64_C(0), "process 7 has the lock",
                                      "b-b", UINT64_C(4294967302), UINT64_C(20500000),
                                      UINT64_C(1000000), "");
}

static int answer_agent(sd_bus_message *m)
{
    if (sd_bus_message_is_method_call(m, NULL, "ConfirmDead"))
        return answer_confirm_dead(m);
    if (sd_bus_message_is_method_call(m, NULL, "GetManagedObjects"))
        return answer_objects(m);
    if (sd_bus_message_is_method_call(m, NULL, "GetAll"))
        return sd_bus_reply_method_return(m, "a{sv}", 4, "Node", "s", "n1", "Arbiter", "s",
                                          "postgresql pg1:5432", "Connected", "b", !play->cut_off,
                                          "Status", "s", "leads 1 of 2");
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
    uint64_t ping = play->watchdog_ping == 1 ? clock_monotonic() : play->watchdog_ping;
    return sd_bus_reply_method_return(
        m, "a{sv}", 6, "Version", "s", "252", "RuntimeWatchdogUSec", "t", play->watchdog_usec,
        "Environment", "as", 1, "A=B", "WatchdogLastPingTimestamp", "t", UINT64_C(1700000000000000),
        "WatchdogLastPingTimestampMonotonic", "t", ping, "WatchdogDevice", "s",
        play->watchdog_device ? play->watchdog_device : "");
}

static const char *keeper_state(void)
{
    return play->keeper_state ? play->keeper_state : "active";
}

static int answer_unit(sd_bus_message *m)
{
    bool lives = play->keeper &&
                 (!play->keeper_path || strstr(sd_bus_message_get_path(m), play->keeper_path));
    const char *state = lives ? keeper_state() : "inactive", *property;
    int r = sd_bus_message_read(m, "ss", NULL, &property);

    if (r >= 0 && strcmp(property, "Requires") == 0)
        return sd_bus_reply_method_return(m, "v", "as", play->slice ? 2 : 1, "x.slice",
                                          play->slice);
    if (strstr(sd_bus_message_get_path(m), "tenured"))
        state = play->agent_state ? play->agent_state : "inactive";
    if (strcmp(state, "?") == 0)
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_REPLY, "busy");
    return r < 0 ? r : sd_bus_reply_method_return(m, "v", "s", state);
}

static int answer_systemd(sd_bus_message *m)
{
    if (sd_bus_message_is_method_call(m, NULL, "GetAll"))
        return answer_properties(m);
    if (sd_bus_message_is_method_call(m, NULL, "Get"))
        return answer_unit(m);
    if (sd_bus_message_is_method_call(m, NULL, "ListUnitsByPatterns")) {
        if (!play->keeper)
            return sd_bus_reply_method_return(m, "a(ssssssouso)", 0);
        return sd_bus_reply_method_return(m, "a(ssssssouso)", 2, play->keeper, "", "loaded",
                                          keeper_state(), "running", "", "/u", 0, "", "/j",
                                          "tenure@.service", "", "loaded", "active", "running", "",
                                          "/u", 0, "", "/j");
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
    (void)snprintf(listen, sizeof listen, "--address=unix:path=%s", in_folder("bus"));
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
    const char *text = file_get(in_folder("log"));

    ck_assert_str_eq(text ? text : "", expected);
    (void)unlink(in_folder("log"));
}

static void expect_applied(const char *fragment)
{
    const char *text = file_get(in_folder("applied.conf"));

    ck_assert_ptr_nonnull(text);
    ASSERT_CONTAINS(text, fragment);
}

/* The copy of a unit's guard, and what it has to say. */
static void expect_copy(const char *unit, const char *fragment)
{
    char path[512];

    (void)snprintf(path, sizeof path, "units/%s.d/~tenure.conf", unit);
    const char *text = file_get(in_folder(path));
    ck_assert_int_eq(text != NULL, fragment != NULL);
    if (fragment)
        ASSERT_CONTAINS(text, fragment);
}

/* The same of what is remembered of a keeper. */
static void expect_remembered(const char *keeper, const char *fragment)
{
    char path[512];

    (void)snprintf(path, sizeof path, "remembered/%s.d/~tenure.conf", keeper);
    const char *text = file_get(in_folder(path));
    ck_assert_int_eq(text != NULL, fragment != NULL);
    if (fragment)
        ASSERT_CONTAINS(text, fragment);
}

/* ---- apply ---- */

TEST_CASE(apply, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

TEST(apply_first_and_again, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("daemon-reload (snapshot)\n");
    expect_applied("a.service");
    expect_remembered("tenure@g.service", "PropagatesStopTo=a.service\n");
    folder_put("tenure.conf", "rubbish");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("");
    /* As after a boot, which empties /run. */
    ck_assert_int_eq(rename(in_folder("remembered"), in_folder("gone")), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("");
    expect_remembered("tenure@g.service", "PropagatesStopTo=a.service\n");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "tenure.conf:1: syntax error");
    ASSERT_CONTAINS(err, "nothing is changed");
    expect_log("");
    expect_applied("a.service");
    stop_playing();
}

#define MAIN_DECIDING(allow, conninfo)                                                             \
    "node = \"n1\";\narbiter = { type = \"postgresql\"; allow_unverified = " allow                 \
    ";\n conninfo = \"" conninfo "\"; };\n"
#define MAIN_ALLOWING(conninfo) MAIN_DECIDING("true", conninfo)

TEST(apply_refuses_a_password_for_any_server_that_answers, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    folder_put("tenure.conf", MAIN(TO_ANYBODY) GROUP("g", "b.service"));
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_FAILED);
    ck_assert_int_eq(RUN("apply", "--force"), CTL_FAILED);
    ASSERT_CONTAINS(err, EXPOSED);
    ASSERT_CONTAINS(err, "nothing is changed");
    expect_applied("a.service");
    folder_put("tenure.conf", MAIN_ALLOWING(TO_ANYBODY) GROUP("g", "b.service"));
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out, "allow_unverified is true, at once.");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_applied("allow_unverified = true;");
    /* Nobody has taken it back but the administrator. */
    folder_put("tenure.conf", MAIN(TO_ANYBODY) GROUP("g", "b.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    expect_applied("allow_unverified = true;");
    stop_playing();
}

/* It goes on, also when other things of it are changed, until somebody writes another one. */
TEST(apply_leaves_the_arbiter_of_an_earlier_version, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("applied.conf", MAIN(TO_ANYBODY) GROUP("g", "a.service"));
    folder_put("tenure.conf", MAIN(TO_ANYBODY) GROUP("g", "a.service") "# as it was\n");
    ck_assert_int_eq(RUN("check", "--offline"), CTL_CHECK_BAD);
    ASSERT_CONTAINS(err, "an earlier version has applied this arbiter");
    folder_put("groups.d/h.conf", GROUP("h", "h.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(err, EXPOSED);
    ASSERT_CONTAINS(err, "so it goes on as it is");
    expect_applied("h.service");
    ck_assert_ptr_null(strstr(file_get(in_folder("applied.conf")), "allow_unverified"));
    folder_put("tenure.conf", MAIN(TO_ANYBODY " port=7") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    folder_put("tenure.conf",
               MAIN("host=pg1 sslmode=require password=hush") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out, "from now on the agent protects its password");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_applied("allow_unverified = false;");
    ck_assert_int_eq(RUN("check", "--offline"), CTL_OK);
    ck_assert_str_eq(err, "");
    stop_playing();
}

/* The agent's start has nobody to ask. What an earlier version had applied in memory may be lost
 * with a boot: a new version must not be what keeps every host out. */
TEST(apply_if_missing_leaves_the_password_as_it_was, .root = true, .times = 2)
{
    static const char *const of[] = {MAIN(TO_ANYBODY), MAIN("host=pg1 sslmode=require "
                                                            "password=hush")};

    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", of[_i]);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ASSERT_CONTAINS(err, "the password goes in clear text to any server that answers");
    ASSERT_CONTAINS(err, "allow_unverified = false; beside conninfo");
    expect_applied("conninfo");
    ck_assert_ptr_null(strstr(file_get(in_folder("applied.conf")), "allow_unverified"));
    stop_playing();
}

TEST(apply_if_missing_protects_the_password_where_the_file_says_so, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN_DECIDING("false", TO_ANYBODY) GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ASSERT_CONTAINS(err, EXPOSED);
    ASSERT_CONTAINS(err, "the agent does not send it so");
    expect_applied("allow_unverified = false;");
    stop_playing();
}

/* Where it makes no difference, versions that do not know it can read what is applied. */
TEST(apply_writes_allow_unverified_where_it_matters, .root = true)
{
    static const struct {
        const char *main;
        bool written;
    } of[] = {
        {MAIN("host=pg1 sslmode=require password=hush"), true},
        {MAIN("host=pg1 sslmode=verify-full"), true},
        {MAIN("host=localhost,pg1 sslmode=require"), true},
        {MAIN("sslmode=require"), true}, /* the agent's environment may name a host */
        {MAIN_ALLOWING("host=/run/postgresql"), true},
        {MAIN("host=/run/postgresql password=hush"), false},
        {MAIN_DECIDING("false", "host=/run/postgresql"), false},
        {MAIN("host=localhost"), false},
        {MAIN("host=pg1 hostaddr=::1"), false},
        {MAIN("host=pg1 channel_binding=require password=hush"), false},
    };

    start_playing(&(struct stand_in){.agent = false});
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        folder_put("tenure.conf", of[i].main);
        ck_assert_int_eq(RUN("apply"), CTL_OK);
        ck_assert_msg((strstr(file_get(in_folder("applied.conf")), "allow_unverified") != NULL) ==
                          of[i].written,
                      "%s", of[i].main);
        ck_assert_int_eq(RUN("check", "--offline"), CTL_OK);
        ck_assert_str_eq(err, "");
    }
    stop_playing();
}

/* Somebody was asked after all, and said "false". */
TEST(apply_obeys_a_written_false, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("applied.conf", MAIN(TO_ANYBODY) GROUP("g", "a.service"));
    folder_put("tenure.conf", MAIN_DECIDING("false", TO_ANYBODY) GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, EXPOSED);
    ASSERT_CONTAINS(err, "nothing is changed");
    folder_put("applied.conf", MAIN("host=pg1 sslmode=require password=hush"));
    folder_put("tenure.conf", MAIN_DECIDING("false", "host=pg1 sslmode=require password=hush"));
    ck_assert_int_eq(RUN("check", "--offline"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "the arbiter of the files is not the one that is applied");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_applied("allow_unverified = false;");
    stop_playing();
}

TEST(apply_steps_down_from_what_goes, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/a.conf", GROUP("gone", "a.service"));
    folder_put("groups.d/b.conf", GROUP("other", "o.service"));
    folder_put("groups.d/c.conf", GROUP("same", "s.service"));
    folder_put("groups.d/d.conf", GROUP("budget", "d.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "Applied 4 groups: 4 new, 0 removed, 0 changed, 0 as before.");
    /* Nothing is applied that could be read, but the agent has groups. */
    expect_log("Retire a b-b\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");

    ck_assert_int_eq(unlink(in_folder("groups.d/a.conf")), 0);
    folder_put("groups.d/b.conf", GROUP("other", "e.service"));
    folder_put("groups.d/d.conf",
               "groups = ( { name = \"budget\"; units = [ \"d.service\" ]; lease = \"20s\"; } );");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "Applied 3 groups: 0 new, 1 removed, 2 changed, 1 as before.");
    expect_log(
        "Retire gone other (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    expect_applied("e.service");
    /* What left stays guarded. */
    ASSERT_CONTAINS(
        out, "Left group \"gone\", and cannot start here until tenurectl apply --release gone: "
             "a.service\n");
    ASSERT_CONTAINS(out, "--release other: o.service\n");
    expect_copy("a.service", "kept/run-tenurectl-apply--release-gone\n");
    expect_copy("o.service", "kept/run-tenurectl-apply--release-other\n");
    expect_copy("e.service", "groups/other/live/state\n");
    expect_remembered("tenure@gone.service", "PropagatesStopTo=a.service\n");
    expect_remembered("tenure@other.service", "PropagatesStopTo=o.service\n");

    /* Another name of this node: all its leaderships end first. */
    folder_put("tenure.conf",
               "node = \"n2\"; arbiter = { type = \"postgresql\"; conninfo = \"x=y\"; };");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED); /* x is no option of libpq */
    expect_log("");
    folder_put("tenure.conf",
               "node = \"n2\"; arbiter = { type = \"postgresql\"; conninfo = \"port=1\"; };");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire budget other same (snapshot)\ndaemon-reload (snapshot)\n"
               "agent reloads (snapshot)\n");
    stop_playing();
}

TEST(apply_agent_cannot_step_down, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .retire_error = "a.service does not stop"});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED); /* it has groups, and no snapshot says which */
    expect_log("Retire a b-b\nagent reloads\n");
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "a.service does not stop; nothing is changed");
    expect_log("Retire g (snapshot)\nagent reloads (snapshot)\n");
    expect_applied("a.service");
    stop_playing();
}

/* PID 1 is asked as well: the agent may have been restarted since, and know nothing of it. */
TEST(apply_sees_keepers_that_live_on, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .keeper = "tenure@g.service"});
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply", "--release", "g"), CTL_FAILED);
    ASSERT_CONTAINS(
        err, "this host still leads group \"g\" and must step down first, but tenured did not do "
             "it: apply again; nothing is changed");
    expect_log("Retire g (snapshot)\nagent reloads (snapshot)\n");
    expect_applied("a.service");
    stop_playing();
}

TEST(apply_agent_refuses, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .reload_error = "not\x1b[31m\n today"});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "is written, but tenured did not take it: not [31m today");
    stop_playing();
}

/* `systemctl reload tenured`: the user who asked is sent to the journal, where the last lines are
 * these.
 */
TEST(apply_in_the_journal, .root = true)
{
    folder_put("tenure.conf", "nonsense");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ck_assert_ptr_null(strstr(err, "sudo tenurectl apply")); /* that is where it is run */
    ck_assert_ptr_null(strstr(err, "<3>"));
    to_journal = true;
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    to_journal = false;
    ck_assert_int_eq(strncmp(err, "<3>", 3), 0);
    ASSERT_CONTAINS(err, "tenure.conf:1: syntax error");
    ASSERT_CONTAINS(err, "\n<4>tenurectl: the reload has failed for the reasons above; `sudo "
                         "tenurectl apply` tries again and says them on the terminal\n");
}

TEST(apply_systemd_refuses, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .systemd_refuses = true});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "systemd did not reload: a generator hangs");
    expect_log("Retire a b-b\ndaemon-reload (snapshot)\n");
    stop_playing();
}

TEST(apply_without_agent_spares_live_keepers, .root = true)
{
    start_playing(&(struct stand_in){.keeper = "tenure@g-1.service"});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "b.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "this host still leads group \"g-1\" and must step down first");
    expect_applied("a.service");
    /* A group that stays is not in the way. */
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\ndaemon-reload (snapshot)\n");
    /* Any may be, when nobody knows what is applied; but not if its guards are the same. */
    folder_put("applied.conf", "rubbish");
    folder_put("applied.conf.copy", "rubbish");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "b.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "this host still leads group \"g-1\"");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\n");
    /* Missing is not empty, for an agent that is being started either. */
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g-1", "b.service"));
    ck_assert_int_eq(unlink(in_folder("applied.conf")) | unlink(in_folder("applied.conf.copy")), 0);
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "this host still leads group \"g-1\"");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_FAILED);
    ASSERT_CONTAINS(err, "this host still leads group \"g-1\"");
    expect_log("");
    stop_playing();
}

TEST(apply_with_a_damaged_snapshot, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire a b-b\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    expect_copy("b.service", "release-b-b\n"); /* the agent's, as nothing else says it */
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("h", "x.service"));
    folder_put("applied.conf", "rubbish"); /* the copy tells what goes */
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire g (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    folder_put("applied.conf", "rubbish"); /* the agent tells */
    folder_put("applied.conf.copy", "rubbish");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire a b-b (snapshot)\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    /* What was kept is known by its guards. */
    expect_copy("a.service", "release-g\n");
    expect_applied("\"a.service\"");
    stop_playing();
}

/* ---- what left its group ---- */

TEST(apply_keeps_what_left, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/g.conf",
               "groups = ( { name = \"g\"; units = [ \"a.service\", \"b.timer\" ]; } );");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ck_assert_ptr_null(strstr(out, "Left"));
    folder_put("groups.d/g.conf", GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "tenurectl apply --release g: b.timer\n");
    expect_copy("b.timer", "release-g\n");

    /* Nobody's word, nobody's unit: neither by another apply, nor for another group. */
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "tenurectl apply --release g: b.timer\n");
    folder_put("groups.d/h.conf", GROUP("h", "b.timer"));
    expect_log("daemon-reload (snapshot)\ndaemon-reload (snapshot)\ndaemon-reload (snapshot)\n");
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(
        err, "groups.d/h.conf:1: unit \"b.timer\" of group \"h\" is guarded here for group \"g\"");
    ASSERT_CONTAINS(err, "tenurectl apply --release g");
    expect_log("");
    expect_copy("b.timer", "release-g\n");
    ck_assert_int_eq(RUN("apply", "--release", "g"), CTL_OK);
    expect_copy("b.timer", "groups/h/live/state\n");

    /* A whole group leaves, comes back, leaves, and is released. */
    ck_assert_int_eq(unlink(in_folder("groups.d/h.conf")), 0);
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "Left group \"h\"");
    expect_copy("b.timer", "release-h\n");
    expect_copy("tenure@h.service", "PropagatesStopTo=b.timer\n");
    folder_put("groups.d/h.conf", GROUP("h", "b.timer"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ck_assert_ptr_null(strstr(out, "Left"));
    expect_copy("b.timer", "groups/h/live/state\n");
    ck_assert_int_eq(RUN("apply", "--release", "h"), CTL_FAILED);
    ASSERT_CONTAINS(err, "nothing is kept of group \"h\" on this host");
    ck_assert_int_eq(unlink(in_folder("groups.d/h.conf")), 0);
    ck_assert_int_eq(RUN("apply", "--release", "x", "--release", "h"), CTL_FAILED);
    ASSERT_CONTAINS(err, "nothing is kept of group \"x\"");
    expect_copy("b.timer", "groups/h/live/state\n");
    ck_assert_int_eq(RUN("apply", "--release=h"), CTL_OK);
    ck_assert_ptr_null(strstr(out, "Left"));
    expect_copy("b.timer", NULL);
    expect_copy("tenure@h.service", NULL);
    expect_copy("a.service", "groups/g/live/state\n");
    stop_playing();
}

/* The second names of a unit's file have guards, and leave a group only with the unit. */
TEST(apply_knows_second_names, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    ck_assert_int_eq(mkdir(in_folder("units"), 0755), 0);
    ck_assert_int_eq(symlink("/nowhere/a.service", in_folder("units/a.service")), 0);
    ck_assert_int_eq(symlink("/nowhere/a.service", in_folder("units/b.service")), 0);
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/g.conf", GROUP("g", "a.service"));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(RUN("apply"), CTL_OK);
        ck_assert_ptr_null(strstr(out, "Left"));
        ck_assert_str_eq(err, "");
        expect_copy("a.service", "groups/g/live/state\n");
        expect_copy("b.service", "groups/g/live/state\n");
        if (i == 1) /* nothing tells but the guards */
            ck_assert_int_eq(
                unlink(in_folder("applied.conf")) | unlink(in_folder("applied.conf.copy")), 0);
    }
    folder_put("groups.d/g.conf", GROUP("g", "c.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_copy("a.service", "release-g\n");
    expect_copy("b.service", "release-g\n");
    folder_put("groups.d/h.conf", GROUP("h", "b.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err,
                    "unit \"b.service\", another name of \"a.service\", of group \"h\" is guarded "
                    "here for group \"g\"");
    ck_assert_int_eq(RUN("apply", "--release", "g"), CTL_OK);
    expect_copy("a.service", "groups/h/live/state\n");
    expect_copy("b.service", "groups/h/live/state\n");
    stop_playing();
}

/* Whatever became of the files: the guards themselves tell what was applied. */
TEST(apply_keeps_what_its_guards_tell, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/g.conf",
               "groups = ( { name = \"g\"; units = [ \"a.service\", \"b.timer\" ]; } );");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ck_assert_int_eq(unlink(in_folder("applied.conf")) | unlink(in_folder("applied.conf.copy")), 0);
    folder_put("groups.d/g.conf", GROUP("h", "c.service"));
    folder_put("units/b.timer.d/~tenure.conf", "half of");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ASSERT_CONTAINS(out, "tenurectl apply --release g: a.service\n");
    expect_copy("a.service", "release-g\n");
    ASSERT_CONTAINS(err,
                    "units/b.timer.d/~tenure.conf does not say of which group it is, and stays");
    expect_copy("b.timer", "half of");
    stop_playing();
}

/* So does what somebody applied who went back to an earlier version for a while. */
TEST(apply_keeps_what_an_earlier_version_applied, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    folder_put("older.conf", MAIN("dbname=tenure") GROUP("h", "x.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "tenurectl apply --release h: x.service\n");
    expect_copy("x.service", "release-h\n");
    ck_assert_int_eq(access(in_folder("older.conf"), F_OK), -1);
    folder_put("older.conf", "rubbish");
    ck_assert_int_eq(RUN("apply", "--release", "h"), CTL_OK);
    expect_copy("x.service", NULL);
    stop_playing();
}

/* At the agent's start: taken over, and removed when nothing is lost by that. */
TEST(apply_takes_over_what_an_earlier_version_left, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("older.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_OK); /* the old agent noticed a loss */
    expect_applied("\"a.service\"");
    ck_assert_int_eq(access(in_folder("older.conf"), F_OK), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ck_assert_int_eq(access(in_folder("older.conf"), F_OK), -1);
    expect_applied("\"a.service\"");
    /* What it alone names is for an apply to keep. */
    folder_put("older.conf", MAIN("dbname=tenure") GROUP("g", "b.service"));
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ck_assert_int_eq(access(in_folder("older.conf"), F_OK), 0);
    stop_playing();
}

/* ---- what is lost of what is applied ---- */

TEST(apply_restores_what_is_lost, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\n");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "b.service")); /* not applied */

    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_log("");
    ck_assert_int_eq(unlink(in_folder("applied.conf")), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_applied("\"a.service\"");
    expect_log("");
    ck_assert_int_eq(unlink(in_folder("applied.conf.copy")), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ck_assert_int_eq(access(in_folder("applied.conf.copy"), F_OK), 0);

    ck_assert_int_eq(unlink(in_folder("units/a.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "there is one copy only, the generator's, of the guards of 1 unit: ");
    ASSERT_CONTAINS(err, "/units/a.service.d/~tenure.conf is missing");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ASSERT_CONTAINS(out, "Restored 1 guard of what is applied.\n");
    expect_copy("a.service", "groups/g/live/state\n");
    expect_log("daemon-reload (snapshot)\n");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "1 group of the files differs from what is applied");
    ck_assert_ptr_null(strstr(err, "copy"));
    stop_playing();
}

/* For the agent: whatever is wrong with the guards, and nothing new is applied. */
TEST(apply_restores_and_reloads, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_FAILED);
    ASSERT_CONTAINS(err,
                    "applied.conf cannot be used, so nothing is restored: run tenurectl apply");
    expect_log("daemon-reload\n");
    expect_copy("a.service", NULL);

    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("Retire a b-b\ndaemon-reload (snapshot)\nagent reloads (snapshot)\n");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "b.service")); /* not applied */
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_OK);
    ck_assert_str_eq(out, "");
    expect_log("daemon-reload (snapshot)\n");

    ck_assert_int_eq(unlink(in_folder("units/a.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(unlink(in_folder("applied.conf")), 0);
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_OK);
    ASSERT_CONTAINS(out, "Restored 1 guard of what is applied.\n");
    expect_copy("a.service", "groups/g/live/state\n");
    expect_copy("b.service", "release-b-b\n"); /* as it was kept */
    expect_applied("\"a.service\"");
    expect_log("daemon-reload (snapshot)\n");
    stop_playing();
}

TEST(apply_restores_and_systemd_refuses, .root = true)
{
    start_playing(&(struct stand_in){.agent = false, .systemd_refuses = true});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_FAILED);
    ASSERT_CONTAINS(err, "systemd did not reload: a generator hangs");
    expect_copy("a.service", "groups/g/live/state\n");
    stop_playing();
}

/* As much as can be, and no more than is needed. */
TEST(apply_restores_what_it_can, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    expect_log("daemon-reload (snapshot)\n");

    ck_assert_int_eq(unlink(in_folder("applied.conf.copy")), 0);
    ck_assert_int_eq(mkdir(in_folder("applied.conf.copy"), 0755), 0);
    ck_assert_int_eq(unlink(in_folder("units/a.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    expect_copy("a.service", "groups/g/live/state\n");
    ASSERT_CONTAINS(err,
                    "applied.conf.copy cannot be written: Is a directory; there is no copy of ");
    expect_log("daemon-reload (snapshot)\n");

    /* The guards are there, if nothing else can be. */
    ck_assert_int_eq(rmdir(in_folder("applied.conf.copy")), 0);
    ck_assert_int_eq(rename(in_folder("applied.conf"), in_folder("applied.conf.copy")), 0);
    ck_assert_int_eq(mkdir(in_folder("applied.conf"), 0755), 0);
    ck_assert_int_eq(unlink(in_folder("units/a.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_FAILED);
    ASSERT_CONTAINS(err, "cannot write ");
    expect_copy("a.service", "groups/g/live/state\n");
    expect_log("daemon-reload (snapshot)\n");
    stop_playing();
}

/* A host whose units directory cannot be written has what it had before. */
TEST(apply_tells_of_one_copy, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("units", "no directory");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(err, "there is one copy of them only, the generator's");
    expect_log("daemon-reload (snapshot)\n");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "there is one copy only, the generator's, of the guards of 3 units");
    stop_playing();
}

TEST(check_tells_what_is_applied)
{
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("check"), CTL_OK); /* nothing is applied yet */
    ck_assert_str_eq(err, "");
    folder_put("applied.conf", "rubbish");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "applied.conf cannot be used: run tenurectl apply");
    folder_put("applied.conf.copy",
               MAIN("dbname=tenure") "kept = ( { name = \"k\"; units = [ \"k.service\" ]; } );");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "applied.conf cannot be used, its copy is: run tenurectl apply");
    ASSERT_CONTAINS(out, "tenurectl apply --release k: k.service\n");
    ASSERT_CONTAINS(err, "1 group of the files differs from what is applied: tenurectl apply "
                         "--dry-run says");
    ck_assert_int_eq(RUN("check", "--offline"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "differs from what is applied");
    ck_assert_int_eq(RUN("check", in_folder("tenure.conf")), CTL_OK); /* that file alone */
    ck_assert_str_eq(err, "");
}

/* By name alone: nobody looks into it. */
TEST(check_names_what_is_not_read)
{
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/a.conf", GROUP("a", "a.service"));
    folder_put("groups.d/.b.conf.swp", "rubbish");
    ck_assert_int_eq(RUN("check"), CTL_OK);
    folder_put("groups.d/x.cfg", "rubbish");
    folder_put("groups.d/a.conf~", "rubbish");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "groups.d/x.cfg is not read: ");
    ASSERT_CONTAINS(err, "groups.d/a.conf~ is not read: ");
    ck_assert_ptr_null(strstr(err, "swp"));
    ASSERT_CONTAINS(out, "1 group\n");
}

TEST(check_by_who_may_not_read_the_files_knows_nothing, .root = true)
{
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(chmod(in_folder("tenure.conf"), 0600) | chmod(folder(), 0755), 0);
    ck_assert_int_eq(setresuid(65534, 65534, 0), 0);
    int status = RUN("check");
    ck_assert_int_eq(setresuid(0, 0, 0), 0);
    ck_assert_int_eq(status, CTL_CHECK_UNKNOWN);
    ASSERT_CONTAINS(err, "cannot be read: Permission denied");
}

/* Each of these is asked for by a wish of its own: what would come of it, and nothing more. */
TEST(apply_dry_run_says_what_would_come_of_it, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .keeper = "tenure@gone.service"});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_put("groups.d/a.conf", GROUP("gone", "a.service"));
    folder_put("groups.d/b.conf", GROUP("other", "o.service"));
    folder_put("groups.d/d.conf", GROUP("budget", "d.service"));
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out, "New group \"other\": o.service\n");
    ASSERT_CONTAINS(out, "was watched for 15s");
    expect_log("");
    ck_assert_int_eq(access(in_folder("applied.conf"), F_OK), -1);
    ck_assert_int_eq(access(in_folder("units"), F_OK), -1);

    folder_put("applied.conf",
               MAIN("dbname=tenure") "groups = ("
                                     "{ name = \"budget\"; units = [ \"d.service\" ]; },"
                                     "{ name = \"gone\"; units = [ \"a.service\" ]; },"
                                     "{ name = \"other\"; units = [ \"o.service\" ]; } );");
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ck_assert_str_eq(out, "Nothing changes.\n");
    ck_assert_int_eq(unlink(in_folder("groups.d/a.conf")), 0);
    folder_put("groups.d/b.conf", GROUP("other", "e.service"));
    folder_put("groups.d/d.conf",
               "groups = ( { name = \"budget\"; units = [ \"d.service\" ]; lease = \"20s\"; } );");
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out, "Steps down from group \"gone\" first, which this host leads: it is "
                         "removed.\n");
    ASSERT_CONTAINS(out, "Steps down from group \"other\" first: its units, method or fence "
                         "change");
    ASSERT_CONTAINS(out, "Group \"budget\": lease 20s instead of 15s, from the next renewal on");
    ASSERT_CONTAINS(out, "Group \"other\": now with the units e.service, at once\n");
    folder_put("groups.d/b.conf", "groups = ( { name = \"other\"; units = [ \"o.service\" ]; "
                                  "method = \"advisory\"; fence = \"reboot\"; } );");
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out,
                    "Group \"other\": method advisory instead of lease, fence \"reboot\" is set, "
                    "now with the units o.service, at once\n");
    ck_assert_ptr_null(strstr(out, "Applied"));
    folder_put("tenure.conf", "node = \"n2\"; arbiter = { type = \"postgresql\"; conninfo = "
                              "\"dbname=hush\"; };");
    ck_assert_int_eq(RUN("apply", "--dry-run"), CTL_OK);
    ASSERT_CONTAINS(out, "The node is \"n2\", and was \"n1\".\n");
    ASSERT_CONTAINS(out, "first: the node has another name.\n");
    ASSERT_CONTAINS(out, "another connection string");
    ck_assert_ptr_null(strstr(out, "hush"));
    expect_log("");
    stop_playing();
}

/* Said before it acts, where it costs somebody something; else not. */
TEST(apply_says_beforehand_what_steps_down, .root = true)
{
    start_playing(&(struct stand_in){
        .agent = true, .keeper = "tenure@gone.service", .retire_error = "a.service does not stop"});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("stays", "s.service"));
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("gone", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(out, "Steps down from group \"gone\" first, which this host leads");
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("another", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ck_assert_str_eq(out, "");
    stop_playing();
}

TEST(apply_one_at_a_time, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    int fd = open(in_folder("apply.lock"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(RUN("apply"), CTL_BUSY);
    ASSERT_CONTAINS(err, "another apply is at work");
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_BUSY);
    ASSERT_CONTAINS(err, "another apply is at work");
    /* That one has systemd reload itself. */
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_BUSY);
    expect_log("");
    (void)close(fd);
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    /* One that it makes nobody else may open, and so nobody else can lock. */
    ck_assert_int_eq(unlink(in_folder("apply.lock")), 0);
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    struct stat st;
    ck_assert_int_eq(stat(in_folder("apply.lock"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    stop_playing();
}

/* Whatever became of the directories: systemd reads what there is. */
TEST(apply_restores_without_a_lock, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    etc = "etc/";
    folder_put("etc", "no directory");
    folder_make_folder("elsewhere");
    ck_assert_int_eq(symlink("elsewhere", in_folder("apply.lock")), 0);
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_FAILED);
    ASSERT_CONTAINS(err, "apply.lock: Too many levels of symbolic links: run systemd-tmpfiles "
                         "--create, then tenurectl apply");
    expect_log("daemon-reload\n");
    stop_playing();
}

/* It needs nothing of /etc. */
TEST(apply_restores_when_the_directory_is_gone, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    etc = "etc/";
    folder_make_folder("etc");
    folder_make_folder("etc/units");
    folder_make_folder("remembered");
    folder_put("etc/applied.conf.copy", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_OK);
    ASSERT_CONTAINS(out, "Restored 3 guards of what is applied.\n");
    expect_log("daemon-reload\n");
    stop_playing();
}

/* ---- apply, where /etc is read-only ---- */

TEST_CASE(apply_read_only, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

static void make_read_only(void)
{
    etc = "etc/";
    folder_put("etc", "no directory");
}

TEST(apply_until_the_next_boot, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    make_read_only();
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(err, "until this host boots, and applied again by the agent's next start");
    ck_assert_ptr_null(strstr(err, "lies on"));
    ck_assert_int_eq(access(in_folder("run/applied.conf"), F_OK), 0);
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "until this host boots; from then on no unit that the configuration names "
                         "can be started until the agent's start has applied it again");
    /* Nothing is to be mended. */
    ck_assert_int_eq(RUN("apply", "--restore"), CTL_OK);
    stop_playing();
}

/* In memory alone it would be forgotten that nobody has released it. */
TEST(apply_does_not_forget_what_left, .root = true)
{
    start_playing(&(struct stand_in){.agent = true});
    make_read_only();
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    folder_make_folder("run");
    folder_put("run/applied.conf", MAIN("dbname=tenure") GROUP("x", "x.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "and x.service, which left group \"x\", could start here after the next "
                         "boot: make its directory writable; or, when no other host runs what left "
                         "it, run tenurectl apply --release x; nothing is changed");
    expect_log(""); /* nothing has stepped down */
    ck_assert_int_eq(RUN("apply", "--release", "x"), CTL_OK);
    expect_log("Retire x\ndaemon-reload\nagent reloads\n");
    stop_playing();
}

TEST(apply_tells_why_nothing_can_be_written, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    make_read_only();
    folder_put("run", "no directory");
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "etc/applied.conf: Not a directory; nor ");
    ASSERT_CONTAINS(err,
                    "run/applied.conf: Not a directory: make the directory of either writable, "
                    "then apply again; what was applied before stays in force");
    stop_playing();
}

/* qemu-user claims to report which mount a file is on, and reports 0 for each. */
static bool mount_ids_are_real(void)
{
    struct statx root, proc;

    ck_assert_int_eq(statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root), 0);
    ck_assert_int_eq(statx(AT_FDCWD, "/proc", 0, STATX_MNT_ID, &proc), 0);
    return root.stx_mnt_id != 0 || proc.stx_mnt_id != 0;
}

/* What the generator reads is not there when it runs. */
TEST(apply_warns_of_files_that_are_mounted_late, .root = true)
{
    if (!mount_ids_are_real())
        return;
    start_playing(&(struct stand_in){.agent = false});
    make_read_only();
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(rmdir(in_folder("groups.d")), 0);
    ck_assert_int_eq(symlink("/proc/sys/kernel", in_folder("groups.d")), 0);
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(err, "groups.d lies on another file system than ");
    ck_assert_int_eq(RUN("check"), CTL_CHECK_WARNING);
    ASSERT_CONTAINS(err, "groups.d lies on another file system than ");
    ASSERT_CONTAINS(err, "until this host boots. Make ");
    stop_playing();
}

TEST(check_by_an_ordinary_user_says_nothing_of_what_is_applied, .root = true)
{
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    folder_make_folder("run");
    folder_put("run/applied.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(chmod(in_folder("run/applied.conf"), 0600) | chmod(folder(), 0755), 0);
    ck_assert_int_eq(setresuid(65534, 65534, 0), 0);
    int status = RUN("check");
    ck_assert_int_eq(setresuid(0, 0, 0), 0);
    ck_assert_int_eq(status, CTL_OK);
    ck_assert_str_eq(err, "");
}

/* ---- apply, and a systemd that does not answer ---- */

TEST_CASE(apply_unanswered, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

TEST(apply_needs_answers_about_its_units, .root = true)
{
    start_playing(&(struct stand_in){.agent = true, .watchdog_silent = true});
    asks_systemd = true;
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "systemd does not answer about a.service (");
    ASSERT_CONTAINS(err, "); nothing is changed: what was applied before stays in force");
    expect_log("");
    /* At boot nobody would repeat it. */
    ck_assert_int_eq(RUN("apply", "--if-missing"), CTL_OK);
    ASSERT_CONTAINS(err, "systemd does not answer about a.service (");
    ASSERT_CONTAINS(err, "what only it knows is not checked");
    expect_applied("\"a.service\"");
    stop_playing();
}

TEST(apply_as_nobody, .root = true)
{
    folder_put("tenure.conf", MAIN("dbname=tenure"));
    ck_assert_int_eq(chmod(folder(), 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(RUN("apply"), CTL_FAILED);
    ASSERT_CONTAINS(err, "must be run as root");
    ck_assert_int_eq(seteuid(0), 0);
}

/* ---- status, is-leader ---- */

TEST_CASE(status, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

TEST(status_human_readable)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ck_assert_str_eq(out,
                     "   node: n1\narbiter: postgresql pg1:5432\n status: leads 1 of 2\n"
                     "   host: hardware watchdog not armed\n\n"
                     "GROUP  ROLE     TERM        LEADER  SINCE                RENEWED   REASON\n"
                     "a      standby  -           -       -                    -         n2 leads\n"
                     "b-b    leader   4294967300  n1      2023-11-14 22:13:20  1.2s ago  -\n");
    ck_assert_int_eq(RUN("status", "b-b"), CTL_OK);
    ASSERT_CONTAINS(out, "   left: 8s of this term");
    ASSERT_CONTAINS(out, "  units: b.service: active (running)\n");
    ck_assert_int_eq(RUN("status", "c"), CTL_NO_GROUP);
    ASSERT_CONTAINS(err, "there is no group \"c\" on this host");
    stop_playing();
}

/* Of a leader that renews there is nothing to say but that it leads. */
TEST(status_says_that_files_are_not_applied)
{
    start_playing(&(struct stand_in){.agent = true});
    folder_put("tenure.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    folder_put("applied.conf", MAIN("dbname=tenure") GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ck_assert_str_eq(err, "");
    folder_put("tenure.conf", MAIN("dbname=hush") GROUP("g", "b.service"));
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(err, "1 group of the files differs from what is applied");
    ASSERT_CONTAINS(err, "the arbiter of the files is not the one that is applied");
    ck_assert_ptr_null(strstr(err, "hush"));
    folder_put("tenure.conf", "node = \"n9\"; arbiter = { type = \"postgresql\"; conninfo = "
                              "\"dbname=tenure\"; };" GROUP("g", "a.service"));
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(err, "this node is \"n9\" by the files or the host's name, and \"n1\" in what "
                         "is applied");
    folder_put("tenure.conf", "rubbish");
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(err, "have 1 problem: see tenurectl check");
    stop_playing();
}

TEST(status_of_a_lease_that_is_not_renewed, .times = 2)
{
    static const char *const reasons[] = {"n2 leads\n",
                                          "n2 leads; not renewed for 5.3s, this node takes over in "
                                          "9.6s unless another does before\n"};

    /* Up to when it was read, a second ago: twice a quarter of 8.67 s, and one microsecond more. */
    start_playing(&(struct stand_in){.agent = true, .unchanged = 5335000 + (uint64_t)_i});
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(out, reasons[_i]);
    ck_assert_int_eq(RUN("status", "a"), CTL_OK);
    ASSERT_CONTAINS(out, "   seen: 1.0s ago, unchanged for 5.3s of 15s\n");
    ck_assert_int_eq(RUN("status", "--json", "a"), CTL_OK);
    json_t *root = json_loads(out, 0, NULL);
    json_t *group = json_array_get(json_object_get(root, "groups"), 0);
    double unchanged, watch, claims_in;

    ck_assert_int_eq(json_unpack(group, "{s:F, s:F, s:F}", "unchanged_seconds", &unchanged,
                                 "watch_seconds", &watch, "claims_in_seconds", &claims_in),
                     0);
    ck_assert_double_eq_tol(unchanged, 5.335 + 1e-6 * _i, 1e-9);
    ck_assert_double_eq_tol(claims_in, 9.665 - 1e-6 * _i, 1e-9);
    ck_assert_double_eq_tol(watch, 15, 1e-9);
    json_decref(root);
    stop_playing();
}

/* What is watched ends with the lease; the silence goes on. */
TEST(status_of_a_silence_longer_than_the_lease)
{
    start_playing(
        &(struct stand_in){.agent = true, .unchanged = 15000000, .renewed = UINT64_C(43000000)});
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(out, "n2 leads; not renewed for 43.0s, this node takes over in 0.0s");
    stop_playing();
}

TEST(status_for_programs)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("status", "--json"), CTL_OK);
    json_t *root = json_loads(out, 0, NULL), *group, *unit;
    const char *name, *role, *since, *unit_name;
    json_int_t term;
    double seen, renewed, deadline, lease;

    ck_assert_ptr_nonnull(root);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "groups")), 2);
    ck_assert(json_is_true(json_object_get(root, "connected")));
    group = json_array_get(json_object_get(root, "groups"), 0);
    ck_assert(json_is_null(json_object_get(group, "seen_ago_seconds")));
    ck_assert(json_is_null(json_object_get(group, "renewed_ago_seconds")));
    ck_assert(json_is_null(json_object_get(group, "claims_in_seconds")));
    ck_assert(json_is_null(json_object_get(group, "unchanged_seconds")));
    ck_assert(json_is_null(json_object_get(group, "watch_seconds")));
    ck_assert(json_is_null(json_object_get(group, "leader")));
    ck_assert(json_is_null(json_object_get(group, "leader_since")));
    group = json_array_get(json_object_get(root, "groups"), 1);
    ck_assert_int_eq(json_unpack(group, "{s:s, s:s, s:I, s:s, s:F, s:F, s:F, s:F, s:[o]}", "name",
                                 &name, "role", &role, "term", &term, "leader_since", &since,
                                 "seen_ago_seconds", &seen, "renewed_ago_seconds", &renewed,
                                 "deadline_seconds", &deadline, "lease_seconds", &lease, "units",
                                 &unit),
                     0);
    ck_assert_str_eq(name, "b-b");
    ck_assert_str_eq(role, "leader");
    ck_assert_int_eq(term, 4294967300);
    ck_assert_str_eq(since, "2023-11-14T22:13:20.250000Z");
    ck_assert_double_eq_tol(seen, 3.456789, 1e-9);
    ck_assert_double_eq_tol(renewed, 1.234567, 1e-9);

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
    {{.agent = true, .watchdog_usec = 1000, .watchdog_ping = 2},
     "   host: hardware watchdog not armed: RuntimeWatchdogSec= is 1ms, but systemd has no "
     "device\n",
     "{\"armed\": false, \"timeout_seconds\": 0.001, \"device\": null}"},
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

TEST(status_shows_the_watchdog, EACH(watchdogs))
{
    start_playing(&watchdogs[_i].play);
    ck_assert_int_eq(RUN("status"), CTL_OK);
    ASSERT_CONTAINS(out, watchdogs[_i].text);
    ck_assert_int_eq(RUN("status", "a"), CTL_OK);
    ASSERT_CONTAINS(out, watchdogs[_i].text);
    ck_assert_int_eq(RUN("status", "--json"), CTL_OK);
    json_t *root = json_loads(out, 0, NULL), *expected = json_loads(watchdogs[_i].json, 0, NULL);
    ck_assert(root && expected);
    ck_assert(json_equal(json_object_get(root, "hardware_watchdog"), expected));
    json_decref(expected);
    json_decref(root);
    stop_playing();
}

#define REQUIRING                                                                                  \
    MAIN("dbname=tenure")                                                                          \
    "groups = ( { name = \"g\"; units = [ \"a.service\" ]; watchdog = \"require\"; },\n"           \
    "           { name = \"h\"; units = [ \"b.service\" ]; } );\n"

/* A warning: the group has to be declared and guarded on such a host, too. */
TEST(apply_and_check_warn_without_a_required_watchdog, .root = true)
{
    start_playing(&(struct stand_in){.agent = false});
    folder_put("tenure.conf", REQUIRING);
    ck_assert_int_eq(RUN("check"), CTL_CHECK_BAD);
    ASSERT_CONTAINS(err, "this host would not lead group \"g\": ");
    ASSERT_CONTAINS(err, "is not armed: write RuntimeWatchdogSec=6s into ");
    ck_assert_ptr_null(strstr(err, "\"h\""));
    ck_assert_int_eq(RUN("check", in_folder("tenure.conf")), CTL_OK); /* for another host, maybe */
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ASSERT_CONTAINS(out, "Applied 2 groups");
    ASSERT_CONTAINS(err, "this host would not lead group \"g\": ");
    stop_playing();
}

TEST(no_warning_with_a_required_watchdog, .root = true)
{
    start_playing(&(struct stand_in){.agent = false, .watchdog_usec = 6000000, .watchdog_ping = 1});
    folder_put("tenure.conf", REQUIRING);
    ck_assert_int_eq(RUN("check"), CTL_OK);
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(RUN("apply"), CTL_OK);
    ck_assert_str_eq(err, "");
    stop_playing();
}

/* By a view of its own: what the arbiter says stands there once. */
static const struct {
    const char *arbiter, *status, *shown;
} heads[] = {
    {"PostgreSQL 15.18 at pg1:5432", "Leads a; PostgreSQL 15.18 at pg1:5432", "Leads a"},
    {"PostgreSQL 15.18 at pg1:5432", "Leads a; PostgreSQL 15.18 at pg1:5432; the clock is slewed",
     "Leads a; the clock is slewed"},
    {"pg1:5432: Connection refused: is it?",
     "Blocked for a; arbiter out of reach: pg1:5432: Connection refused: is it?",
     "Blocked for a; arbiter out of reach"},
    /* cut in the status line, which has less room */
    {"pg1:5432: Connection refused: is it?",
     "Blocked for a; arbiter out of reach: pg1:5432: Connection refu",
     "Blocked for a; arbiter out of reach"},
    {"pg1:5432: Connection refused", "Blocked for a; arbiter out of reach: pg2:5432: no",
     "Blocked for a; arbiter out of reach: pg2:5432: no"},
    {"", "Leads a; x", "Leads a; x"},
    {"PostgreSQL 15.18 at pg1:5432", "PostgreSQL 15.18 at pg1:5432",
     "PostgreSQL 15.18 at pg1:5432"},
};

TEST(the_arbiter_is_named_once, .times = sizeof heads / sizeof *heads)
{
    struct agent_view v = {.node = (char[]){"n"}};
    struct watchdog w = {.state = WATCHDOG_OFF};
    char arbiter[128], status_line[128], expected[300], *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)snprintf(arbiter, sizeof arbiter, "%s", heads[_i].arbiter);
    (void)snprintf(status_line, sizeof status_line, "%s", heads[_i].status);
    (void)snprintf(expected, sizeof expected, "\n status: %s\n", heads[_i].shown);
    v.arbiter = arbiter;
    v.status = status_line;
    ck_assert_ptr_nonnull(f);
    status_print_all(f, &v, &w);
    ck_assert_int_eq(fclose(f), 0);
    ASSERT_CONTAINS(text, expected);
    free(text);
}

TEST(status_without_agent)
{
    start_playing(&(struct stand_in){.keeper = "tenure@g-1.service"});
    ck_assert_int_eq(RUN("status"), CTL_NOT_RUNNING);
    ASSERT_CONTAINS(err, "tenured does not run on this host");
    ASSERT_CONTAINS(err, "systemctl start tenured");
    ASSERT_CONTAINS(err,
                    "The keeper of group \"g-1\" lives, and its units run until its deadline.");
    ck_assert_str_eq(out, "");
    stop_playing();
}

/* No units run by a keeper that only begins or ends. */
static const struct {
    const char *state, *role, *does;
} on_their_way[] = {
    {"activating", "starting", "is starting"},
    {"deactivating", "stopping", "is ending what it led"},
};

TEST(keepers_on_their_way_without_agent, .times = sizeof on_their_way / sizeof *on_their_way)
{
    char text[128];

    start_playing(
        &(struct stand_in){.keeper = "tenure@g-1.service", .keeper_state = on_their_way[_i].state});
    ck_assert_int_eq(RUN("status"), CTL_NOT_RUNNING);
    (void)snprintf(text, sizeof text, "The keeper of group \"g-1\" %s.\n", on_their_way[_i].does);
    ASSERT_CONTAINS(err, text);
    ck_assert_int_eq(RUN("status", "--json"), CTL_NOT_RUNNING);
    expect_silence("not running", "does not run on this host", 1);
    (void)snprintf(text, sizeof text, "\"role\": \"%s\"", on_their_way[_i].role);
    ASSERT_CONTAINS(out, text);
    (void)snprintf(text, sizeof text, "\"reason\": \"its keeper %s\"", on_their_way[_i].does);
    ASSERT_CONTAINS(out, text);
    stop_playing();
}

TEST(json_without_agent)
{
    start_playing(&(struct stand_in){.keeper = "tenure@g-1.service"});
    ck_assert_int_eq(RUN("status", "--json"), CTL_NOT_RUNNING);
    expect_silence("not running", "does not run on this host", 1);
    ASSERT_CONTAINS(out, "\"name\": \"g-1\"");
    ASSERT_CONTAINS(out, "\"role\": \"leader\"");
    ck_assert_int_eq(RUN("status", "g-1", "--json"), CTL_NOT_RUNNING);
    expect_silence("not running", "does not run on this host", 1);
    ck_assert_int_eq(RUN("status", "g-2", "--json"), CTL_NOT_RUNNING);
    expect_silence("not running", "does not run on this host", 0);
    stop_playing();
}

/* A message alone does not distinguish them. */
static const struct {
    const char *state;
    int status;
    const char *agent, *says;
} silences[] = {
    {NULL, CTL_NOT_RUNNING, "not running", "does not run on this host"},
    {"failed", CTL_NOT_RUNNING, "not running", "start it with `systemctl start tenured`"},
    {"active", CTL_UNREACHABLE, "not reachable", "runs, but cannot be reached"},
    {"reloading", CTL_UNREACHABLE, "not reachable", "systemctl reload dbus"},
    {"activating", CTL_UNREACHABLE, "not reachable", "is being started"},
    {"deactivating", CTL_UNREACHABLE, "not reachable", "is being stopped"},
    {"?", CTL_UNREACHABLE, "not reachable", "systemd does not say whether it runs"},
};

TEST(silences_are_distinguished, .times = sizeof silences / sizeof *silences)
{
    start_playing(&(struct stand_in){.agent_state = silences[_i].state});
    ck_assert_int_eq(RUN("status"), silences[_i].status);
    ASSERT_CONTAINS(err, silences[_i].says);
    ck_assert_int_eq(RUN("status", "--json"), silences[_i].status);
    expect_silence(silences[_i].agent, silences[_i].says, 0);
    stop_playing();
}

TEST(is_leader)
{
    start_playing(&(struct stand_in){.agent = true, .slice = "tenure-g\\x2d1.slice"});
    ck_assert_int_eq(RUN("is-leader", "g-1"), CTL_FAILED);
    ck_assert_str_eq(out, "");
    ck_assert_str_eq(err, "");
    /* A mistyped name would be a "no" for ever. */
    ck_assert_int_eq(RUN("is-leader", "g-2"), CTL_NO_GROUP);
    ASSERT_CONTAINS(err, "there is no group \"g-2\" on this host");
    ck_assert_str_eq(out, "");
    stop_playing();
}

/* Whose drop-ins systemd has no more. */
TEST(is_leader_of_a_group_that_lost_its_guards)
{
    start_playing(&(struct stand_in){.agent = true});
    ck_assert_int_eq(RUN("is-leader", "g-1"), CTL_NO_GROUP);
    folder_make_folder("remembered");
    folder_make_folder("remembered/tenure@g-1.service.d");
    folder_put("remembered/tenure@g-1.service.d/~tenure.conf",
               "[Unit]\nRequires=tenure-g\\x2d1.slice\n");
    ck_assert_int_eq(RUN("is-leader", "g-1"), CTL_FAILED);
    ck_assert_str_eq(err, "");
    stop_playing();
}

/* In the moment after an upgrade: no state, so this one ends. */
TEST(is_leader_with_an_earlier_keeper)
{
    start_playing(&(struct stand_in){.keeper = "x", .keeper_path = "tenure_40g_5cx2d1_2eservice"});
    ck_assert_int_eq(RUN("is-leader", "g-1"), CTL_FAILED);
    ck_assert_str_eq(err, "");
    ck_assert_int_eq(RUN("is-leader", "g-2"), CTL_NO_GROUP);
    stop_playing();
}

TEST(is_leader_needs_the_state)
{
    start_playing(&(struct stand_in){.keeper = "x"});
    ck_assert_int_eq(RUN("is-leader", "no-such-group-on-this-host"), CTL_FAILED);
    ck_assert_str_eq(err, "");
    stop_playing();
}

/* ---- confirm-dead ---- */

#define LED                                                                                        \
    {                                                                                              \
        .agent = true, .seen = true, .leader = "n2", .leader_runs = 3250000, .confirmed = 2        \
    }

TEST(confirm_dead_by_a_script)
{
    start_playing(&(struct stand_in)LED);
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_OK);
    expect_log("ConfirmDead n2, asking\n");
    ASSERT_CONTAINS(out, "a, term 0: its units may run there for another 3.3 s at the most");
    ASSERT_CONTAINS(out, "By confirming you vouch that nothing of this host's groups runs there");
    ck_assert_ptr_null(strstr(out, "Type the name"));
    ASSERT_CONTAINS(out, "a: term 4294967301 is nobody's. Another host leads it when its lease of "
                         "15.0 s has expired.\n");
    ASSERT_CONTAINS(out, "b-b: term 4294967302 is nobody's. Another host leads it when its lease "
                         "of 20.5 s has expired.\n");
    ck_assert_str_eq(err, "tenurectl: a: process 7 has the lock\n");
    stop_playing();
}

/* The option may come first. */
TEST(confirm_dead_of_what_is_over)
{
    start_playing(&(struct stand_in){.agent = true, .seen = true, .leader = "n2"});
    ck_assert_int_eq(RUN("confirm-dead", "--yes-n2", "n2"), CTL_OK);
    expect_log("ConfirmDead n2, asking\n");
    ASSERT_CONTAINS(out, "a, term 0: its units may not run there any more");
    ASSERT_CONTAINS(out, "Nothing to do: \"n2\" is in no record of this host's groups.\n");
    stop_playing();
}

/* What is not known, or was seen too long ago, is not nothing. */
TEST(confirm_dead_of_what_may_run_for_unknown_time, .times = 4)
{
    static const struct {
        bool older;
        uint64_t runs, seen;
    } cases[] = {{true, 0, 0}, {false, UINT64_MAX, 0}, {false, 0, 4400000}, {false, 9, 60000000}};

    start_playing(&(struct stand_in){.agent = true,
                                     .seen = true,
                                     .leader = "n2",
                                     .older = cases[_i].older,
                                     .leader_runs = cases[_i].runs,
                                     .seen_usec = cases[_i].seen});
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_OK);
    ASSERT_CONTAINS(out, "a, term 0: for how long its units may run there is not known\n");
    stop_playing();
}

/* A node that would take over by itself begins to wait again: said before the question. */
TEST(confirm_dead_of_what_is_taken_over_by_itself, .times = 2)
{
    typed = "no\n";
    start_playing(&(struct stand_in){
        .agent = true, .seen = true, .leader = "n2", .unchanged = _i == 0 ? 0 : UINT64_C(5334567)});
    ck_assert_int_eq(RUN("confirm-dead", "n2"), CTL_FAILED);
    ASSERT_CONTAINS(out, "confirming makes the outage longer.\nType the name");
    if (_i == 0)
        ck_assert_ptr_null(strstr(out, "takes it over by itself"));
    else
        ASSERT_CONTAINS(out, "; this host takes it over by itself in 10s\n");
    stop_playing();
}

TEST(confirm_dead_at_a_terminal, .times = 7)
{
    static const char *const lines[] = {"n2\n", "n2", "y\n", "\n", "N2\n", "n22\n", "n2 \n"};

    typed = lines[_i];
    start_playing(&(struct stand_in)LED);
    ck_assert_int_eq(RUN("confirm-dead", "n2"), _i < 2 ? CTL_OK : CTL_FAILED);
    expect_log(_i < 2 ? "ConfirmDead n2, asking\n" : "");
    ASSERT_CONTAINS(out, "Type the name of the node to go on: ");
    if (_i >= 2)
        ASSERT_CONTAINS(err, "that is not \"n2\": nothing is done");
    stop_playing();
}

TEST(confirm_dead_of_this_host)
{
    start_playing(&(struct stand_in)LED);
    ck_assert_int_eq(RUN("confirm-dead", "n1", "--yes-n1"), CTL_FAILED);
    ASSERT_CONTAINS(err, "\"n1\" is this very host");
    expect_log("");
    stop_playing();
}

TEST(confirm_dead_of_who_leads_nothing)
{
    start_playing(&(struct stand_in){.agent = true, .seen = true, .leader = "n2"});
    ck_assert_int_eq(RUN("confirm-dead", "n3", "--yes-n3"), CTL_OK);
    ASSERT_CONTAINS(out, "\"n3\" is in no record that this host has seen.\n");
    ASSERT_CONTAINS(out, "Nothing to do: \"n3\" is in no record of this host's groups.\n");
    expect_log("ConfirmDead n3, asking\n");
    stop_playing();
}

/* What this host has seen may be old, or nothing: whether there is something to do, the agent says,
 * which reads the records. */
TEST(confirm_dead_by_a_view_that_is_old, .times = 2)
{
    start_playing(&(struct stand_in){
        .agent = true, .seen = _i == 1, .seen_usec = 3600 * USEC_PER_SEC, .confirmed = 2});
    ck_assert_int_eq(RUN("confirm-dead", "n3", "--yes-n3"), CTL_OK);
    expect_log("ConfirmDead n3, asking\n");
    ASSERT_CONTAINS(out, "a: term 4294967301 is nobody's.");
    ck_assert_ptr_null(strstr(out, "Nothing to do"));
    stop_playing();
}

TEST(confirm_dead_without_an_arbiter)
{
    start_playing(&(struct stand_in){.agent = true, .seen = true, .cut_off = true, .leader = "n2"});
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_FAILED);
    ASSERT_CONTAINS(err, "the arbiter cannot be reached");
    expect_log("");
    stop_playing();
}

TEST(confirm_dead_of_who_lives)
{
    start_playing(&(struct stand_in){.agent = true,
                                     .seen = true,
                                     .leader = "n2",
                                     .confirm_error = "it lives: the record of group \"a\""});
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_FAILED);
    ASSERT_CONTAINS(err, "\"n2\" is not confirmed dead: it lives: the record of group \"a\"");
    stop_playing();
}

/* The agent dies meanwhile, hangs, or answers what nobody understands: it may have been done. */
TEST(confirm_dead_without_an_answer, .times = 4)
{
    static const char *const names[] = {SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT,
                                        SD_BUS_ERROR_DISCONNECTED, NULL};

    start_playing(&(struct stand_in){.agent = true,
                                     .seen = true,
                                     .leader = "n2",
                                     .confirm_error = names[_i] ? "gone" : NULL,
                                     .confirm_error_name = names[_i],
                                     .confirm_nonsense = !names[_i]});
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_FAILED);
    ASSERT_CONTAINS(err, "whether \"n2\" is confirmed dead is not known (");
    ASSERT_CONTAINS(err, "see `tenurectl status`");
    ck_assert_ptr_null(strstr(err, "is not confirmed dead"));
    stop_playing();
}

TEST(confirm_dead_without_an_agent)
{
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_FAILED);
    ASSERT_CONTAINS(err, "cannot ask tenured");
    start_playing(&(struct stand_in){.agent = false});
    ck_assert_int_eq(RUN("confirm-dead", "n2", "--yes-n2"), CTL_FAILED);
    ASSERT_CONTAINS(err, "cannot ask tenured: it is not on the system bus");
    stop_playing();
}
