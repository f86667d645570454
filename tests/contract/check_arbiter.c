/* SPDX-License-Identifier: Apache-2.0 */
/* What `tenurectl check` says of a server, and what `apply` makes of it. */
#include "ctl/verbs.h"
#include "postgresql.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/apply_arbiter.h"
#include "ctl/report_arbiter.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/socket.h"
#include "support/text.h"

#define SECRET "geheim"

/* The agent's user: there is always one where the servers run. */
static const char *agent_user(void)
{
    return geteuid() == 0 ? "postgres" : getpwuid(geteuid())->pw_name;
}

static char *said;
static size_t n_said;
static struct ctl ctl;

static void set_up(void)
{
    folder_make();
    ck_assert_int_eq(chmod(folder(), 0755), 0);
    ctl = (struct ctl){.agent_user = agent_user()};
}

static void tear_down(void)
{
    free(said);
}

/* Tries it and reports; what is printed is in `said`. */
static enum ctl_status try_it(bool require_sync, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum ctl_status try_it(bool require_sync, const char *format, ...)
{
    struct report report = {0};
    char conninfo[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(conninfo, sizeof conninfo, format, ap);
    va_end(ap);
    free(said);
    report.f = open_memstream(&said, &n_said);
    struct trial *t = trial_start(&ctl, &(const struct config_arbiter){.conninfo = conninfo});
    ck_assert_ptr_nonnull(t);
    trial_finish(t);
    report_arbiter(&report, t, require_sync);
    (void)trial_free(t);
    ck_assert_int_eq(fclose(report.f), 0);
    ck_assert_ptr_null(strstr(said, SECRET));
    return report_status(&report);
}

static enum ctl_status try_port(int port)
{
    return try_it(false, "host=127.0.0.1 port=%d dbname=postgres user=tenure", port);
}

/* A line that begins with both words and has the fragment. */
static void has_line(const char *verdict, const char *what, const char *fragment)
{
    char start[64];

    (void)snprintf(start, sizeof start, "%-8s %-10s ", verdict, what);
    for (const char *line = said; *line; line = strchr(line, '\n') + 1) {
        const char *found = strstr(line, fragment);

        if (strncmp(line, start, strlen(start)) == 0 && found && found < strchr(line, '\n'))
            return;
    }
    ck_abort_msg("no \"%s%s\" in:\n%s", start, fragment, said);
}

TEST_CASE(check, .set_up = set_up, .tear_down = tear_down, .time_limit = 60);

TEST(a_good_server_is_good)
{
    ck_assert_msg(try_port(shared.port) == CTL_OK, "%s", said);
    has_line("ok", "arbiter", "127.0.0.1");
    has_line("ok", "login", "database postgres, role tenure");
    has_line("ok", "encryption", "loopback");
    has_line("ok", "writes", "");
    has_line("ok", "schema", "of this version");
    has_line("ok", "grants", "role tenure");
    has_line("ok", "trial", "rolled back");
    ck_assert_int_eq(server_number(&shared, "select count(*) from tenure.lease where grp like "
                                            "'tenurectl-check-%%'"),
                     0);
    ck_assert_int_eq(server_number(&shared, "select count(*) from pg_stat_activity where usename = "
                                            "'tenure' and state like 'idle in%%'"),
                     0);
    ck_assert_int_eq(
        try_it(false, "host=%s port=%d dbname=postgres user=tenure", shared.dir, shared.port),
        CTL_OK);
}

TEST(a_missing_schema_is_bad)
{
    server_do(&shared, "create database bare template template0");
    ck_assert_int_eq(try_it(false, "host=127.0.0.1 port=%d dbname=bare user=tenure", shared.port),
                     CTL_CHECK_BAD);
    has_line("BAD", "schema", "tenurectl schema | psql");
    has_line("ok", "login", "database bare");
}

TEST(an_older_schema_is_bad)
{
    struct server s;

    server_make(&s, false);
    server_start(&s);
    server_do(&s, "alter function tenure.tick_2 rename to tick_0");
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
    has_line("BAD", "schema", "missing or older");
    server_crash(&s);
}

/* The main one is there, and is older: it does not call them. */
TEST(each_missing_function_is_named)
{
    static const char *const functions[] = {"holders_1", "end_session_1", "lock_key"};
    struct server s;

    server_make(&s, false);
    server_start(&s);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        char what[128];

        (void)snprintf(what, sizeof what, "there is no function tenure.%s)", functions[i]);
        server_do(&s, "alter function tenure.%s rename to away", functions[i]);
        ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
        has_line("BAD", "schema", "missing or older");
        has_line("BAD", "schema", what);
        server_do(&s, "alter function tenure.away rename to %s", functions[i]);
        ck_assert_msg(try_port(s.port) == CTL_OK, "%s", said);
    }
    server_crash(&s);
}

static const struct {
    const char *privilege, *object;
} grants[] = {
    {"usage", "schema tenure"},
    {"select", "table tenure.lease"},
    {"insert", "table tenure.lease"},
    {"update", "table tenure.lease"},
    {"execute", "function tenure.tick_2"},
    {"execute", "function tenure.lock_key"},
    {"execute", "function tenure.locks_1"},
    {"execute", "function tenure.bound_session_1"},
    {"execute", "function tenure.lock_1"},
    {"execute", "function tenure.holder_1"},
    {"execute", "function tenure.lock_holder_1"},
    {"execute", "function tenure.holders_1"},
    {"execute", "function tenure.end_session_1"},
};

/* Each is missed, and what is said to mend it mends it. */
TEST(each_missing_grant_is_named)
{
    char what[128], remedy[1024];
    struct server s;

    server_make(&s, false);
    server_start(&s);
    for (size_t i = 0; i < sizeof grants / sizeof *grants; i++) {
        (void)snprintf(what, sizeof what, "role tenure lacks %s on %s", grants[i].privilege,
                       grants[i].object);
        server_do(&s, "revoke %s on %s from tenure", grants[i].privilege, grants[i].object);
        ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
        has_line("BAD", "grants", what);
        const char *run = strstr(said, "schema run ");
        ck_assert_ptr_nonnull(run);
        run += strlen("schema run ");
        (void)snprintf(remedy, sizeof remedy, "%.*s", (int)strcspn(run, "\n"), run);
        server_do(&s, "%s", remedy);
        ck_assert_msg(try_port(s.port) == CTL_OK, "%s", said);
    }
    server_crash(&s);
}

TEST(row_level_security_is_named)
{
    struct server s;

    server_make(&s, false);
    server_start(&s);
    server_do(&s, "alter table tenure.lease enable row level security");
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
    has_line("BAD", "rows", "alter table tenure.lease disable row level security");
    server_do(&s, "create policy p on tenure.lease using (true)");
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_WARNING);
    has_line("warning", "rows", "row level security");
    server_crash(&s);
}

