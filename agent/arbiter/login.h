/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_ARBITER_LOGIN_H
#define TENURE_ARBITER_LOGIN_H

/* Who gets the password. By itself libpq sends it in clear text to any server that answers and
 * asks for it so; two of its settings keep it from that. Pure: no I/O, and no libpq. */

#include <stdbool.h>

/* What a connection string says; NULL: nothing. */
struct login_settings {
    const char *sslmode;
    const char *require_auth;
    const char *channel_binding;
    bool knows_require_auth; /* this libpq does: 16 or later */
};

enum login_protection {
    LOGIN_AS_WRITTEN, /* what the string says is enough, or is meant for a server that is verified
                       */
    LOGIN_BINDING,    /* channel_binding=require is to be added */
    LOGIN_SCRAM,      /* require_auth=scram-sha-256 is to be added */
    LOGIN_EXPOSED,    /* neither will do: any server that answers may get it */
};

/* Of a login with a password over TCP that leaves the host. */
enum login_protection login_protection(const struct login_settings *s);

/* Is this numeric address the loopback's? */
bool login_is_loopback(const char *address);

#endif
