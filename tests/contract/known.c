/* SPDX-License-Identifier: Apache-2.0 */
#include "known.h"

#include <check.h>
#include <stdlib.h>

struct memory {
    char group[GROUP_NAME_MAX + 1];
    struct nonce nonces[REQUEST_NONCES_MAX];
    unsigned n;
    usec_t lease, duration;
};

static struct memory *memories;
static size_t n_memories;

static struct memory *memory_of(const char *group)
{
    for (size_t i = n_memories; i-- > 0;)
        if (strcmp(memories[i].group, group) == 0)
            return &memories[i];
    memories = reallocarray(memories, n_memories + 1, sizeof *memories);
    ck_assert_ptr_nonnull(memories);
    memories[n_memories] = (struct memory){0};
    ck_assert_uint_le(strlen(group), GROUP_NAME_MAX);
    memcpy(memories[n_memories].group, group, strlen(group) + 1);
    return &memories[n_memories++];
}

static void remember(struct memory *m, const struct nonce *nonce)
{
    ck_assert_uint_lt(m->n, REQUEST_NONCES_MAX);
    m->nonces[m->n++] = *nonce;
}

void known_sent(const struct request *request)
{
    struct memory *m = memory_of(request->group);

    bool writes = request->operation == OPERATION_RENEW || request->operation == OPERATION_CLAIM;

    if (writes && m->n < REQUEST_NONCES_MAX)
        remember(m, &request->fresh_nonce);
}

void known_answered(const char *group, const struct reply *reply)
{
    struct memory *m = memory_of(group);

    if (!reply->has_record)
        return;
    m->n = 0;
    remember(m, &reply->record.nonce);
    m->lease = reply->record.lease;
    m->duration = reply->record.duration;
}

void known_fill(struct request *request)
{
    const struct memory *m = memory_of(request->group);

    request->n_known = m->n > 0 ? m->n : 1; /* of an unknown group: none that is right */
    memcpy(request->known, m->nonces, m->n * sizeof *m->nonces);
    request->lease = m->lease > 0 ? m->lease : 15 * USEC_PER_SEC;
    request->duration = m->duration > 0 ? m->duration : 8 * USEC_PER_SEC;
}
