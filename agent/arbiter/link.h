/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_LINK_H
#define TENURE_ARBITER_LINK_H

/* How certain it is which server answers, and who else can read and write the traffic. */

#include <libpq-fe.h>
#include <stdbool.h>

enum link {
    LINK_LOCAL,      /* a Unix socket or the loopback: nothing leaves this host */
    LINK_VERIFIED,   /* TLS, by a certificate of this name */
    LINK_AUTHORITY,  /* TLS, by any certificate of this authority */
    LINK_UNVERIFIED, /* TLS with any server that answers */
    LINK_CLEAR,      /* no TLS */
};

/* Of a connection that is established. */
enum link link_of(PGconn *pg);

/* In pieces, for tests: is it TLS, what sslmode= says, whether the file of sslrootcert= is there,
 * and the address ("": a Unix socket). */
enum link link_judge(bool tls, const char *sslmode, bool has_authority, const char *address);

/* Any other server is not believed, or is on this host. */
bool link_is_sure(enum link l);

/* For a status line: "TLS, not verified"; "": nothing to say. */
const char *link_word(enum link l);

/* What it means, with what to do where it is not sure. */
const char *link_explain(enum link l);

#endif
