/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_CALL_H
#define TENURE_HOST_CALL_H

/* Asynchronous calls, each with its time limit. A call comes with what is to be done with its
 * answer; and calls.over says that a call is free again. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "host/host.h"

struct watched_group;

/* reply is NULL when error (negative errno) is not 0; text then says why, for an operator. */
typedef void (*call_done)(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text);

struct call {
    struct host *host;
    sd_bus_slot *slot; /* NULL: free */
    call_done done;
    struct watched_group *group; /* NULL also when the group was removed since */
};

struct calls {
    struct call of[HOST_CALLS_MAX];
    size_t n;
    void (*over)(struct host *h); /* after each of them */
};

size_t calls_free(const struct host *h);
int call_new(struct host *h, const char *path, const char *interface, const char *member,
             sd_bus_message **ret);
/* Sends m with HOST_CALL_TIMEOUT_USEC; done is called exactly once if this returns 0, also when the
 * bus goes away. If of a group that is removed meanwhile, done gets g = NULL. -EBUSY: none free. */
int call_send(struct host *h, sd_bus_message *m, struct watched_group *g, call_done done);
/* GetAll of all interfaces of the object at once; properties_read() takes the answer. As
 * call_send(). */
int call_for_properties(struct host *h, const char *path, struct watched_group *g, call_done done);
void calls_forget_group(struct host *h, const struct watched_group *g);
void calls_fail_all(struct host *h, int error, const char *text);
/* Drops all that are under way, and calls no handler. */
void calls_drop_all(struct host *h);

/* PID 1 has not refused: it was executing itself again (daemon-reexec), or is not on the bus for a
 * moment. */
bool nobody_answered(int error);

#endif
