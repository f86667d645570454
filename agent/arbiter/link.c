/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/link.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arbiter/login.h"

static const struct {
    const char *word, *text;
} links[] = {
    [LINK_LOCAL] = {"", "a Unix socket or the loopback: nothing leaves this host"},
    [LINK_VERIFIED] = {"TLS", "TLS, and the server is who its name says (sslmode=verify-full)"},
    [LINK_AUTHORITY] = {"TLS, name not verified",
                        "TLS, but any server with a certificate of this authority is believed: "
                        "write sslmode=verify-full into conninfo"},
    [LINK_UNVERIFIED] =
        {"TLS, not verified",
         "TLS, not verified: any server that answers at this address is believed, and "
         "could let two hosts lead: write sslmode=verify-full and sslrootcert= "
         "into conninfo"},
    [LINK_CLEAR] = {"not encrypted",
                    "not encrypted: anyone in between can read and change all of it, and could "
                    "let two hosts lead: set ssl = on in the server's postgresql.conf, and write "
                    "sslmode=verify-full and sslrootcert= into conninfo"},
};

enum link link_judge(bool tls, const char *sslmode, bool has_authority, const char *address)
{
    assert(address);

    if (tls && sslmode && strcmp(sslmode, "verify-full") == 0)
        return LINK_VERIFIED;
    if (!*address || login_is_loopback(address))
        return LINK_LOCAL;
    if (!tls)
        return LINK_CLEAR;
    /* "require" is that, too, where there is a file to verify by. */
    if (sslmode &&
        (strcmp(sslmode, "verify-ca") == 0 || (strcmp(sslmode, "require") == 0 && has_authority)))
        return LINK_AUTHORITY;
    return LINK_UNVERIFIED;
}

enum link link_of(PGconn *pg)
{
    assert(pg);

    PQconninfoOption *options = PQconninfo(pg);
    const char *sslmode = NULL, *authority = NULL;
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof peer;

    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, "sslmode") == 0)
            sslmode = o->val;
        else if (strcmp(o->keyword, "sslrootcert") == 0)
            authority = o->val;
    bool has_authority = authority && *authority && access(authority, R_OK) == 0;
    bool local = getpeername(PQsocket(pg), (struct sockaddr *)&peer, &length) == 0 &&
                 peer.ss_family == AF_UNIX;
    enum link kind =
        link_judge(PQsslInUse(pg), sslmode, has_authority, local ? "" : PQhostaddr(pg));

    PQconninfoFree(options);
    return kind;
}

bool link_is_sure(enum link l)
{
    return l == LINK_LOCAL || l == LINK_VERIFIED;
}

const char *link_word(enum link l)
{
    assert((unsigned)l < sizeof links / sizeof *links);
    return links[l].word;
}

const char *link_explain(enum link l)
{
    assert((unsigned)l < sizeof links / sizeof *links);
    return links[l].text;
}
