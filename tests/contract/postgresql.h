/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_POSTGRESQL_H
#define TENURE_TESTS_CONTRACT_POSTGRESQL_H

/* What PostgreSQL's arbiter shall do beyond the contract. */

#include <check.h>

#include "client.h"
#include "server.h"

#define CONNINFO_MAX 256

/* The server all tests share that leave it as it was. */
extern struct server shared;

/* An arbiter on this server as role tenure, over TCP; `more` is added to conninfo. */
void client_connect(struct client *c, const struct server *s, const char *owner, const char *more);
/* The same with a whole conninfo. */
void client_use(struct client *c, const char *conninfo, bool require_sync, const char *owner);
/* client_new(), client_connect(), and waits until it is connected. */
struct client *client_on(const struct server *s, const char *owner);

void lease_tests(Suite *suite);
void advisory_tests(Suite *suite);
void durability_tests(Suite *suite);
void fault_tests(Suite *suite);
void fencing_tests(Suite *suite);
void connecting_tests(Suite *suite);
Suite *bad_suite(void);

#endif
