/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_SERVER_H
#define TENURE_TESTS_CONTRACT_SERVER_H

/* Real PostgreSQL servers, started by the tests and gone with them whatever happens: the kernel
 * signals each when the process that started it dies. All helpers fail the test (or the program,
 * outside one) with a message; none returns an error. */

#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/types.h>

#define SERVER_PATH_MAX 80 /* a socket's path must fit below it */

struct server {
    char dir[SERVER_PATH_MAX]; /* data directory, and of the socket */
    int port;
    pid_t pid; /* 0: not running */
};

/* Once, before all tests: makes the template that servers are copied from, with the schema in
 * database "postgres" and none other but template0. Removed by servers_clean_up(). */
void servers_set_up(void);
void servers_clean_up(void);

/* A copy of the template, or with `other_system` a server with a system identifier of its own. */
void server_make(struct server *s, bool other_system);
void server_copy(const struct server *from, struct server *to);  /* both stopped */
void server_configure(const struct server *s, const char *line); /* for the next start or reload */
void server_start(struct server *s);                             /* and waits until it answers */
void server_crash(struct server *s);                             /* at once, no clean shutdown */
void server_stop(struct server *s);                              /* clean */
void server_run(const struct server *s, const char *program, const char *const argv[]);

/* One statement as superuser in "postgres"; the caller clears the result. */
PGresult *server_query(const struct server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void server_do(const struct server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
long long server_number(const struct server *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A superuser's session of its own. */
PGconn *server_session(const struct server *s);
void session_do(PGconn *session, const char *statement);

/* Waits until the statement yields a number above 0. */
void server_await(const struct server *s, const char *what, const char *statement);

/* Runs psql with the schema, ON_ERROR_STOP set. */
void server_load_schema(const struct server *s);

/* Gives a server that is stopped a certificate of the name pg.test, which is its own authority, and
 * has it use TLS. path: of that. */
void server_certify(const struct server *s, char path[static SERVER_PATH_MAX + 32]);

/* A port of 127.0.0.1 that takes connections and never says a word, until the caller closes *fd. */
int mute_port(int *fd);

/* Fails the test, or the program when none is running. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