TEST(a_trigger_in_the_way_is_named)
{
    struct server s;

    server_make(&s, false);
    server_start(&s);
    server_do(&s, "create function no() returns trigger language plpgsql as 'begin return null; "
                  "end'; create trigger no before insert on tenure.lease for each row execute "
                  "function no()");
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
    has_line("BAD", "trial", "trigger");
    server_crash(&s);
}

/* The caller's stderr is no place for what a server likes to say. */
TEST(notices_are_dropped)
{
    char conninfo[256], error[ARBITER_TEXT_MAX];
    struct conninfo *c;
    struct attempt seen;
    struct stat st;
    struct server s;

    server_make(&s, false);
    server_start(&s);
    server_do(&s,
              "create function noise() returns trigger language plpgsql as 'begin raise warning "
              "''noise''; return new; end'; create trigger noise before insert on tenure.lease "
              "for each row execute function noise()");
    (void)snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=postgres user=tenure",
                   s.port);
    ck_assert_int_eq(conninfo_new(conninfo, &c, error), 0);
    int before = dup(STDERR_FILENO), fd = open(in_folder("stderr"), O_RDWR | O_CREAT, 0600);
    ck_assert(before >= 0 && fd >= 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    attempt_make(c, 0, usec_add(clock_boottime(), 10 * USEC_PER_SEC), &seen);
    ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    (void)close(before);
    (void)close(fd);
    (void)conninfo_free(c);
    ck_assert(attempt_usable(&seen));
    ck_assert_int_eq(st.st_size, 0);
    server_crash(&s);
}

TEST(a_read_only_server_is_bad)
{
    struct server s;

    server_make(&s, false);
    server_configure(&s, "default_transaction_read_only = on");
    server_start(&s);
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
    has_line("BAD", "writes", "read-only");
    server_crash(&s);
    ck_assert_int_eq(
        try_it(true, "host=127.0.0.1 port=%d dbname=postgres user=tenure", shared.port),
        CTL_CHECK_BAD);
    has_line("BAD", "writes", "synchronous_standby_names is empty");
}

TEST(a_server_without_the_standby_it_waits_for_is_bad)
{
    struct server s;

    server_make(&s, false);
    server_configure(&s, "synchronous_standby_names = 'nobody'");
    server_start(&s);
    ck_assert_int_eq(try_port(s.port), CTL_CHECK_BAD);
    has_line("BAD", "writes", "no standby is connected, so commits hang");
    server_crash(&s);
}

/* ---- passwords ---- */

