/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_POSTGRESQL_H
#define TENURE_TESTS_CONTRACT_POSTGRESQL_H

/* What PostgreSQL's arbiter shall do beyond the contract. */

#include "client.h"
#include "server.h"
#include "support/test.h"

#define CONNINFO_MAX 256

/* The server all tests share that leave it as it was. */
extern struct server shared;

/* An arbiter as role tenure over TCP, on this port: of a server or a proxy. */
void client_connect(struct client *c, int port, const char *owner);
/* The same with a whole conninfo. */
void client_use(struct client *c, bool require_sync, const char *owner, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* client_new(), client_connect(), and waits until it is connected. */
struct client *client_at(int port, const char *owner);
struct client *client_on(const struct server *s, const char *owner);

/* A fixture: two clients on the shared server; close_both() belongs to it. */
void open_both(void);

#endif
