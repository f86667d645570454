/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_FUZZ_PEER_H
#define TENURE_FUZZ_PEER_H

/* The other end of a connection to the system bus: bus and systemd in one. Says hello by itself and
 * takes every match; other calls wait for the input to say what is answered. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define PEER_CALLS_MAX 64

struct peer {
    sd_bus *bus;
    sd_bus_message *calls[PEER_CALLS_MAX]; /* not answered yet, the oldest first */
    size_t n_calls;
    size_t n_replies, n_errors;                           /* received; of these */
    void (*called)(void *userdata, sd_bus_message *call); /* may be NULL */
    void *userdata;
};

/* Takes the descriptor. */
void peer_open(struct peer *p, sd_event *event, int fd);
void peer_close(struct peer *p);

/* Turns the loop until nothing is left to do at once. */
void peer_pump(sd_event *event);

/* The oldest call, which the caller owns from now on; NULL: there is none. */
sd_bus_message *peer_take(struct peer *p);

/* Answers it, and unrefs it. */
void peer_answer(sd_bus_message *call, const char *types, char **words);
void peer_answer_error(sd_bus_message *call, char **words);

/* "PATH INTERFACE MEMBER TYPES VALUES…", from this sender. */
void peer_signal(struct peer *p, const char *sender, char **words);
void peer_call(struct peer *p, const char *sender, char **words);

#endif