static void demand_passwords(struct server *s)
{
    char path[SERVER_PATH_MAX + 32];

    server_make(s, false);
    (void)snprintf(path, sizeof path, "%s/pg_hba.conf", s->dir);
    file_put(path, "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    server_start(s);
    server_do(s, "alter role tenure password '" SECRET "'");
}

/* To the agent's user. */
static void give_away(const char *path, mode_t mode)
{
    const struct passwd *user = getpwnam(agent_user());

    ck_assert_ptr_nonnull(user);
    ck_assert_int_eq(chown(path, user->pw_uid, user->pw_gid), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

TEST(passwords_and_their_files)
{
    const char *path = in_folder("pgpass");
    struct server s;

    demand_passwords(&s);
    ck_assert_int_eq(try_it(false,
                            "host=127.0.0.1 port=%d dbname=postgres user=tenure "
                            "password=" SECRET "not",
                            s.port),
                     CTL_CHECK_BAD);
    has_line("BAD", "login", "password authentication failed");
    has_line("ok", "arbiter", "answers");

    ck_assert_int_eq(try_port(s.port), CTL_CHECK_UNKNOWN);
    has_line("unknown", "login", "the credential is there only while tenured runs");

#define BY_FILE                                                                                    \
    try_it(false, "host=127.0.0.1 port=%d dbname=postgres user=tenure passfile=%s", s.port, path)
    ck_assert_int_eq(BY_FILE, CTL_CHECK_BAD);
    has_line("BAD", "files", "there is no such file");
    file_put(path, "*:*:*:*:" SECRET "\n");
    give_away(path, 0600);
    ck_assert_msg(BY_FILE == CTL_OK, "%s", said);
    has_line("ok", "files", "can be used");
    give_away(path, 0640);
    ck_assert_int_eq(BY_FILE, CTL_CHECK_BAD);
    has_line("BAD", "files", "mode 0640) can be read by others");
    has_line("BAD", "login", "no password supplied");
    file_put(path, "other:*:*:*:" SECRET "\n");
    give_away(path, 0600);
    ck_assert_int_eq(BY_FILE, CTL_CHECK_BAD);
    has_line("BAD", "login", "has no line for this host");
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 0, 0), 0);
        ck_assert_int_eq(BY_FILE, CTL_CHECK_BAD);
        has_line("BAD", "files", "(owner root, mode 0600) cannot be read");
    }
    server_crash(&s);
}

/* What a server does not ask for keeps nobody from leading. */
TEST(a_password_file_that_is_not_needed_is_a_warning)
{
    const char *path = in_folder("pgpass");

    file_put(path, "*:*:*:*:" SECRET "\n");
    give_away(path, 0644);
    ck_assert_int_eq(try_it(false, "host=127.0.0.1 port=%d dbname=postgres user=tenure passfile=%s",
                            shared.port, path),
                     CTL_CHECK_WARNING);
    has_line("warning", "files", "can be read by others");
}

/* ---- who answers ---- */

TEST(certificates)
{
    char certificate[SERVER_PATH_MAX + 32];
    struct server s;

    server_make(&s, false);
    server_certify(&s, certificate);
    server_start(&s);
#define AS(name, mode)                                                                             \
    try_it(false,                                                                                  \
           "host=" name " hostaddr=127.0.0.1 port=%d dbname=postgres user=tenure sslmode=" mode    \
           " sslrootcert=%s",                                                                      \
           s.port, certificate)
    ck_assert_msg(AS("pg.test", "verify-full") == CTL_OK, "%s", said);
    has_line("ok", "encryption", "verify-full");
    ck_assert_int_eq(AS("other.test", "verify-full"), CTL_CHECK_BAD);
    has_line("BAD", "login", "host= in conninfo must be a name that the server's certificate has");
    has_line("ok", "arbiter", "answers");
    ck_assert_int_eq(unlink(certificate), 0);
    ck_assert_int_eq(AS("pg.test", "verify-full"), CTL_CHECK_BAD);
    has_line("BAD", "files", "sslrootcert=");
    server_crash(&s);
}

static const struct {
    bool tls;
    const char *sslmode;
    bool has_authority;
    const char *address;
    enum link link;
} links[] = {
    {true, "verify-full", true, "10.0.0.1", LINK_VERIFIED},
    {true, "verify-ca", true, "10.0.0.1", LINK_AUTHORITY},
    {true, "require", true, "10.0.0.1", LINK_AUTHORITY},
    {true, "require", false, "10.0.0.1", LINK_UNVERIFIED},
    {true, "prefer", true, "10.0.0.1", LINK_UNVERIFIED},
    {true, NULL, false, "fe80::1", LINK_UNVERIFIED},
    {false, "prefer", true, "10.0.0.1", LINK_CLEAR},
    {false, "disable", false, "128.0.0.1", LINK_CLEAR},
    {false, "disable", false, "", LINK_LOCAL},
    {false, "disable", false, "127.0.1.1", LINK_LOCAL},
    {false, "disable", false, "::1", LINK_LOCAL},
    {true, "prefer", false, "::ffff:127.0.0.1", LINK_LOCAL},
    {false, "prefer", false, "::ffff:10.0.0.1", LINK_CLEAR},
};

