/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/pg_error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arbiter/arbiter.h"
#include "base/text.h"

#define LOGIN_ERROR_MAX (4 * ARBITER_TEXT_MAX)

static const struct {
    const char *sqlstate, *text;
} known[] = {
    /* Case not found: of an operation that tenure.tick_2 does not know. */
    {"20000", "the schema is older: run \"tenurectl schema | psql\" in this database as its owner"},
    {"25000", "the server's settings do not fit"},
    {"25006", "this server takes no writes (a standby, or read-only)"},
    {"28000", "login refused"},
    {"28P01", "login refused"},
    {"3D000", "the database does not exist"},
    {"3F000", "the schema is missing or older: run \"tenurectl schema | psql\" in this database as "
              "its owner"},
    {"42704", "the schema is missing or older: run \"tenurectl schema | psql\" in this database as "
              "its owner"},
    {"42883", "the schema is missing or older: run \"tenurectl schema | psql\" in this database as "
              "its owner"},
    {"42P01", "the schema is missing or older: run \"tenurectl schema | psql\" in this database as "
              "its owner"},
    {"42703", "the schema is missing or older: run \"tenurectl schema | psql\" in this database as "
              "its owner"},
    {"53300", "the server has no connection free"},
    {"57014", "the server cancelled the request"},
    {"57P01", "the server is shutting down, or an administrator ended the session"},
    {"57P02", "the server is restarting after a crash"},
    {"57P03", "the server is starting up or shutting down"},
    {"57P05", "the server ended the idle session (idle_session_timeout)"},
};

/* "Permission denied" has several reasons, of which the server's own function tells: grants are
 * missing (aclcheck_error()), or there are grants, but policies hide or refuse rows. */
static const char *explain_denied(const char *function)
{
    if (function && (strcmp(function, "ExecWithCheckOptions") == 0 ||
                     strcmp(function, "check_enable_rls") == 0))
        return "row level security is on for a table of the schema: run \"alter table tenure.lease "
               "disable row level security\" in this database as its owner";
    if (function && strncmp(function, "aclcheck_error", strlen("aclcheck_error")) == 0)
        return "grants are missing: run \"tenurectl schema | psql\" in this database as its owner, "
               "and log in as the role it names";
    return "the server denies this to the role of the agent";
}

const char *pg_error_explain(const char *sqlstate, const char *function)
{
    assert(sqlstate);

    if (strcmp(sqlstate, "42501") == 0)
        return explain_denied(function);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].sqlstate, sqlstate) == 0)
            return known[i].text;
    return NULL;
}

const char *one_line(const char *text, char *ret, size_t size)
{
    assert(ret);
    assert(size > 0);

    size_t n = strlen(text_clean(text, ret, size));

    /* With sslmode=prefer libpq tries twice, and says twice the same. */
    if (n % 2 == 1 && ret[n / 2] == ' ' && memcmp(ret, ret + n / 2 + 1, n / 2) == 0)
        n /= 2;
    ret[n] = '\0';
    return ret;
}

/* After a severity, as in "FATAL:  53300: sorry". NULL: this line has none. */
static const char *find_sqlstate(const char *line, size_t length)
{
    static const char before[] = ":  ", after[] = ": ";
    const size_t n = PG_SQLSTATE_MAX - 1, whole = strlen(before) + n + strlen(after);

    for (const char *p = line; p + whole <= line + length; p++) {
        const char *state = p + strlen(before);

        if (memcmp(p, before, strlen(before)) == 0 &&
            strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == n &&
            memcmp(state + n, after, strlen(after)) == 0)
            return state;
    }
    return NULL;
}

const char *pg_login_error(const char *raw, char sqlstate[static PG_SQLSTATE_MAX], char *ret,
                           size_t size)
{
    assert(raw);

    const size_t n = PG_SQLSTATE_MAX - 1;
    char text[LOGIN_ERROR_MAX];
    size_t used = 0, length;

    sqlstate[0] = '\0';
    for (const char *line = raw; *line && used < sizeof text - 1; line += length) {
        length = strcspn(line, "\n");
        length += line[length] == '\n';
        const char *state = find_sqlstate(line, length), *rest = line;
        if (strncmp(line, "LOCATION:  ", strlen("LOCATION:  ")) == 0)
            continue;
        if (state) {
            (void)snprintf(sqlstate, PG_SQLSTATE_MAX, "%.*s", (int)n, state);
            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s", (int)(state - line),
                                     line);
            rest = state + n + strlen(": ");
        }
        if (used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s",
                                     (int)(line + length - rest), rest);
    }
    text[used < sizeof text ? used : sizeof text - 1] = '\0';
    return one_line(text, ret, size);
}

const char *pg_error_text(const PGresult *result, char *ret, size_t size)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    const char *explained = sqlstate ? pg_error_explain(sqlstate, function) : NULL;
    char message[ARBITER_TEXT_MAX];

    /* An error of libpq itself has neither field. */
    (void)one_line(primary ? primary : PQresultErrorMessage(result), message, sizeof message);
    if (explained)
        (void)snprintf(ret, size, "%s [%s: %s]", explained, sqlstate, message);
    else if (sqlstate)
        (void)snprintf(ret, size, "%s [%s]", message, sqlstate);
    else
        (void)snprintf(ret, size, "%s", *message ? message : "the connection broke");
    return ret;
}

bool notice_counts(const PGresult *notice)
{
    static const char *const harmless[] = {"NOTICE", "INFO", "LOG", "DEBUG"};
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    for (size_t i = 0; severity && i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(severity, harmless[i]) == 0)
            return false;
    return true;
}

bool notice_is_wraparound(const PGresult *notice)
{
    static const char *const sources[] = {"GetNewTransactionId", "SetTransactionIdLimit",
                                          "GetNewMultiXactId", "SetMultiXactIdLimit"};
    const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);

    for (size_t i = 0; function && i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(function, sources[i]) == 0)
            return true;
    return false;
}
