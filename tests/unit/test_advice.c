/* SPDX-License-Identifier: Apache-2.0 */

/* What a connection that does not come about is said to need. That libpq says these words is for
 * the contract tests, as far as a server can be made to bring them about. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arbiter/advice.h"
#include "arbiter/arbiter.h"
#include "arbiter/conninfo.h"
#include "arbiter/pg_error.h"
#include "support/file.h"
#include "support/folder.h"
#include "support/test.h"
#include "support/text.h"

#define SOME_UID 4711

TEST_CASE(advice, .set_up = folder_make);

/* libpq 15 and 17 word for word, as one_line() leaves it. left: what stays of it; NULL: all. */
static const struct {
    const char *text, *left, *advice;
} texts[] = {
    {"connection to server at \"10.77.0.2\", port 5432 failed: Connection refused Is the server "
     "running on that host and accepting TCP/IP connections?",
     "connection to server at \"10.77.0.2\", port 5432 failed: Connection refused",
     "listen_addresses"},
    {"connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: No such file or "
     "directory Is the server running locally and accepting connections on that socket?",
     "connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: No such file or "
     "directory",
     "unix_socket_directories"},
    {"connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: Connection refused "
     "Is the server running locally and accepting connections on that socket?",
     "connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: Connection refused",
     "unix_socket_directories"},
    {"connection to server at \"pg1\" (10.88.0.2), port 5432 failed: No route to host Is the "
     "server "
     "running on that host and accepting TCP/IP connections?",
     "connection to server at \"pg1\" (10.88.0.2), port 5432 failed: No route to host", "firewall"},
    {"root certificate file \"/nonexistent/.postgresql/root.crt\" does not exist Either provide "
     "the "
     "file or change sslmode to disable server certificate verification.",
     "root certificate file \"/nonexistent/.postgresql/root.crt\" does not exist", "sslrootcert="},
    {"SSL error: certificate verify failed", NULL, "sslrootcert="},
    {"server certificate for \"db.example\" does not match host name \"pg1\"", NULL, "host="},
    {"server does not support SSL, but SSL was required", NULL, "ssl = on"},
    {"SSL error: tlsv1 alert unknown ca", NULL, "ssl_ca_file"},
    {"SSL error: sslv3 alert certificate expired", NULL, "sslcert="},
    {"SSL error: tlsv13 alert certificate required", NULL, "sslcert= and sslkey="},
    {"private key file \"/etc/tenure/key\" has group or world access", NULL, "sslkey="},
    {"could not load private key file \"/etc/tenure/key\": ??", NULL, "mode 0600"},
    {"certificate present, but not private key file \"/etc/tenure/key\"", NULL, "sslkey="},
    {"could not read certificate file \"/etc/tenure/crt\": no start line", NULL, "sslcert="},
    {"channel binding required but not supported by server's authentication request", NULL,
     "the password was not sent"},
    {"channel binding is required, but server did not offer an authentication method that supports "
     "channel binding",
     NULL, "a pooler needs a word more"},
    {"channel binding required, but SSL not in use", NULL, "ssl = on"},
    {"channel binding required, but server authenticated client without channel binding", NULL,
     "instead of trust"},
    {"authentication method requirement \"scram-sha-256\" failed: server requested a cleartext "
     "password",
     NULL, "the password was not sent"},
    {"authentication method requirement \"scram-sha-256\" failed: server requested a hashed "
     "password",
     NULL, "password_encryption = 'scram-sha-256'"},
    {"authentication method requirement \"scram-sha-256\" failed: server did not complete "
     "authentication",
     NULL, "instead of trust"},
    {"FATAL: password authentication failed for user \"tenure\" password retrieved from file "
     "\"/etc/tenure/pgpass\"",
     NULL, "\\password ROLE"},
    {"FATAL: no pg_hba.conf entry for host \"10.88.0.3\", user \"tenure\", database \"tenure\", "
     "SSL "
     "encryption",
     NULL, "(hostssl tenure tenure ADDRESS/32 scram-sha-256), then run select pg_reload_conf()"},
    {"FATAL: no pg_hba.conf entry for host \"fd00::3\", user \"tenure\", database \"tenure\", "
     "SSL encryption",
     NULL, "(hostssl tenure tenure ADDRESS/128 scram-sha-256), then run select"},
    {"FATAL: no pg_hba.conf entry for host \"fd00::3\", user \"a:b\", database \"tenure\", no "
     "encryption",
     NULL, "(host tenure tenure ADDRESS/128 scram-sha-256; a hostssl line does not count"},
    {"FATAL: no pg_hba.conf entry for host \"10.88.0.3\", user \"a:b\", database \"tenure\", no "
     "encryption",
     NULL, "(host tenure tenure ADDRESS/32 scram-sha-256; a hostssl line does not count"},
    {"FATAL: no pg_hba.conf entry for host \"[local]\", user \"tenure\", database \"tenure\", no "
     "encryption",
     NULL, "add a line for this user and database to pg_hba.conf on the server (local tenure"},
    /* sslmode=prefer where only a hostssl line is there: the first failure counts. */
    {"connection to server at \"10.88.0.2\", port 5432 failed: FATAL: password authentication "
     "failed "
     "for user \"tenure\" connection to server at \"10.88.0.2\", port 5432 failed: FATAL: no "
     "pg_hba.conf entry for host \"10.88.0.3\", user \"tenure\", database \"tenure\", no "
     "encryption",
     NULL, "\\password ROLE"},
    {"connection to server at \"10.88.0.2\", port 5432 failed: FATAL: connection requires a valid "
     "client certificate connection to server at \"10.88.0.2\", port 5432 failed: FATAL: no "
     "pg_hba.conf entry for host \"10.88.0.3\", user \"tenure\", database \"tenure\", no "
     "encryption",
     NULL, NULL},
    {"connection to server at \"10.88.0.2\", port 5432 failed: FATAL: no pg_hba.conf entry for "
     "host "
     "\"10.88.0.3\", user \"tenure\", database \"tenure\", SSL encryption connection to server at "
     "\"10.88.0.2\", port 5432 failed: FATAL: no pg_hba.conf entry for host \"10.88.0.3\", user "
     "\"tenure\", database \"tenure\", no encryption",
     NULL, "(hostssl tenure tenure ADDRESS/32"},
    {"connection to server at \"10.88.0.2\", port 5432 failed: FATAL: no pg_hba.conf entry for "
     "host "
     "\"10.88.0.3\", user \"tenure\", database \"tenure\", no encryption",
     NULL, "(host tenure tenure ADDRESS/32"},
    {"FATAL: database \"nodb\" does not exist", NULL, "createdb"},
    {"FATAL: database \"tenure\" is not currently accepting connections", NULL,
     "allow_connections true"},
    {"FATAL: role \"tenur\" does not exist", NULL, "psql -d DATABASE\" makes the role tenure"},
    {"FATAL: role \"tenure\" is not permitted to log in", NULL, "alter role ROLE login"},
    {"FATAL: permission denied for database \"tenure\" DETAIL: User does not have CONNECT "
     "privilege.",
     NULL, "grant connect on database"},
    {"FATAL: the database system is starting up", NULL, NULL},
};

