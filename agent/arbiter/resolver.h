/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_RESOLVER_H
#define TENURE_ARBITER_RESOLVER_H

/* Name resolution beside the event loop. getaddrinfo() can hang for as long as the name servers
 * like, and can be neither cancelled nor given a time limit; so it runs in a thread of its own,
 * which is left to itself when its answer is not wanted any more. */

#include <systemd/sd-event.h>

#include "arbiter/conninfo.h"

/* Threads that hang in getaddrinfo(), in the whole process. */
#define RESOLVER_WORKERS_MAX 4

struct resolver;

/* n addresses, or n = 0 and the reason in text. Called from the event loop, once per question.
 * The resolver may be asked again from within, but not freed. */
typedef void (*resolver_callback)(void *userdata, char addresses[][CONNINFO_ADDRESS_MAX], size_t n,
                                  const char *text);

int resolver_new(struct sd_event *event, resolver_callback callback, void *userdata,
                 struct resolver **ret);

/* A question under way is not answered any more; its thread ends by itself. */
struct resolver *resolver_free(struct resolver *r);

/* Asks for a name. Returns 0, or -EBUSY while an abandoned question for another name hangs (one
 * worker at a time; an abandoned question for this very name is taken up again), -EAGAIN when the
 * system gives no thread, -ENOMEM. */
int resolver_ask(struct resolver *r, const char *name);

/* The answer is not wanted any more: no callback for it. */
void resolver_abandon(struct resolver *r);

#endif
