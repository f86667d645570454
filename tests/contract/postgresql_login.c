/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets the password, and what is reported of the server that answers. */
#include "postgresql.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arbiter/conninfo.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/text.h"

#define SECRET "geheim"
#define LINE_MAX_CHARS 64
#define LIBPQ_WITH_REQUIRE_AUTH 160000
/* It leads to this host, but is none of the loopback's addresses. */
#define ELSEWHERE "0.0.0.0"

static struct client *c;

static void open_client(void)
{
    folder_make();
    c = client_new();
}

static void close_client(void)
{
    c = client_close(c);
}

#define use(...) client_use(c, false, CLIENT_OWNER_A, __VA_ARGS__)

TEST_CASE(login, .set_up = open_client, .tear_down = close_client, .time_limit = 60);

/* ---- any server that answers ---- */

struct greedy {
    FILE *said;
    int port;
};

static void read_line(FILE *f, char ret[static LINE_MAX_CHARS])
{
    ck_assert_ptr_nonnull(fgets(ret, LINE_MAX_CHARS, f));
    ret[strcspn(ret, "\n")] = '\0';
}

/* Ends with the test. */
static struct greedy greedy_start(const char *mode, bool tls)
{
    char *argv[] = {(char[]){GREEDY_SERVER}, (char *)(uintptr_t)mode,
                    tls ? (char[]){"--tls"} : NULL, (char *)(uintptr_t)folder(), NULL};
    char line[LINE_MAX_CHARS];
    struct greedy g;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)execv(GREEDY_SERVER, argv);
        _exit(127);
    }
    (void)close(fds[1]);
    g.said = fdopen(fds[0], "r");
    ck_assert_ptr_nonnull(g.said);
    read_line(g.said, line);
    g.port = atoi(line);
    ck_assert_int_gt(g.port, 0);
    return g;
}

static const struct {
    const char *hostaddr, *settings;
    bool tls;
    enum arbiter_password password;
    bool gets;
} greedy[] = {
    {ELSEWHERE, "", false, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "", true, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "sslmode=prefer", true, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "sslmode=require", true, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "channel_binding=require", false, PASSWORD_PROTECTED, false},
    /* It does not come so far: check and apply refuse it. Nor does the agent do it. */
    {ELSEWHERE, "sslmode=require channel_binding=prefer", true, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "sslmode=disable channel_binding=disable", false, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "", false, PASSWORD_ANYHOW, true},
    {ELSEWHERE, "sslmode=require", true, PASSWORD_ANYHOW, true},
    {ELSEWHERE, "channel_binding=require", false, PASSWORD_ANYHOW, false},
    {ELSEWHERE, "", false, PASSWORD_AS_BEFORE, true},
    {ELSEWHERE, "sslmode=require", true, PASSWORD_AS_BEFORE, true},
    /* Nothing leaves this host. */
    {"127.0.0.1", "", false, PASSWORD_PROTECTED, true},
    /* A server that is verified may have it, where somebody says so. */
    {ELSEWHERE, "sslmode=verify-full", true, PASSWORD_PROTECTED, false},
    {ELSEWHERE, "sslmode=verify-full channel_binding=prefer", true, PASSWORD_PROTECTED, true},
};

TEST(the_password_is_not_for_any_server_that_answers, EACH(greedy))
{
    struct greedy g = greedy_start("clear", greedy[_i].tls);
    char line[LINE_MAX_CHARS];

    c->password = greedy[_i].password;
    use("host=pg.test hostaddr=%s port=%d dbname=x user=tenure password=" SECRET
        " sslrootcert=%s/server.crt %s",
        greedy[_i].hostaddr, g.port, folder(), greedy[_i].settings);
    client_await(c, &c->losses, 1);
    ck_assert_uint_eq(c->connects, 0);
    read_line(g.said, line);
    ck_assert_str_eq(line, greedy[_i].gets ? "password " SECRET : "nothing");
    ck_assert_ptr_null(strstr(c->lost, SECRET));
    (void)fclose(g.said);
}

TEST(the_password_of_a_file_or_a_credential_is_protected_as_well, .times = 2)
{
    struct greedy g = greedy_start("clear", false);
    char more[256] = "", line[LINE_MAX_CHARS];

    if (_i == 0) {
        file_put(in_folder("pgpass"), "*:*:*:*:" SECRET "\n");
        ck_assert_int_eq(chmod(in_folder("pgpass"), 0600), 0);
        (void)snprintf(more, sizeof more, "passfile=%s", in_folder("pgpass"));
    } else {
        file_put(in_folder(CONNINFO_CREDENTIAL), SECRET "\n");
        ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder(), 1), 0);
    }
    for (int anyhow = 0; anyhow < 2; anyhow++) {
        c->password = anyhow ? PASSWORD_ANYHOW : PASSWORD_PROTECTED;
        use("host=" ELSEWHERE " port=%d dbname=x user=tenure %s", g.port, more);
        client_await(c, &c->losses, 1);
        read_line(g.said, line);
        ck_assert_str_eq(line, anyhow ? "password " SECRET : "nothing");
        c = client_close(c);
        c = client_new();
    }
    (void)fclose(g.said);
}