TEST(links_are_distinguished, EACH(links))
{
    ck_assert_int_eq(
        link_judge(links[_i].tls, links[_i].sslmode, links[_i].has_authority, links[_i].address),
        links[_i].link);
}

/* ---- nobody answers ---- */

TEST(an_unreachable_server_is_bad)
{
    int fd, port = mute_port(&fd);

    (void)close(fd);
    ck_assert_int_eq(try_port(port), CTL_CHECK_BAD);
    has_line("BAD", "arbiter", "listen_addresses");
}

TEST(a_silent_server_is_not_waited_for)
{
    int fd, port = mute_port(&fd);
    usec_t begin = clock_boottime();

    ck_assert_int_eq(try_port(port), CTL_CHECK_BAD);
    has_line("ok", "arbiter", "answers");
    has_line("BAD", "login", "nobody answers in time");
    /* Many are asked side by side. */
    ck_assert_int_eq(try_it(false,
                            "host=127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1 port=%d dbname=postgres "
                            "user=tenure",
                            port),
                     CTL_CHECK_BAD);
    ck_assert_uint_lt(clock_boottime() - begin, 2 * TRIAL_LIMIT_USEC);
    (void)close(fd);
}

TEST(one_of_several_will_do)
{
    int fd, port = mute_port(&fd);

    (void)close(fd);
    ck_assert_int_eq(try_it(false,
                            "host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres "
                            "user=tenure",
                            port, shared.port),
                     CTL_CHECK_WARNING);
    has_line("warning", "arbiter", "Connection refused");
    has_line("ok", "trial", "rolled back");
    ck_assert_int_eq(try_it(false, "host=127.0.0.1,%s port=%d dbname=postgres user=tenure",
                            shared.dir, shared.port),
                     CTL_OK);
    has_line("ok", "arbiter", "the same server");
}

/* This host's own failure: a pipe takes two descriptors, and there is one. */
TEST(an_attempt_that_cannot_begin_is_not_known)
{
    struct rlimit before, few;
    int free_fd = dup(STDIN_FILENO);
    struct trial *t;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    (void)close(free_fd);
    few = before;
    few.rlim_cur = (rlim_t)free_fd + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    t = trial_start(&ctl, &(const struct config_arbiter){.conninfo = (char[]){"host=127.0.0.1"}});
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_ptr_nonnull(t);
    trial_finish(t);
    ck_assert_int_eq(t->attempts[0].error, -EMFILE);
    ASSERT_CONTAINS(t->attempts[0].text, "Too many open files");
    ck_assert_int_eq(t->files_error, -EMFILE);
    (void)trial_free(t);
}

TEST(a_name_that_is_resolved_too_late_is_named)
{
    char error[ARBITER_TEXT_MAX];
    struct conninfo *c;
    struct attempt seen;

    ck_assert_int_eq(conninfo_new("host=localhost", &c, error), 0);
    attempt_make(c, 0, 0, &seen);
    (void)conninfo_free(c);
    ASSERT_CONTAINS(seen.text, "resolved too late");
}

/* The user who tries it sees them, and the agent does not. */
TEST(what_the_agent_does_not_see_is_bad)
{
    char beside[600];
    const char *const hidden[] = {beside, folder(), shared.dir, NULL};
    const char *path = in_folder("pgpass");

    (void)snprintf(beside, sizeof beside, "%s/pg", folder());
    ck_assert(!trial_is_hidden(hidden, "/"));
    ck_assert(!trial_is_hidden((const char *const[]){beside, NULL}, path));
    file_put(path, "*:*:*:*:" SECRET "\n");
    give_away(path, 0600);
    ctl.hidden = hidden;
    ck_assert_int_eq(try_it(false, "host=127.0.0.1 port=%d dbname=postgres user=tenure passfile=%s",
                            shared.port, path),
                     CTL_CHECK_BAD);
    has_line("BAD", "files", "tenured.service hides it from the agent");
    ck_assert_int_eq(
        try_it(false, "host=%s port=%d dbname=postgres user=tenure", shared.dir, shared.port),
        CTL_CHECK_BAD);
    has_line("BAD", "arbiter", "unix_socket_directories");
    const char *link = in_folder("link");
    ck_assert_int_eq(symlink(shared.dir, link), 0);
    ck_assert(trial_is_hidden((const char *const[]){shared.dir, NULL}, link));
}

