/* SPDX-License-Identifier: Apache-2.0 */
/* Getting a connection: names, hosts, refusals, and what is reported. */
#include "postgresql.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arbiter/connection.h"
#include "arbiter/conninfo.h"
#include "base/clock.h"

/* ---- a name service of ours ---- */

#define HANG_SECONDS 100

static atomic_int asked_in_loop, asked_beside, hanging;
static atomic_bool all_hang;

/* The program's own getaddrinfo() comes before libc's, for libpq also. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
                struct addrinfo **pai)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && strstr(name, ".test")) {
        (void)atomic_fetch_add(gettid() == getpid() ? &asked_in_loop : &asked_beside, 1);
        if (strncmp(name, "hang", 4) == 0 || atomic_load(&all_hang)) {
            (void)atomic_fetch_add(&hanging, 1);
            (void)sleep(HANG_SECONDS);
        }
        if (strncmp(name, "bogus", 5) == 0) {
            (void)usleep(500000);
            return EAI_NONAME;
        }
        name = "127.0.0.1";
    }
    return real(name, service, req, pai);
}

static struct client *c;

static void open_client(void)
{
    c = client_new();
}

static void close_client(void)
{
    c = client_close(c);
}

#define use(...) client_use(c, false, CLIENT_OWNER_A, __VA_ARGS__)

static void loop_never_stopped(void)
{
    ck_assert_uint_lt(c->longest_gap, 150 * USEC_PER_MSEC);
    ck_assert_int_eq(atomic_load(&asked_in_loop), 0);
}

TEST_CASE(connecting, .set_up = open_client, .tear_down = close_client, .time_limit = 60);

TEST(a_name_is_resolved_beside_the_loop)
{
    use("host=pg.test port=%d dbname=postgres user=tenure", shared.port);
    client_await(c, &c->connects, 1);
    ck_assert_ptr_nonnull(strstr(c->connected, "pg.test"));
    ck_assert_ptr_nonnull(strstr(c->connected, "(127.0.0.1)"));
    ck_assert_int_eq(atomic_load(&asked_beside), 1);
    loop_never_stopped();
}

TEST(a_bogus_name_does_not_stop_the_loop)
{
    use("host=bogus.test port=%d dbname=postgres user=tenure", shared.port);
    client_await(c, &c->losses, 2);
    ck_assert_ptr_nonnull(strstr(c->lost, "bogus.test"));
    ck_assert_ptr_nonnull(strstr(c->lost, "cannot be resolved"));
    loop_never_stopped();
}

TEST(a_hanging_resolver_is_asked_once)
{
    usec_t begin = clock_boottime();

    use("host=hang.test,127.0.0.1 port=%d dbname=postgres user=tenure", shared.port);
    client_await(c, &c->connects, 1);
    usec_t took = clock_boottime() - begin;
    ck_assert_uint_ge(took, CONNECTION_RESOLVE_LIMIT_USEC);
    ck_assert_uint_lt(took, CONNECTION_RESOLVE_LIMIT_USEC + USEC_PER_SEC);
    /* The next time the other host comes first, or the hanging question is waited for; never a
     * second thread. */
    for (unsigned i = 1; i <= 2; i++) {
        server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                           "'tenure'");
        client_await(c, &c->losses, i);
        client_await(c, &c->connects, i + 1);
    }
    ck_assert_int_eq(atomic_load(&hanging), 1);
    loop_never_stopped();
}

TEST(a_known_address_outlives_the_name_service)
{
    use("host=pg.test port=%d dbname=postgres user=tenure", shared.port);
    client_await(c, &c->connects, 1);
    atomic_store(&all_hang, true);
    server_do(&shared, "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
                       "'tenure'");
    client_await(c, &c->connects, 2);
    loop_never_stopped();
}

/* ---- several hosts ---- */

TEST(a_mute_host_costs_one_time_limit)
{
    int fd, port = mute_port(&fd);
    usec_t begin = clock_boottime();

    use("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=tenure", port, shared.port);
    client_await(c, &c->connects, 1);
    usec_t took = clock_boottime() - begin;
    ck_assert_uint_ge(took, CONNECTION_CONNECT_LIMIT_USEC);
    ck_assert_uint_lt(took, CONNECTION_CONNECT_LIMIT_USEC + USEC_PER_SEC);
    ck_assert_uint_eq(c->losses, 0); /* it did connect, at the second host */
    loop_never_stopped();
    (void)close(fd);
}

TEST(connect_timeout_is_kept)
{
    int fd, port = mute_port(&fd);
    usec_t begin = clock_boottime();

    use("host=127.0.0.1 port=%d dbname=postgres user=tenure connect_timeout=1", port);
    client_await(c, &c->losses, 1);
    usec_t took = clock_boottime() - begin;
    ck_assert_uint_ge(took, USEC_PER_SEC);
    ck_assert_uint_lt(took, USEC_PER_SEC + 300 * USEC_PER_MSEC);
    (void)close(fd);
}

