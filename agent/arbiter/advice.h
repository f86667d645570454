/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_ADVICE_H
#define TENURE_ARBITER_ADVICE_H

/* What to do when no connection comes about. What the server says then has no SQLSTATE here and is
 * in the server's language; but what libpq says itself is in English, as the agent sets no locale.
 */

#include <stdbool.h>
#include <stddef.h>

struct conninfo;

/* By the text of libpq, of which its own advice is cut off where it is worse. NULL: there is none.
 */
const char *advice_on(char *text);

/* The server wants a password and libpq has none: why not. Names the file, its owner and its mode.
 * Returns ret. */
const char *advice_on_password(const struct conninfo *c, char *ret, size_t size);

/* May this process use the file that a keyword of conninfo names? By libpq's rules: passfile= and
 * sslkey= must not be readable by other users. Returns false, and in ret why not and what to do. */
bool advice_on_file(const char *keyword, const char *path, char *ret, size_t size);

#endif
