/* SPDX-License-Identifier: Apache-2.0 */

/* Who gets the password: by what a connection string says, and by what libpq knows. */

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "arbiter/conninfo.h"
#include "arbiter/login.h"
#include "support/test.h"
#include "support/text.h"

#define LIBPQ_WITH_REQUIRE_AUTH 160000

static void without_credential(void)
{
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    (void)unsetenv("PGPASSWORD");
    (void)unsetenv("PGPASSFILE");
}

TEST_CASE(login, .set_up = without_credential);

static const struct {
    const char *sslmode, *require_auth, *channel_binding;
    enum login_protection of_15, of_16;
} rules[] = {
    /* nothing said */
    {NULL, NULL, NULL, LOGIN_EXPOSED, LOGIN_SCRAM},
    {"disable", NULL, NULL, LOGIN_EXPOSED, LOGIN_SCRAM},
    {"allow", NULL, NULL, LOGIN_EXPOSED, LOGIN_SCRAM},
    {"prefer", NULL, NULL, LOGIN_EXPOSED, LOGIN_SCRAM},
    {"require", NULL, NULL, LOGIN_BINDING, LOGIN_BINDING},
    {"verify-ca", NULL, NULL, LOGIN_BINDING, LOGIN_BINDING},
    {"verify-full", NULL, NULL, LOGIN_BINDING, LOGIN_BINDING},
    /* enough said */
    {NULL, NULL, "require", LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {"disable", "scram-sha-256", NULL, LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {NULL, "scram-sha-256,md5", "prefer", LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {NULL, "none", NULL, LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {NULL, "!password", NULL, LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {NULL, "!md5,!password", NULL, LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {NULL, "password", "require", LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    /* the opposite said */
    {"require", NULL, "prefer", LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"require", NULL, "disable", LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"verify-ca", "password", NULL, LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"require", "scram-sha-256,password", NULL, LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"require", "!md5", NULL, LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"require", "!passwords", NULL, LOGIN_EXPOSED, LOGIN_EXPOSED},
    {"require", "!md5,!", "prefer", LOGIN_EXPOSED, LOGIN_EXPOSED},
    /* to whom it is meant */
    {"verify-full", NULL, "prefer", LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
    {"verify-full", "password", NULL, LOGIN_AS_WRITTEN, LOGIN_AS_WRITTEN},
};

TEST(what_is_said_and_what_is_added, EACH(rules))
{
    struct login_settings s = {.sslmode = rules[_i].sslmode,
                               .require_auth = rules[_i].require_auth,
                               .channel_binding = rules[_i].channel_binding};

    ck_assert_int_eq(login_protection(&s), rules[_i].of_15);
    s.knows_require_auth = true;
    ck_assert_int_eq(login_protection(&s), rules[_i].of_16);
}

static struct conninfo *parse(const char *text, enum arbiter_password password)
{
    char error[ARBITER_TEXT_MAX];
    struct conninfo *c = NULL;

    ck_assert_msg(conninfo_new(text, &c, error) == 0, "%s: %s", text, error);
    c->password = password;
    return c;
}

enum refused {
    NEVER,
    BEFORE_16, /* this libpq has nothing else */
    ALWAYS,
};

#define SECRET "password=geheim"

static const struct {
    const char *conninfo;
    enum refused refused;
} strings[] = {
    /* nothing leaves this host */
    {SECRET, NEVER},
    {"host=/run/postgresql " SECRET, NEVER},
    {"host=@abstract " SECRET, NEVER},
    {"host=127.0.0.1 " SECRET, NEVER},
    {"host=::1 " SECRET, NEVER},
    {"host=localhost " SECRET, NEVER},
    {"host=pg.localhost sslmode=disable " SECRET, NEVER},
    {"host=pg1 hostaddr=127.0.0.7 " SECRET, NEVER},
    /* no password */
    {"host=pg1", NEVER},
    {"host=pg1 sslcert=/c sslkey=/k", NEVER},
    /* it is protected */
    {"host=pg1 sslmode=verify-full " SECRET, NEVER},
    {"host=pg1 sslmode=require passfile=/p", NEVER},
    {"postgresql://tenure:geheim@pg1/tenure?sslmode=require", NEVER},
    {"host=pg1 channel_binding=require " SECRET, NEVER},
    /* it is not */
    {"host=pg1 " SECRET, BEFORE_16},
    {"host=pg1 passfile=/p sslmode=prefer", BEFORE_16},
    {"host=10.0.0.1 sslmode=disable " SECRET, BEFORE_16},
    {"host=fe80::1%eth0 " SECRET, BEFORE_16},
    {"host=localhost,pg1 " SECRET, BEFORE_16},
    {"host=/run/postgresql hostaddr=10.0.0.1 " SECRET, BEFORE_16},
    {"host=notlocalhost " SECRET, BEFORE_16},
    {"postgresql://tenure:geheim@pg1/tenure", BEFORE_16},
    {"host=pg1 sslmode=require channel_binding=prefer " SECRET, ALWAYS},
    {"host=10.0.0.1 sslmode=verify-ca channel_binding=disable passfile=/p", ALWAYS},
};

TEST(strings_that_are_refused, EACH(strings))
{
    struct conninfo *c = parse(strings[_i].conninfo, PASSWORD_PROTECTED);
    bool old = PQlibVersion() < LIBPQ_WITH_REQUIRE_AUTH;

    ck_assert_int_eq(conninfo_exposes(c),
                     strings[_i].refused == ALWAYS || (strings[_i].refused == BEFORE_16 && old));
    (void)conninfo_free(c);
}

static const char *handed(const struct conninfo_parameters *p, const char *keyword)
{
    const char *value = NULL;

    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->keywords[i], keyword) == 0)
            value = p->values[i];
    return value;
}

/* What libpq gets. Of PASSWORD_PROTECTED; otherwise it is what is written. */
static const struct {
    const char *conninfo, *binding, *method_of_16, *written;
} added[] = {
    {"host=10.0.0.1 sslmode=require " SECRET, "require", NULL, NULL},
    {"host=10.0.0.1 sslmode=verify-full " SECRET, "require", NULL, NULL},
    {"host=10.0.0.1 sslmode=require passfile=/p", "require", NULL, NULL},
    {"host=10.0.0.1 " SECRET, NULL, "scram-sha-256", NULL},
    {"host=10.0.0.1 sslmode=require", NULL, NULL, NULL},
    {"host=127.0.0.1 sslmode=require " SECRET, NULL, NULL, NULL},
    {"host=/run/postgresql " SECRET, NULL, NULL, NULL},
    {"host=10.0.0.1 sslmode=verify-full channel_binding=prefer " SECRET, "prefer", NULL, "prefer"},
    /* It is refused before. */
    {"host=10.0.0.1 sslmode=require channel_binding=prefer " SECRET, "require", NULL, "prefer"},
};

static void expect_same(const char *is, const char *wanted)
{
    ck_assert_int_eq(is != NULL, wanted != NULL);
    if (is)
        ck_assert_str_eq(is, wanted);
}

TEST(what_libpq_gets, EACH(added))
{
    bool old = PQlibVersion() < LIBPQ_WITH_REQUIRE_AUTH;
    struct conninfo_parameters p;
    struct conninfo *c = parse(added[_i].conninfo, PASSWORD_PROTECTED);

    conninfo_parameters(c, &c->hosts[0], NULL, &p);
    /* Without anything better: then nobody is let in without TLS. */
    expect_same(handed(&p, "channel_binding"),
                old && added[_i].method_of_16 ? "require" : added[_i].binding);
    expect_same(handed(&p, "require_auth"), old ? NULL : added[_i].method_of_16);
    c->password = PASSWORD_ANYHOW;
    conninfo_parameters(c, &c->hosts[0], NULL, &p);
    expect_same(handed(&p, "channel_binding"), added[_i].written);
    expect_same(handed(&p, "require_auth"), NULL);
    (void)conninfo_free(c);
}

/* Where nothing is added, all is exposed but what is written out, or what a server gets that is
 * verified. */
TEST(as_before_what_is_written_counts_alone)
{
    static const struct {
        const char *conninfo;
        bool exposes;
    } of[] = {
        {"host=pg1 sslmode=verify-ca " SECRET, true},
        {"host=pg1 sslmode=require " SECRET, true},
        {"host=pg1 " SECRET, true},
        /* to whom it is meant */
        {"host=pg1 sslmode=verify-full " SECRET, false},
        {"host=pg1 sslmode=require channel_binding=require " SECRET, false},
        {"host=pg1", false},
        {"host=127.0.0.1 " SECRET, false},
    };

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct conninfo *c = parse(of[i].conninfo, PASSWORD_AS_BEFORE);

        ck_assert_int_eq(conninfo_exposes(c), of[i].exposes);
        ck_assert_int_eq(conninfo_unprotected(c, &c->hosts[0], NULL), of[i].exposes);
        c->password = PASSWORD_PROTECTED;
        ck_assert(!conninfo_unprotected(c, &c->hosts[0], NULL));
        (void)conninfo_free(c);
    }
}

/* When it is known, what a name resolves to counts: "localhost" may be a lie, and another name this
 * host. */
TEST(the_address_counts)
{
    struct conninfo *c = parse("host=localhost,pg1 " SECRET, PASSWORD_ANYHOW);

    ck_assert(conninfo_unprotected(c, &c->hosts[0], "10.0.0.1"));
    ck_assert(!conninfo_unprotected(c, &c->hosts[0], "127.0.0.1"));
    ck_assert(conninfo_unprotected(c, &c->hosts[1], "10.0.0.1"));
    ck_assert(!conninfo_unprotected(c, &c->hosts[1], "::1"));
    (void)conninfo_free(c);
}

/* Of such a string nothing is written down, so it counts for as much as if it were. */
TEST(a_localhost_that_leads_elsewhere_is_protected_as_before_too)
{
    struct conninfo *c = parse("host=localhost sslmode=require " SECRET, PASSWORD_AS_BEFORE);

    ck_assert(!conninfo_may_need_protection(c));
    ck_assert(!conninfo_unprotected(c, &c->hosts[0], "10.0.0.1"));
    (void)conninfo_free(c);
    c = parse("host=localhost,pg1 sslmode=require " SECRET, PASSWORD_AS_BEFORE);
    ck_assert(conninfo_may_need_protection(c));
    ck_assert(conninfo_unprotected(c, &c->hosts[0], "10.0.0.1"));
    (void)conninfo_free(c);
}

/* Its file could name hosts, a password and anything else that is judged here by the string. */
TEST(no_service_of_the_environment)
{
    char error[ARBITER_TEXT_MAX] = "";
    struct conninfo *c = NULL;

    ck_assert_int_eq(setenv("PGSERVICE", "geheim", 1), 0);
    ck_assert_int_eq(conninfo_new("dbname=tenure", &c, error), -EINVAL);
    ck_assert_ptr_null(c);
    ASSERT_CONTAINS(error, "PGSERVICE is set in the environment");
    ck_assert_ptr_null(strstr(error, "geheim"));
    ck_assert_int_eq(unsetenv("PGSERVICE"), 0);
    (void)conninfo_free(parse("dbname=tenure", PASSWORD_PROTECTED));
}
