/* SPDX-License-Identifier: Apache-2.0 */
/* The contract, kept by PostgreSQL's arbiter. */
#include <stdio.h>

#include "contract.h"
#include "postgresql.h"

int contract_arbiter(sd_event *event, const char *owner, const struct arbiter_handler *handler,
                     void *userdata, struct arbiter **ret)
{
    char conninfo[CONNINFO_MAX], error[ARBITER_TEXT_MAX];

    (void)snprintf(conninfo, sizeof conninfo, "host=%s port=%d dbname=postgres user=tenure",
                   shared.dir, shared.port);
    return arbiter_postgresql_new(event, conninfo, PASSWORD_PROTECTED, false, owner, handler,
                                  userdata, ret, error);
}