TEST(without_the_agents_user)
{
    ctl.agent_user = "nobody-of-that-name";
    ck_assert_int_eq(try_port(shared.port), CTL_CHECK_BAD);
    has_line("BAD", "user", "systemd-sysusers");
}

/* A bus that takes connections and never says a word. */
static void set_mute_bus(void)
{
    char address[256];
    struct sockaddr_un at = socket_address(in_folder("bus"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 16), 0); /* until the end of the test */
    (void)snprintf(address, sizeof address, "unix:path=%s", in_folder("bus"));
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

/* The verb as a whole, where neither the bus nor the server answers. */
TEST(a_check_ends_in_time, .times = 2)
{
    static const char *const applied[] = {"/nonexistent/a", "/nonexistent/b", "/nonexistent/c",
                                          NULL};
    char text[512], file[512], groups[512], *out;
    int fd, port = mute_port(&fd);
    size_t n;

    (void)setenv("PGPORT", "1,2,3", 1); /* of root's shell: not the agent's */
    if (_i == 0)
        (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
    else
        set_mute_bus();
    (void)snprintf(file, sizeof file, "%s", in_folder("tenure.conf"));
    (void)snprintf(groups, sizeof groups, "%s", in_folder("groups.d"));
    (void)snprintf(text, sizeof text,
                   "node = \"n1\"; arbiter = { type = \"postgresql\"; conninfo = \"host=127.0.0.1 "
                   "port=%d dbname=postgres user=tenure password=" SECRET "\"; };",
                   port);
    file_put(file, text);
    ctl.paths = (struct config_paths){.main_file = file, .groups_dir = groups};
    ctl.applied = applied;
    ctl.copy_dir = "/nonexistent";
    ctl.tries = ctl.asks_systemd = true;
    for (int offline = 0; offline < 2; offline++) {
        char *argv[] = {(char[]){"tenurectl"}, (char[]){"check"}, (char[]){"--offline"}, NULL};
        usec_t begin = clock_boottime();

        ctl.out = ctl.err = open_memstream(&out, &n);
        int status = ctl_run(&ctl, 2 + offline, argv);
        ck_assert_int_eq(fclose(ctl.out), 0);
        ck_assert_msg(status == (offline ? CTL_OK : CTL_CHECK_BAD), "%s", out);
        ck_assert_uint_lt(clock_boottime() - begin, (offline ? 1 : 10) * USEC_PER_SEC);
        ck_assert_int_eq(strstr(out, "nobody answers in time") != NULL, !offline);
        ck_assert_int_eq(strstr(out, "unknown  systemd") != NULL, !offline);
        ck_assert_ptr_null(strstr(out, SECRET));
        ck_assert_ptr_null(getenv("PGPORT"));
        free(out);
    }
    (void)close(fd);
}

/* A password that would go to any server that answers is not tried either. */
TEST(what_is_refused_asks_nobody)
{
    static const char *const applied[] = {"/nonexistent/a", "/nonexistent/b", "/nonexistent/c",
                                          NULL};
    char text[512], file[512], groups[512], *out;
    char *argv[] = {(char[]){"tenurectl"}, (char[]){"check"}, NULL};
    int fd, port = mute_port(&fd);
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    size_t n;

    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
    (void)snprintf(file, sizeof file, "%s", in_folder("tenure.conf"));
    (void)snprintf(groups, sizeof groups, "%s", in_folder("groups.d"));
    ctl.paths = (struct config_paths){.main_file = file, .groups_dir = groups};
    ctl.applied = applied;
    ctl.copy_dir = "/nonexistent";
    ctl.tries = true;
    for (int refused = 1; refused >= 0; refused--) {
        (void)snprintf(text, sizeof text,
                       "node = \"n1\"; arbiter = { type = \"postgresql\"; conninfo = "
                       "\"host=0.0.0.0 port=%d user=tenure password=" SECRET
                       " sslmode=require %s\"; };",
                       port, refused ? "channel_binding=prefer" : "");
        file_put(file, text);
        ctl.out = ctl.err = open_memstream(&out, &n);
        int status = ctl_run(&ctl, 2, argv);
        ck_assert_int_eq(fclose(ctl.out), 0);
        ck_assert_int_eq(status, CTL_CHECK_BAD);
        ck_assert_int_eq(strstr(out, "not tried: the password would go to any server") != NULL,
                         refused);
        ck_assert_msg(poll(&asked, 1, 0) == !refused, "%s", out);
        free(out);
    }
    (void)close(fd);
}

/* ---- apply ---- */

static char *err;

static void put_arbiter(const char *file, int port)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "node = \"n1\"; arbiter = { type = \"postgresql\"; conninfo = "
                   "\"host=127.0.0.1 port=%d\"; };",
                   port);
    file_put(file, text);
}