TEST(a_dead_server_is_asked_with_backoff)
{
    int fd, port = mute_port(&fd);

    (void)close(fd);
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure", port);
    client_turn(c, 3 * USEC_PER_SEC);
    /* 0, then after 50-100, 100-200, 200-400 … ms. */
    ck_assert_uint_ge(c->losses, 5);
    ck_assert_uint_le(c->losses, 7);
    ck_assert_uint_eq(c->connects, 0);
}

TEST(a_read_only_host_is_passed_over)
{
    struct server s;

    server_make(&s, false);
    server_configure(&s, "default_transaction_read_only = on");
    server_start(&s);
    use("host=127.0.0.1,127.0.0.1 port=%d,%d dbname=postgres user=tenure", s.port, shared.port);
    client_await(c, &c->connects, 1);
    ck_assert_uint_eq(c->losses, 0);
    server_crash(&s);
}

/* ---- TLS ---- */

#define TLS_GROUPS 1000

TEST(a_certificate_is_checked_by_name)
{
    static struct request requests[TLS_GROUPS];
    static char groups[TLS_GROUPS][GROUP_NAME_MAX + 1];
    char certificate[SERVER_PATH_MAX + 32];
    struct server s;

    server_make(&s, false);
    server_certify(&s, certificate);
    server_start(&s);
    use("host=pg.test port=%d dbname=postgres user=tenure sslmode=verify-full sslrootcert=%s",
        s.port, certificate);
    client_await(c, &c->connects, 1);
    ck_assert_ptr_nonnull(strstr(c->connected, "TLS"));

    /* Many records of TLS in one answer. */
    for (size_t i = 0; i < TLS_GROUPS; i++) {
        (void)snprintf(groups[i], sizeof groups[i], "%s", group_new());
        requests[i] = observe_of(groups[i]);
    }
    client_send(c, requests, TLS_GROUPS, CLIENT_LIMIT);
    client_await(c, &c->answers, 1);
    for (size_t i = 0; i < TLS_GROUPS; i++)
        ck_assert_int_eq(c->replies[i].outcome, OUTCOME_GRANTED);
    loop_never_stopped();

    c = client_close(c);
    c = client_new();
    use("host=wrong.test port=%d dbname=postgres user=tenure sslmode=verify-full sslrootcert=%s",
        s.port, certificate);
    client_await(c, &c->losses, 1);
    ck_assert_ptr_nonnull(strstr(c->lost, "certificate"));
    ck_assert_uint_eq(c->connects, 0);
    server_crash(&s);
}

TEST(the_local_socket_works)
{
    use("host=%s port=%d dbname=postgres user=tenure", shared.dir, shared.port);
    client_await(c, &c->connects, 1);
    struct request request = observe_of(group_new());
    ck_assert_int_eq(client_ask(c, &request).outcome, OUTCOME_GRANTED);
}

/* ---- what is reported ---- */

static void is_reported(const char *text)
{
    client_await(c, &c->losses, 1);
    ck_assert_uint_eq(c->connects, 0);
    ck_assert_msg(strstr(c->lost, text) != NULL, "\"%s\" lacks \"%s\"", c->lost, text);
    ck_assert_msg(!strstr(c->lost, "geheim"), "%s", c->lost);
}

TEST(a_missing_schema_is_named)
{
    server_do(&shared, "create database empty template template0");
    use("host=127.0.0.1 port=%d dbname=empty user=tenure", shared.port);
    is_reported("tenurectl schema");
    ck_assert_ptr_nonnull(strstr(c->lost, "missing"));
}

TEST(a_role_without_grants_is_named)
{
    server_do(&shared, "create role stranger login");
    use("host=127.0.0.1 port=%d dbname=postgres user=stranger", shared.port);
    is_reported("permission denied");
}

