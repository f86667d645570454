/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/holder.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char holder_statement[] =
    "select " HOLDER_COLUMNS " from (select 1) as o left join lateral (" HOLDER_QUERY
    ") as h on true";

void holder_take(struct holder *h, const PGresult *result, int column)
{
    assert(h);
    assert(column + HOLDER_N_COLUMNS <= PQnfields(result));

    const char *who = PQgetvalue(result, 0, column);
    const char *since = PQgetvalue(result, 0, column + 1);
    const char *remedy = PQgetvalue(result, 0, column + 2);

    if (strcmp(who, h->who) == 0 && strcmp(remedy, h->remedy) == 0 && (h->dated || !*since))
        return;
    h->dated = *since != '\0';
    (void)snprintf(h->who, sizeof h->who, "%s", who);
    (void)snprintf(h->remedy, sizeof h->remedy, "%s", remedy);
    (void)snprintf(h->text, sizeof h->text, "the table tenure.lease is locked: %s%s%s%s", who,
                   *since ? " " : "", since, remedy);
}

void holder_forget(struct holder *h)
{
    assert(h);
    *h = (struct holder){0};
}

const char *holder_text(const struct holder *h)
{
    assert(h);
    return *h->who ? h->text : NULL;
}
