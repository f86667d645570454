/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/advice.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arbiter/conninfo.h"
#include "base/names.h"

#define OWNER_NAME_MAX 32

#define HBA_LINE(type, bits, more)                                                                 \
    "add a line for this host, user and database to pg_hba.conf on the server (" type              \
    " tenure tenure ADDRESS/" bits " scram-sha-256" more                                           \
    "), then run select pg_reload_conf() there"
#define HBA_NO_TLS                                                                                 \
    "; a hostssl line does not count, because the connection is not encrypted: see sslmode= in "   \
    "conninfo"

static const char advice_on_method[] =
    "the password was not sent: the server, or who poses as it, wants it in another way than "
    "SCRAM. "
    "In pg_hba.conf write scram-sha-256, set the role's password again with "
    "password_encryption = 'scram-sha-256'; a pooler needs a word more, see tenure.conf(5), Who "
    "answers";
static const char advice_on_none[] =
    "the server, or who poses as it, lets the agent in without the password, and so has not shown "
    "that it knows it. In pg_hba.conf write scram-sha-256 instead of trust; or, where a "
    "certificate is what the agent logs in by, take passfile= out of conninfo";

static const char no_hba_entry[] = "no pg_hba.conf entry for host \"";

/* The first that fits counts. cut: where libpq's own advice begins. */
static const struct {
    const char *fragment, *cut, *advice;
} known[] = {
    /* Before what it says of a socket that has no listener any more. */
    {"Is the server running locally", " Is the server running locally",
     "is PostgreSQL started here, and is this directory in its unix_socket_directories?"},
    {"Connection refused", " Is the server running on that host",
     "is PostgreSQL started there, and is this address in its listen_addresses (localhost alone "
     "unless set)?"},
    {"No route to host", " Is the server running on that host",
     "is the address right, and no firewall in between?"},
    {"Connection timed out", " Is the server running on that host",
     "is the address right, and no firewall in between?"},
    {"root certificate file", " Either provide the file",
     "sslrootcert= in conninfo must name the certificate of who signed the server's, in a file "
     "that user " TENURE_USER " can read"},
    {"certificate verify failed", NULL,
     "the server's certificate has expired, or is not signed by what sslrootcert= names"},
    {"does not match host name", NULL,
     "host= in conninfo must be a name that the server's certificate has"},
    {"server does not support SSL", NULL,
     "set ssl = on in its postgresql.conf, with a certificate; sslmode= in conninfo demands it"},
    {"alert unknown ca", NULL, "the server does not know who signed sslcert=: see its ssl_ca_file"},
    {"alert certificate expired", NULL, "the certificate that sslcert= names has expired"},
    {"alert certificate required", NULL,
     "the server wants a certificate of the client: sslcert= and sslkey= in conninfo"},
    {"password authentication failed for user", NULL,
     "is user= in conninfo a role of that server, and is this its password? To set it, run "
     "\\password ROLE in psql there"},
    {"is not currently accepting connections", NULL,
     "run alter database NAME allow_connections true there, as a superuser"},
    {"is not permitted to log in", NULL, "run alter role ROLE login there, as a superuser"},
    {"permission denied for database", NULL,
     "run grant connect on database NAME to ROLE there, as the database's owner"},
    {"FATAL: role \"", NULL,
     "is user= in conninfo right? \"tenurectl schema | psql -d DATABASE\" makes the role tenure"},
    {"FATAL: database \"", NULL,
     "does dbname= in conninfo name the right one? createdb makes it, then run \"tenurectl schema "
     "| "
     "psql\" in it as its owner"},
    /* What keeps a password from any server that answers: see login.h. */
    {"channel binding required but not supported by server", NULL, advice_on_method},
    {"did not offer an authentication method that supports", NULL, advice_on_method},
    {"channel binding required, but SSL not in use", NULL,
     "set ssl = on in its postgresql.conf, and write sslmode=verify-full and sslrootcert= into "
     "conninfo; the password is not sent without TLS"},
    {"server requested a cleartext password", NULL, advice_on_method},
    {"server requested a hashed password", NULL, advice_on_method},
    {"channel binding required, but server authenticated", NULL, advice_on_none},
    {"server did not complete authentication", NULL, advice_on_none},
    {"private key file", NULL,
     "sslkey= in conninfo must name the key of sslcert=, owner " TENURE_USER ", mode 0600"},
    {"certificate file", NULL,
     "sslcert= in conninfo must name a certificate that user " TENURE_USER " can read"},
};

/* libpq tried in another way before, with TLS say, and that failed for another reason. */
static bool failed_before(const char *text, const char *entry)
{
    static const char failed[] = " failed: ", severity[] = "FATAL: ";
    const char *first = strstr(text, failed);

    first = first && first < entry ? first + strlen(failed) : text;
    return entry - first > (ptrdiff_t)strlen(severity);
}

