/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_PG_ERROR_H
#define TENURE_ARBITER_PG_ERROR_H

/* What went wrong with PostgreSQL, in one human-readable line. By SQLSTATE, never by the text of a
 * message: that is in the server's language. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

/* As text_clean(), and said once what libpq says twice. */
const char *one_line(const char *text, char *ret, size_t size);

#define PG_SQLSTATE_MAX (5 + 1)

/* What libpq says of a login that failed, with PQERRORS_VERBOSE: as one_line() of what it says
 * without. sqlstate: of the last error that a server sent; "": none did. Returns ret. */
const char *pg_login_error(const char *raw, char sqlstate[static PG_SQLSTATE_MAX], char *ret,
                           size_t size);

/* What it means and what to do; function: of the server's source, may be NULL. NULL: not known. */
const char *pg_error_explain(const char *sqlstate, const char *function);

/* For an error or a notice, with what to do about it when that is known. Returns ret. */
const char *pg_error_text(const PGresult *result, char *ret, size_t size);

/* A WARNING or worse. */
bool notice_counts(const PGresult *notice);

/* Of this server's age, not of this transaction: "must be vacuumed within … transactions". */
bool notice_is_wraparound(const PGresult *notice);

#endif
