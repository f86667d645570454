/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define WORKER_STACK_BYTES ((size_t)512 * 1024) /* name service modules are not small */

/* Shared by the thread and the loop, freed by the one that needs it last. The thread alone writes
 * until it signals eventfd; the loop alone reads after that. */
struct question {
    atomic_int references;
    int fd; /* eventfd: answered */
    char *name;
    char addresses[CONNINFO_ADDRESSES_MAX][CONNINFO_ADDRESS_MAX];
    size_t n;
    int error; /* of getaddrinfo() */
};

struct resolver {
    sd_event *event;
    resolver_callback callback;
    void *userdata;
    struct question *question; /* a thread works on it */
    bool wanted;
    sd_event_source *answered;
};

static atomic_int workers;

static struct question *question_unref(struct question *q)
{
    if (q && atomic_fetch_sub(&q->references, 1) == 1) {
        (void)close(q->fd);
        free(q->name);
        free(q);
    }
    return NULL;
}

static bool known(const struct question *q, const char *address)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->addresses[i], address) == 0)
            return true;
    return false;
}

static void look_up(struct question *q)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    q->error = getaddrinfo(q->name, NULL, &hints, &list);
    if (q->error != 0)
        return;
    for (const struct addrinfo *a = list; a && q->n < CONNINFO_ADDRESSES_MAX; a = a->ai_next) {
        char address[CONNINFO_ADDRESS_MAX];

        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0 &&
            !known(q, address))
            memcpy(q->addresses[q->n++], address, sizeof address);
    }
    freeaddrinfo(list);
}

static void *work(void *userdata)
{
    struct question *q = userdata;

    look_up(q);
    (void)atomic_fetch_sub(&workers, 1);
    (void)eventfd_write(q->fd, 1); /* cannot fail: the counter is 0 */
    (void)question_unref(q);
    return NULL;
}

static int start_worker(struct question *q)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    if (atomic_fetch_add(&workers, 1) >= RESOLVER_WORKERS_MAX) {
        (void)atomic_fetch_sub(&workers, 1);
        return -EAGAIN;
    }
    int r = pthread_attr_init(&attributes);
    if (r == 0) {
        /* Signals are the loop's. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        (void)pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
        (void)atomic_fetch_add(&q->references, 1);
        r = pthread_create(&thread, &attributes, work, q);
        if (r != 0)
            (void)atomic_fetch_sub(&q->references, 1);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void)pthread_attr_destroy(&attributes);
    }
    if (r != 0)
        (void)atomic_fetch_sub(&workers, 1);
    return -r;
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct resolver *r = userdata;
    struct question *q = r->question;
    bool wanted = r->wanted;

    (void)source;
    (void)fd;
    (void)events;
    r->answered = sd_event_source_disable_unref(r->answered);
    r->question = NULL;
    r->wanted = false;
    if (wanted)
        r->callback(r->userdata, q->addresses, q->n,
                    q->error != 0 ? gai_strerror(q->error) : "the name has no usable address");
    (void)question_unref(q);
    return 0;
}

static struct question *question_new(const char *name)
{
    struct question *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    atomic_init(&q->references, 1);
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->name = strdup(name);
    if (q->fd < 0 || !q->name) {
        if (q->fd >= 0)
            (void)close(q->fd);
        free(q->name);
        free(q);
        return NULL;
    }
    return q;
}

int resolver_ask(struct resolver *r, const char *name)
{
    assert(r);
    assert(name);
    assert(!r->wanted);

    if (r->question) {
        if (strcmp(r->question->name, name) != 0)
            return -EBUSY;
        r->wanted = true;
        return 0;
    }

    struct question *q = question_new(name);
    if (!q)
        return -ENOMEM;
    int e = sd_event_add_io(r->event, &r->answered, q->fd, EPOLLIN, on_answer, r);
    if (e >= 0)
        e = start_worker(q);
    if (e < 0) {
        r->answered = sd_event_source_disable_unref(r->answered);
        (void)question_unref(q);
        return e;
    }
    r->question = q;
    r->wanted = true;
    return 0;
}

void resolver_abandon(struct resolver *r)
{
    assert(r);
    r->wanted = false;
}

int resolver_new(struct sd_event *event, resolver_callback callback, void *userdata,
                 struct resolver **ret)
{
    assert(event);
    assert(callback);
    assert(ret);

    struct resolver *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->event = sd_event_ref(event);
    r->callback = callback;
    r->userdata = userdata;
    *ret = r;
    return 0;
}

struct resolver *resolver_free(struct resolver *r)
{
    if (!r)
        return NULL;
    r->answered = sd_event_source_disable_unref(r->answered);
    (void)question_unref(r->question);
    (void)sd_event_unref(r->event);
    free(r);
    return NULL;
}