/* While a silent server is waited for. */
TEST(files_that_change_meanwhile_are_not_applied, .root = true)
{
    static const char *const applied[] = {"/nonexistent/a", "/nonexistent/b", "/nonexistent/c",
                                          NULL};
    char file[512], groups[512], lock[512];
    char *argv[] = {(char[]){"tenurectl"}, (char[]){"apply"}, NULL};
    int status, fd, port = mute_port(&fd);
    size_t n;

    (void)snprintf(file, sizeof file, "%s", in_folder("tenure.conf"));
    (void)snprintf(groups, sizeof groups, "%s", in_folder("groups.d"));
    (void)snprintf(lock, sizeof lock, "%s", in_folder("lock"));
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
    put_arbiter(file, port);
    ctl.paths = (struct config_paths){.main_file = file, .groups_dir = groups};
    ctl.applied = applied;
    ctl.copy_dir = "/nonexistent";
    ctl.lock_file = lock;
    ctl.tries = true;
    pid_t editor = fork();
    if (editor == 0) {
        (void)usleep(USEC_PER_SEC);
        put_arbiter(file, 1);
        _exit(0);
    }
    free(err);
    ctl.out = ctl.err = open_memstream(&err, &n);
    int applied_status = ctl_run(&ctl, 2, argv);
    ck_assert_int_eq(fclose(ctl.out), 0);
    ck_assert_int_eq(waitpid(editor, &status, 0), editor);
    ck_assert_int_eq(applied_status, CTL_FAILED);
    ASSERT_CONTAINS(err, "nothing is led until it does");
    ASSERT_CONTAINS(err, "the files have changed meanwhile: apply again");
    free(err);
    err = NULL;
    ctl.lock_file = NULL;
    (void)close(fd);
}

/* A slow apply of what an earlier version has applied, while a quick one has the password
 * protected: that is not taken back. */
TEST(what_is_applied_meanwhile_is_not_undone, .root = true)
{
    char file[512], groups[512], lock[512], own[512], text[256];
    const char *const applied[] = {own, "/nonexistent/b", "/nonexistent/c", NULL};
    char *argv[] = {(char[]){"tenurectl"}, (char[]){"apply"}, NULL};
    int status, fd, port = mute_port(&fd);
    size_t n;

    (void)snprintf(file, sizeof file, "%s", in_folder("tenure.conf"));
    (void)snprintf(groups, sizeof groups, "%s", in_folder("groups.d"));
    (void)snprintf(lock, sizeof lock, "%s", in_folder("lock"));
    (void)snprintf(own, sizeof own, "%s", in_folder("applied.conf"));
    (void)setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
#define PROTECTABLE                                                                                \
    "node = \"n1\"; arbiter = { type = \"postgresql\"; %s conninfo = \"host=0.0.0.0 port=%d "      \
    "sslmode=require password=" SECRET "\"; };"
    (void)snprintf(text, sizeof text, PROTECTABLE, "", port);
    file_put(file, text);
    file_put(own, text);
    ctl.paths = (struct config_paths){.main_file = file, .groups_dir = groups};
    ctl.applied = applied;
    ctl.copy_dir = "/nonexistent";
    ctl.lock_file = lock;
    ctl.tries = true;
    pid_t other = fork();
    if (other == 0) {
        (void)usleep(USEC_PER_SEC);
        (void)snprintf(text, sizeof text, PROTECTABLE, "allow_unverified = false;", port);
        file_put(own, text);
        _exit(0);
    }
    free(err);
    ctl.out = ctl.err = open_memstream(&err, &n);
    int applied_status = ctl_run(&ctl, 2, argv);
    ck_assert_int_eq(fclose(ctl.out), 0);
    ck_assert_int_eq(waitpid(other, &status, 0), other);
    ck_assert_int_eq(applied_status, CTL_FAILED);
    ASSERT_CONTAINS(err, "so it goes on as it is");
    ASSERT_CONTAINS(err, "the files have changed meanwhile: apply again");
    free(err);
    err = NULL;
    ctl.applied = NULL;
    ctl.lock_file = NULL;
    (void)close(fd);
}

/* Another apply may have been there in the meantime. */
TEST(a_start_protects_what_was_protected)
{
    static const struct {
        bool any, was_unjudged, is_unjudged;
    } of[] = {{false, false, true}, {true, true, true}, {true, false, false}};

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char conninfo[] = "host=pg1 sslmode=require";
        const struct tenure_config old = {
            .arbiter = {.conninfo = conninfo, .unjudged = of[i].was_unjudged}};
        struct tenure_config new = {.arbiter.conninfo = conninfo};

        ck_assert_int_eq(
            apply_judge_password(
                &ctl, &(const struct apply_case){.before = of[i].any ? &old : NULL, .insist = true},
                &new),
            CTL_OK);
        ck_assert_int_eq(new.arbiter.unjudged, of[i].is_unjudged);
    }
}

