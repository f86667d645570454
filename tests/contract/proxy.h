/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_PROXY_H
#define TENURE_TESTS_CONTRACT_PROXY_H

/* A process between client and server, on a port of its own: it counts, goes silent, and plays the
 * part of a pooler. */

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct proxy {
    atomic_uint turns;   /* how often the client spoke after the server had */
    atomic_bool silent;  /* passes nothing on, and closes nothing: a cut network */
    atomic_bool foreign; /* gives the client another process id than the server's, as poolers do */
    int port;
    pid_t pid;
};

/* In shared memory; the process dies with the caller. */
struct proxy *proxy_start(int server_port);
void proxy_stop(struct proxy *x);

#endif