TEST(libpq_texts, .times = sizeof texts / sizeof *texts)
{
    char text[ARBITER_TEXT_MAX];

    (void)strcpy(text, texts[_i].text);
    const char *advice = advice_on(text);
    ck_assert_str_eq(text, texts[_i].left ? texts[_i].left : texts[_i].text);
    ck_assert_int_eq(advice != NULL, texts[_i].advice != NULL);
    if (advice)
        ASSERT_CONTAINS(advice, texts[_i].advice);
}

static void expect_of_password(const char *conninfo, const char *expected)
{
    char text[ARBITER_TEXT_MAX] = "";
    struct conninfo *c = NULL;

    ck_assert_int_eq(conninfo_new(conninfo, &c, text), 0);
    ASSERT_CONTAINS(advice_on_password(c, text, sizeof text), expected);
    (void)conninfo_free(c);
}

TEST(the_password_file_is_named, .root = true)
{
    char conninfo[256];

    expect_of_password("host=x", "passfile=/etc/tenure/pgpass in conninfo");
    (void)snprintf(conninfo, sizeof conninfo, "host=x passfile=%s", in_folder("pgpass"));
    expect_of_password(conninfo, "pgpass: there is no such file");
    folder_make_folder("pgpass");
    expect_of_password(conninfo, "is no plain file");
    ck_assert_int_eq(rmdir(in_folder("pgpass")), 0);
    folder_put("pgpass", "a:b:c:d:e\n");
    ck_assert_int_eq(chmod(in_folder("pgpass"), 0644), 0);
    expect_of_password(conninfo, "mode 0644) can be read by others");
    ck_assert_int_eq(chmod(in_folder("pgpass"), 0600), 0);
    expect_of_password(conninfo, "mode 0600) has no line for this host");

    ck_assert_int_eq(chmod(folder(), 0755), 0);
    ck_assert_int_eq(seteuid(SOME_UID), 0);
    expect_of_password(conninfo, "(owner root, mode 0600) cannot be read by user tenure: chown "
                                 "tenure");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chown(in_folder("pgpass"), SOME_UID + 1, 0), 0);
    ck_assert_int_eq(chmod(in_folder("pgpass"), 0640), 0);
    expect_of_password(conninfo, "(owner another user, mode 0640) can be read by others");
}