static bool new_requires_sync, unreadable, stopped;
static bool old_is_unjudged, new_is_decided;
static bool new_is_unjudged; /* what comes of it */

static int apply(const char *before, const char *after, bool force)
{
    struct tenure_config old = {
        .arbiter = {.conninfo = (char *)(uintptr_t)before, .unjudged = old_is_unjudged}};
    struct tenure_config new = {.arbiter.conninfo = (char *)(uintptr_t)after};
    size_t n;

    new.arbiter.require_sync = new_requires_sync;
    new.arbiter.decided = new_is_decided;
    free(err);
    ctl.err = open_memstream(&err, &n);
    int r = apply_arbiter(&ctl,
                          &(const struct apply_case){.before = before ? &old : NULL,
                                                     .unreadable = unreadable,
                                                     .running = !stopped,
                                                     .force = force},
                          &new);
    ck_assert_int_eq(fclose(ctl.err), 0);
    new_is_unjudged = new.arbiter.unjudged;
    return r;
}

static void demand(struct server *s, const char *method)
{
    char path[SERVER_PATH_MAX + 32], text[256];

    server_make(s, false);
    server_certify(s, path);
    (void)snprintf(path, sizeof path, "%s/pg_hba.conf", s->dir);
    (void)snprintf(text, sizeof text, "local all all trust\nhost all all 127.0.0.1/32 %s\n",
                   method);
    file_put(path, text);
    server_start(s);
    server_do(s, "alter role tenure password '" SECRET "'");
}

/* 0.0.0.0 leads to this host, but is none of the loopback's addresses. */
TEST(what_an_earlier_version_applied_goes_on_where_it_must)
{
    static const struct {
        const char *method;
        bool goes_on;
    } of[] = {{"password", true}, {"trust", true}, {"scram-sha-256", false}};
    char conninfo[256], other[300];

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct server s;

        demand(&s, of[i].method);
        (void)snprintf(conninfo, sizeof conninfo,
                       "host=0.0.0.0 port=%d dbname=postgres user=tenure sslmode=require "
                       "password=" SECRET,
                       s.port);
        (void)snprintf(other, sizeof other, "%s connect_timeout=2", conninfo);
        old_is_unjudged = true;
        ck_assert_int_eq(apply(conninfo, conninfo, false), CTL_OK);
        ck_assert_int_eq(new_is_unjudged, of[i].goes_on);
        if (of[i].goes_on)
            ASSERT_CONTAINS(err, "so it goes on as it is");
        else
            ck_assert_str_eq(err, "");
        /* Somebody has written allow_unverified = false. */
        new_is_decided = true;
        ck_assert_int_eq(apply(conninfo, conninfo, false), of[i].goes_on ? CTL_FAILED : CTL_OK);
        ck_assert(!new_is_unjudged);
        new_is_decided = false;
        /* Another one is judged as any other. */
        ck_assert_int_eq(apply(conninfo, other, false), of[i].goes_on ? CTL_FAILED : CTL_OK);
        ck_assert(!new_is_unjudged);
        old_is_unjudged = false;
        server_crash(&s);
    }
}

/* Nobody knows whether the server would do with the password protected, so nothing is changed. */
TEST(what_an_earlier_version_applied_goes_on_while_the_server_is_down, .times = 2)
{
    char conninfo[256];
    int fd, port = mute_port(&fd);

    (void)close(fd);
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=%s port=%d dbname=postgres user=tenure sslmode=require password=" SECRET,
                   _i == 0 ? "0.0.0.0" : "127.0.0.1", port);
    old_is_unjudged = true;
    ck_assert_int_eq(apply(conninfo, conninfo, false), CTL_OK);
    ck_assert_int_eq(new_is_unjudged, _i == 0);
    if (_i == 0)
        ASSERT_CONTAINS(err, "so it goes on as it is");
    else
        ck_assert_str_eq(err, ""); /* there is nothing to protect */
    old_is_unjudged = false;
}