TEST(a_refused_login_shows_no_password)
{
    struct server s;
    char path[SERVER_PATH_MAX + 32];

    server_make(&s, false);
    (void)snprintf(path, sizeof path, "%s/pg_hba.conf", s.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n", f);
    ck_assert_int_eq(fclose(f), 0);
    server_start(&s);
    server_do(&s, "alter role tenure password 'right'");
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure password=geheim", s.port);
    is_reported("password authentication failed");
    c = client_close(c);
    c = client_new();
    use("postgresql://tenure:right@127.0.0.1:%d/postgres", s.port);
    client_await(c, &c->connects, 1);
    server_crash(&s);
}

TEST(the_password_may_be_a_credential)
{
    char path[SERVER_PATH_MAX + 32];
    struct server s;

    server_make(&s, false);
    (void)snprintf(path, sizeof path, "%s/pg_hba.conf", s.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n", f);
    ck_assert_int_eq(fclose(f), 0);
    (void)snprintf(path, sizeof path, "%s/password", s.dir);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs("right \303\244\n", f);
    ck_assert_int_eq(fclose(f), 0);
    server_start(&s);
    server_do(&s, "alter role tenure password 'right \303\244'");

    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", s.dir, 1), 0);
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure", s.port);
    client_await(c, &c->connects, 1);
    c = client_close(c);
    c = client_new();
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure password=geheim", s.port);
    is_reported("password authentication failed"); /* what the string says counts more */
    ck_assert_int_eq(unlink(path), 0);
    c = client_close(c);
    c = client_new();
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure", s.port);
    is_reported("no password supplied: name a file that has it");
    c = client_close(c);
    c = client_new();
    (void)snprintf(path, sizeof path, "%s/pgpass", s.dir);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)fputs("other:*:*:*:right\n", f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure passfile=%s", s.port, path);
    is_reported("mode 0644) can be read by others");
    ck_assert_int_eq(chmod(path, 0600), 0);
    c = client_close(c);
    c = client_new();
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure passfile=%s", s.port, path);
    is_reported("has no line for this host, port, database and user");
    server_crash(&s);
}

TEST(no_connection_free_is_named)
{
    server_do(&shared, "create role crowded login connection limit 0");
    use("host=127.0.0.1 port=%d dbname=postgres user=crowded", shared.port);
    is_reported("too many connections");
}

TEST(an_unreachable_host_is_named)
{
    int fd, port = mute_port(&fd);
    char text[64];

    (void)close(fd);
    use("host=127.0.0.1 port=%d dbname=postgres user=tenure password=geheim", port);
    (void)snprintf(text, sizeof text, "%d", port);
    is_reported("127.0.0.1");
    is_reported(text);
}

TEST(a_bad_conninfo_is_refused_without_being_shown)
{
    static const struct {
        const char *conninfo, *text;
    } bad[] = {
        {"password=x geheim", "keyword=value"},
        {"password=geheim nonsense=1", "keyword=value"},
        {"postgresql://a:geheim@[::1/x", "keyword=value"},
        {"service=geheim", "service"},
        {"host=a,b port=1,2,3 password=geheim", "one length"},
        {"host=a,b hostaddr=127.0.0.1 password=geheim", "one length"},
        {"host=a connect_timeout=soon password=geheim", "connect_timeout"},
        {"host=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 password=geheim", "at most"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char error[ARBITER_TEXT_MAX] = "";
        struct arbiter *arbiter = NULL;

        ck_assert_int_eq(arbiter_postgresql_new(c->event, bad[i].conninfo, PASSWORD_PROTECTED,
                                                false, CLIENT_OWNER_A, &client_handler, c, &arbiter,
                                                error),
                         -EINVAL);
        ck_assert_ptr_null(arbiter);
        ck_assert_msg(strstr(error, bad[i].text) != NULL, "%s", error);
        ck_assert_ptr_null(strstr(error, "geheim"));
    }
}

TEST(hosts_are_taken_apart_as_libpq_does)
{
    struct conninfo *info;
    char error[ARBITER_TEXT_MAX];

    ck_assert_int_eq(
        conninfo_new("host=pg1,/run/x,10.0.0.1,fe80::1%eth0,pg2 hostaddr=,,,,10.0.0.9 port=7",
                     &info, error),
        0);
    ck_assert_uint_eq(info->n_hosts, 5);
    static const bool by_name[] = {true, false, false, false, false};
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(info->hosts[i].by_name, by_name[i]);
        ck_assert_str_eq(info->hosts[i].port, "7");
    }
    ck_assert_str_eq(info->hosts[4].name, "pg2");
    ck_assert_str_eq(info->hosts[4].hostaddr, "10.0.0.9");
    info = conninfo_free(info);

    ck_assert_int_eq(conninfo_new("postgresql://u@pg1:1,pg2:2/db?connect_timeout=2", &info, error),
                     0);
    ck_assert_uint_eq(info->n_hosts, 2);
    ck_assert_str_eq(info->hosts[1].name, "pg2");
    ck_assert_str_eq(info->hosts[1].port, "2");
    ck_assert_uint_eq(info->connect_limit, 2 * USEC_PER_SEC);
    info = conninfo_free(info);

    ck_assert_int_eq(conninfo_new("dbname=x", &info, error), 0);
    ck_assert_uint_eq(info->n_hosts, 1);
    ck_assert(!info->hosts[0].by_name);
    info = conninfo_free(info);
}