static const struct {
    const char *sqlstate, *function, *explained;
} states[] = {
    {"42501", "aclcheck_error", "grants are missing"},
    {"42501", "aclcheck_error_col", "grants are missing"},
    {"42501", "ExecWithCheckOptions", "row level security is on"},
    {"42501", "check_enable_rls", "alter table tenure.lease disable row level security"},
    {"42501", "somewhere_else", "the server denies this"},
    {"42501", NULL, "the server denies this"},
    {"42P01", "parserOpenTable", "the schema is missing or older"},
    {"20000", "exec_stmt_case", "the schema is older: run \"tenurectl schema | psql\""},
    {"28P01", NULL, "login refused"},
    {"XX000", NULL, NULL},
};

TEST(states_are_explained, .times = sizeof states / sizeof *states)
{
    const char *explained = pg_error_explain(states[_i].sqlstate, states[_i].function);

    ck_assert_int_eq(explained != NULL, states[_i].explained != NULL);
    if (explained)
        ASSERT_CONTAINS(explained, states[_i].explained);
}

static const struct {
    const char *raw, *sqlstate, *text;
} logins[] = {
    {"connection to server at \"::1\", port 5432 failed: FATAL:  53300: too many connections for "
     "role "
     "\"tenure\"\nLOCATION:  InitializeSessionUserId, miscinit.c:798\n",
     "53300",
     "connection to server at \"::1\", port 5432 failed: FATAL: too many connections for role "
     "\"tenure\""},
    {"connection to server at \"::1\", port 5432 failed: FATAL:  28P01: password authentication "
     "failed "
     "for user \"a\"\nLOCATION:  auth_failed, auth.c:339\nconnection to server at \"::1\", port "
     "5432 "
     "failed: FATAL:  28000: no pg_hba.conf entry\nDETAIL:  more\n",
     "28000",
     "connection to server at \"::1\", port 5432 failed: FATAL: password authentication failed for "
     "user \"a\" connection to server at \"::1\", port 5432 failed: FATAL: no pg_hba.conf entry "
     "DETAIL: more"},
    {"connection to server at \"::1\", port 5432 failed: Connection refused\n\tIs the server "
     "running?\n",
     "",
     "connection to server at \"::1\", port 5432 failed: Connection refused Is the server "
     "running?"},
    {"FATAL:  53300", "", "FATAL: 53300"},
    {"", "", ""},
};

TEST(the_state_of_a_login_is_no_part_of_its_text, EACH(logins))
{
    char sqlstate[PG_SQLSTATE_MAX], text[ARBITER_TEXT_MAX], longest[8 * ARBITER_TEXT_MAX];

    ck_assert_str_eq(pg_login_error(logins[_i].raw, sqlstate, text, sizeof text), logins[_i].text);
    ck_assert_str_eq(sqlstate, logins[_i].sqlstate);
    (void)memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    (void)memcpy(longest, "FATAL:  53300: ", strlen("FATAL:  53300: "));
    ck_assert_uint_eq(strlen(pg_login_error(longest, sqlstate, text, sizeof text)),
                      sizeof text - 1);
    ck_assert_str_eq(sqlstate, "53300");
}