/* The server says what line it has looked for in vain: of what host, and whether the connection is
 * encrypted. With sslmode=prefer libpq tries both; then a line for the second alone would open the
 * server to connections that are not encrypted, and leave the first failure as it is. */
static const char *advice_on_hba(const char *text)
{
    static const char *const lines[2][2] = {
        {HBA_LINE("host", "32", HBA_NO_TLS), HBA_LINE("host", "128", HBA_NO_TLS)},
        {HBA_LINE("hostssl", "32", ""), HBA_LINE("hostssl", "128", "")},
    };
    const char *entry = strstr(text, no_hba_entry);

    if (!entry)
        return NULL;
    const char *host = entry + strlen(no_hba_entry), *end = strchr(host, '"');
    bool encrypted = strstr(host, "SSL encryption") != NULL;
    if (!encrypted && failed_before(text, entry))
        return NULL;
    if (strncmp(host, "[local]", strlen("[local]")) == 0)
        return "add a line for this user and database to pg_hba.conf on the server (local tenure "
               "tenure peer, or scram-sha-256 instead of peer), then run select pg_reload_conf() "
               "there";
    return lines[encrypted][end && memchr(host, ':', (size_t)(end - host)) != NULL];
}

const char *advice_on(char *text)
{
    assert(text);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!strstr(text, known[i].fragment))
            continue;
        char *own = known[i].cut ? strstr(text, known[i].cut) : NULL;
        if (own)
            *own = '\0';
        return known[i].advice;
    }
    return advice_on_hba(text);
}

/* No name service is asked: it may hang. The agent sees all other users as nobody (PrivateUsers=).
 */
static const char *owner_of(const struct stat *st, char ret[static OWNER_NAME_MAX])
{
    if (st->st_uid == geteuid())
        (void)snprintf(ret, OWNER_NAME_MAX, "%s", TENURE_USER);
    else if (st->st_uid == 0)
        (void)snprintf(ret, OWNER_NAME_MAX, "root");
    else
        (void)snprintf(ret, OWNER_NAME_MAX, "another user");
    return ret;
}

/* Who has what rights for a file that libpq takes for a secret. */
static mode_t forbidden(const char *keyword, const struct stat *st)
{
    if (strcmp(keyword, "passfile") == 0 || (strcmp(keyword, "sslkey") == 0 && st->st_uid != 0))
        return S_IRWXG | S_IRWXO;
    return strcmp(keyword, "sslkey") == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : 0;
}

/* In libpq's order. */
bool advice_on_file(const char *keyword, const char *path, char *ret, size_t size)
{
    assert(keyword);
    assert(path);
    assert(ret);

    char owner[OWNER_NAME_MAX];
    struct stat st;

    if (stat(path, &st) < 0) {
        (void)snprintf(ret, size, "%s=%s: %s", keyword, path,
                       errno == ENOENT ? "there is no such file" : strerror(errno));
        return false;
    }
    unsigned mode = st.st_mode & 07777;
    mode_t others = forbidden(keyword, &st);
    const char *right = others ? "chmod 0600" : "chmod a+r";
    (void)owner_of(&st, owner);
    if (!S_ISREG(st.st_mode))
        (void)snprintf(ret, size, "%s=%s is no plain file, so libpq does not use it", keyword,
                       path);
    else if (st.st_mode & others)
        (void)snprintf(ret, size,
                       "%s=%s (owner %s, mode %04o) can be read by others, so libpq does not "
                       "use it: chown " TENURE_USER " and chmod 0600",
                       keyword, path, owner, mode);
    else if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
        (void)snprintf(
            ret, size, "%s=%s (owner %s, mode %04o) cannot be read by user " TENURE_USER ": %s%s",
            keyword, path, owner, mode, others ? "chown " TENURE_USER " and " : "", right);
    else
        return true;
    return false;
}

/* libpq did not take a password from it. */
static void judge_password_file(const char *path, char *ret, size_t size)
{
    char owner[OWNER_NAME_MAX];
    struct stat st;

    if (advice_on_file("passfile", path, ret, size) && stat(path, &st) == 0)
        (void)snprintf(ret, size,
                       "passfile=%s (owner %s, mode %04o) has no line for this host, port, "
                       "database and user",
                       path, owner_of(&st, owner), st.st_mode & 07777);
}

const char *advice_on_password(const struct conninfo *c, char *ret, size_t size)
{
    assert(c);
    assert(ret);

    const char *path = conninfo_option(c, "passfile");

    if (path)
        judge_password_file(path, ret, size);
    else
        (void)snprintf(
            ret, size,
            "name a file that has it, passfile=/etc/tenure/pgpass in conninfo, owner " TENURE_USER
            ", mode 0600; or see tenure.conf(5), credential");
    return ret;
}