/* The primary of tomorrow may be the other one. A good one comes first, or last. */
TEST(each_host_must_do_with_the_password_protected)
{
    char conninfo[256], where[64];
    struct server good, also_good, bad;
    int fd, dead = mute_port(&fd);

    (void)close(fd);
    demand(&good, "scram-sha-256");
    demand(&also_good, "scram-sha-256");
    demand(&bad, "trust");
    const struct {
        int ports[2];
        bool goes_on;
    } of[] = {
        {{good.port, bad.port}, true},
        {{bad.port, good.port}, true},
        {{good.port, dead}, true},
        {{good.port, also_good.port}, false},
    };
    old_is_unjudged = true;
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        (void)snprintf(conninfo, sizeof conninfo,
                       "host=0.0.0.0,0.0.0.0 port=%d,%d dbname=postgres user=tenure "
                       "sslmode=require password=" SECRET,
                       of[i].ports[0], of[i].ports[1]);
        ck_assert_int_eq(apply(conninfo, conninfo, false), CTL_OK);
        ck_assert_msg(new_is_unjudged == of[i].goes_on, "%zu: %s", i, err);
        if (!of[i].goes_on)
            continue;
        (void)snprintf(where, sizeof where,
                       "it would not do: 0.0.0.0:%d: ", of[i].ports[of[i].ports[0] == good.port]);
        ASSERT_CONTAINS(err, where);
    }
    old_is_unjudged = false;
    server_crash(&good);
    server_crash(&also_good);
    server_crash(&bad);
}

/* The trial has none, and so has shown nothing: the agent may have one that it would not get in
 * with. */
TEST(a_trial_without_a_password_shows_nothing)
{
    char conninfo[256];
    struct server s;

    demand(&s, "trust");
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=0.0.0.0 port=%d dbname=postgres user=tenure sslmode=require", s.port);
    old_is_unjudged = true;
    ck_assert_int_eq(apply(conninfo, conninfo, false), CTL_OK);
    ck_assert(new_is_unjudged);
    ASSERT_CONTAINS(err, "the agent may have one");
    old_is_unjudged = false;
    server_crash(&s);
}

/* A trial gives no more away than the agent. */
TEST(a_trial_protects_the_password)
{
    struct server s;

    demand(&s, "password");
    ck_assert_int_eq(try_it(false,
                            "host=0.0.0.0 port=%d dbname=postgres user=tenure sslmode=require "
                            "password=" SECRET,
                            s.port),
                     CTL_CHECK_BAD);
    has_line("BAD", "login", "the password was not sent");
    server_crash(&s);
}

TEST(no_server_that_answers_is_replaced_by_one_that_does_not)
{
    char good[256], also_good[256], dead[256];
    int fd, port = mute_port(&fd);

    (void)close(fd);
#define CONNINFO "host=127.0.0.1 port=%d dbname=postgres user=tenure"
    (void)snprintf(good, sizeof good, CONNINFO, shared.port);
    (void)snprintf(also_good, sizeof also_good, CONNINFO " connect_timeout=2", shared.port);
    (void)snprintf(dead, sizeof dead, CONNINFO, port);
    ck_assert_int_eq(apply(good, dead, false), CTL_FAILED);
    ASSERT_CONTAINS(err, "Connection refused");
    ASSERT_CONTAINS(err, "--force");
    ck_assert_int_eq(apply(good, dead, true), CTL_OK);
    ASSERT_CONTAINS(err, "applied all the same");
    ck_assert_int_eq(apply(good, also_good, false), CTL_OK);
    ck_assert_str_eq(err, "");
    new_requires_sync = true;
    ck_assert_int_eq(apply(good, also_good, false), CTL_FAILED);
    ASSERT_CONTAINS(err, "synchronous_standby_names is empty");
    ck_assert_int_eq(apply(good, good, false), CTL_FAILED); /* it is asked for more than before */
    ASSERT_CONTAINS(err, "synchronous_standby_names is empty");
    new_requires_sync = false;
    stopped = true;
    ck_assert_int_eq(apply(good, dead, false), CTL_OK); /* which leads nothing here */
    ASSERT_CONTAINS(err, "tenured does not run, so this goes on");
    stopped = false;
    unreadable = true;
    ck_assert_int_eq(apply(NULL, dead, false), CTL_FAILED);
    ASSERT_CONTAINS(err, "what is applied cannot be read");
    ck_assert_int_eq(apply(NULL, dead, true), CTL_OK);
    ck_assert_int_eq(apply(NULL, good, false), CTL_OK);
    stopped = true;
    ck_assert_int_eq(apply(NULL, dead, false), CTL_OK);
    stopped = unreadable = false;
    ck_assert_int_eq(apply(dead, good, false), CTL_OK);
    ck_assert_str_eq(err, "");
    (void)strcat(dead, " connect_timeout=2");
    char dead_too[256];
    (void)snprintf(dead_too, sizeof dead_too, CONNINFO, port);
    ck_assert_int_eq(apply(dead_too, dead, false), CTL_OK);
    ASSERT_CONTAINS(err, "nor does the one that is applied");
    ck_assert_int_eq(apply(dead, dead, false), CTL_OK);
    ck_assert_str_eq(err, ""); /* it is the agent's already */
    ck_assert_int_eq(apply(NULL, dead, false), CTL_OK);
    ASSERT_CONTAINS(err, "nothing is led until it does");
    free(err);
}