/* It cannot know the password, and so is not believed. */
TEST(who_lets_everybody_in_is_not_believed)
{
    struct greedy g = greedy_start("open", true);

    use("host=" ELSEWHERE " port=%d dbname=x user=tenure sslmode=require password=" SECRET, g.port);
    client_await(c, &c->losses, 1);
    ASSERT_CONTAINS(c->lost, "lets the agent in without the password");
    (void)fclose(g.said);
}

/* ---- the server itself ---- */

/* One that wants passwords, by TLS or not. method: of pg_hba.conf. */
static void demand_password(struct server *s, const char *method)
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

#define AT(settings)                                                                               \
    use("host=" ELSEWHERE " port=%d dbname=postgres user=tenure password=" SECRET " " settings,    \
        s.port)

static const struct {
    const char *settings, *word, *notice;
    enum arbiter_password password;
    bool needs_require_auth;
} links[] = {
    {"sslmode=require", ", TLS, not verified", "TLS, not verified: any server that answers",
     PASSWORD_PROTECTED, false},
    {"sslmode=prefer", ", TLS, not verified", "sslmode=verify-full", PASSWORD_PROTECTED, true},
    {"sslmode=disable", ", not encrypted", "not encrypted: anyone in between", PASSWORD_PROTECTED,
     true},
    {"sslmode=disable", ", not encrypted, the password unprotected",
     "not encrypted: ", PASSWORD_ANYHOW, false},
    {"sslmode=require", ", TLS, not verified, the password unprotected",
     "an earlier version has applied this arbiter", PASSWORD_AS_BEFORE, false},
    {"sslmode=require channel_binding=require", ", TLS, not verified",
     "TLS, not verified: any server that answers", PASSWORD_AS_BEFORE, false},
};

TEST(who_answers_is_in_status_and_journal, EACH(links))
{
    struct server s;

    if (links[_i].needs_require_auth && PQlibVersion() < LIBPQ_WITH_REQUIRE_AUTH)
        return;
    demand_password(&s, "scram-sha-256");
    c->password = links[_i].password;
    use("host=" ELSEWHERE " port=%d dbname=postgres user=tenure password=" SECRET " %s", s.port,
        links[_i].settings);
    client_await(c, &c->connects, 1);
    size_t length = strlen(c->connected), tail = strlen(links[_i].word);
    ck_assert_uint_gt(length, tail);
    ck_assert_str_eq(c->connected + length - tail, links[_i].word);
    ASSERT_CONTAINS(c->notice, links[_i].notice);
    /* Once: not with every connection. */
    unsigned notices = c->notices;
    server_do(&s, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                  "'tenure'");
    client_await(c, &c->connects, 2);
    ck_assert_uint_eq(c->notices, notices);
    server_crash(&s);
}

TEST(of_a_server_that_is_verified_there_is_nothing_to_say, .times = 2)
{
    struct server s;

    demand_password(&s, "scram-sha-256");
    c->password = _i == 0 ? PASSWORD_ANYHOW : PASSWORD_AS_BEFORE;
    use("host=pg.test hostaddr=" ELSEWHERE " port=%d dbname=postgres user=tenure password=" SECRET
        " sslmode=verify-full sslrootcert=%s/server.crt",
        s.port, s.dir);
    client_await(c, &c->connects, 1);
    ck_assert_uint_eq(c->notices, 0);
    ck_assert_str_eq(c->connected + strlen(c->connected) - strlen(", TLS"), ", TLS");
    server_crash(&s);
}

TEST(of_this_host_there_is_nothing_to_say)
{
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure", shared.port);
    client_await(c, &c->connects, 1);
    ck_assert_uint_eq(c->notices, 0);
    ck_assert_ptr_null(strstr(c->connected, "encrypted"));
}

/* What was applied before goes on; what is applied from now on says what to do. */
TEST(a_server_that_wants_it_in_clear_text)
{
    struct server s;

    demand_password(&s, "password");
    AT("sslmode=require");
    client_await(c, &c->losses, 1);
    ASSERT_CONTAINS(c->lost, "the password was not sent");
    ASSERT_CONTAINS(c->lost, "scram-sha-256");
    c = client_close(c);
    c = client_new();
    c->password = PASSWORD_AS_BEFORE;
    AT("sslmode=require");
    client_await(c, &c->connects, 1);
    server_crash(&s);
}
