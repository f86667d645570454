/* SPDX-License-Identifier: Apache-2.0 */
#include "election/nonces.h"

#include <assert.h>

_Static_assert(REQUEST_NONCES_MAX <= NONCES_REMEMBERED, "all that a request names is remembered");

void nonces_forget(struct nonces *n)
{
    *n = (struct nonces){0};
}

/* Comes first, and is there once; the oldest goes. */
static void remember(struct nonces *n, const struct nonce *nonce)
{
    unsigned at = n->n < NONCES_REMEMBERED ? n->n : NONCES_REMEMBERED - 1;

    for (unsigned i = 0; i < NONCES_REMEMBERED; i++)
        if (i < n->n && nonce_equal(&n->list[i], nonce))
            at = i;
    for (unsigned i = NONCES_REMEMBERED - 1; i > 0; i--)
        if (i <= at)
            n->list[i] = n->list[i - 1];
    n->list[0] = *nonce;
    if (at == n->n)
        n->n++;
}

void nonces_granted(struct nonces *n, const struct nonce *nonce, const struct epoch *epoch)
{
    remember(n, nonce);
    n->n_known = 1;
    n->complete = n->certain = n->has_acknowledged = true;
    n->acknowledged = *nonce;
    n->epoch = *epoch;
}

void nonces_read(struct nonces *n, const struct nonce *nonce, const struct epoch *epoch)
{
    remember(n, nonce);
    n->n_known = 1;
    n->certain = n->certain && epoch_equal(&n->epoch, epoch);
    n->epoch = *epoch;
}

void nonces_tried(struct nonces *n, const struct nonce *nonce)
{
    remember(n, nonce);
    if (n->complete && n->n_known < REQUEST_NONCES_MAX) {
        n->n_known += n->n_known < n->n; /* less than one more: it was no fresh one */
        return;
    }
    n->complete = n->certain = false;
    n->n_known = 0;
}

bool nonces_exclude(const struct nonces *n, const struct epoch *epoch)
{
    return n->complete && n->certain && epoch_equal(&n->epoch, epoch);
}

bool nonces_explain(const struct nonces *n, const struct nonce *nonce, const struct epoch *epoch)
{
    bool remembered = n->has_acknowledged && nonce_equal(&n->acknowledged, nonce);

    for (unsigned i = 0; i < NONCES_REMEMBERED; i++)
        remembered = remembered || (i < n->n && nonce_equal(&n->list[i], nonce));
    return remembered && !nonces_exclude(n, epoch);
}

void nonces_name(const struct nonces *n, struct request *request)
{
    assert(n->n_known <= n->n && n->n_known <= REQUEST_NONCES_MAX);

    request->n_known = n->n_known;
    for (unsigned i = 0; i < REQUEST_NONCES_MAX; i++)
        if (i < n->n_known)
            request->known[i] = n->list[i];
}
