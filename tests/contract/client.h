/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_CONTRACT_CLIENT_H
#define TENURE_TESTS_CONTRACT_CLIENT_H

/* One user of an arbiter, with a loop of its own: what it asked and learned. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "arbiter/arbiter.h"

#define CLIENT_LIMIT (10 * USEC_PER_SEC) /* of requests whose limit is not the subject */
#define CLIENT_OWNER_A "alpha/0123456789abcdef0123456789abcdef"
#define CLIENT_OWNER_B "beta/fedcba9876543210fedcba9876543210"

struct client {
    sd_event *event;
    struct arbiter *arbiter;
    enum arbiter_password password; /* of the arbiters to come */
    const char *owner;              /* "": what it hands on is not judged */
    bool in_send;
    unsigned answers, connects, losses, hints, notices;
    struct reply replies[ARBITER_TICK_MAX];
    size_t n;
    char groups[ARBITER_TICK_MAX][GROUP_NAME_MAX + 1]; /* of the last tick */
    char connected[ARBITER_TEXT_MAX], lost[ARBITER_TEXT_MAX], notice[ARBITER_TEXT_MAX];
    char losses_text[16 * ARBITER_TEXT_MAX]; /* all of them, one a line */
    char hint[GROUP_NAME_MAX + 1];
    unsigned alarms;
    struct release_notice release;  /* with the last hint; all zero: nothing */
    char held_up[ARBITER_TEXT_MAX]; /* of the last tick; "" */
    char
        locked[ARBITER_TEXT_MAX]; /* who has all records locked, as was reported last; "": nobody */
    unsigned locks, unlocks;      /* how often a holder was named, and none */
    /* Called from within replies(), when set. */
    void (*on_replies)(struct client *c);
    /* Longest time the loop was kept from turning. */
    usec_t longest_gap;
};

extern const struct arbiter_handler client_handler;

/* Makes an arbiter with this handler; the suite does not know which. */
typedef int (*arbiter_maker)(sd_event *event, const char *owner,
                             const struct arbiter_handler *handler, void *userdata,
                             struct arbiter **ret);

/* Of all requests made below: the method, and L. */
extern enum method client_method;
extern usec_t client_lease;

/* And waits until connected. */
struct client *client_open(arbiter_maker make, const char *owner);
/* An empty client with a loop: the arbiter is the caller's to put in. */
struct client *client_new(void);
struct client *client_close(struct client *c);

/* Of two nodes: what most tests use. Opened by each suite's fixture, closed by this one. */
extern struct client *a, *b;
void close_both(void);

/* Turns the loop until the counter is at least n, or fails the test after 10 s. */
void client_await(struct client *c, const unsigned *counter, unsigned n);
/* Turns the loop for this long. */
void client_turn(struct client *c, usec_t span);

void client_send(struct client *c, const struct request *requests, size_t n, usec_t limit);
/* One request and its reply. */
struct reply client_ask(struct client *c, const struct request *request);

struct nonce nonce_new(void);
/* A group nobody used before. Static storage, a few at a time. */
const char *group_new(void);

struct request observe_of(const char *group);
/* Claims what was read; spans L, 5 s, 8.67 s. */
struct request claim_of(const char *group, const struct reply *seen);
/* By the record's owner: names the nonces that it may have by all that the test's clients have read
 * and sent. */
struct request renew_of(const char *group, uint64_t term);
struct request renew_knowing(const char *group, uint64_t term, const struct nonce *nonce);
struct request release_of(const char *group, uint64_t term, const struct nonce *nonce);
/* An operator's word about the owner that was read; spans L, 5 s, 8.67 s. */
struct request confirm_of(const char *group, const struct reply *seen);

/* What was read by now may be claimed after this, by whatever method. */
void client_wait_out(struct client *c);
/* Observes and claims, which must be granted. */
struct reply client_lead(struct client *c, const char *group);

#endif
