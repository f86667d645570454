/* SPDX-License-Identifier: Apache-2.0 */
#include "arbiter/login.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static bool is(const char *value, const char *one)
{
    return value && strcmp(value, one) == 0;
}

static bool is_element(const char *list, const char *wanted)
{
    size_t length = strlen(wanted);

    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");

        if (n == length && strncmp(p, wanted, n) == 0)
            return true;
        p += n;
        if (!*p)
            return false;
    }
}

/* By the rules of libpq: all elements of a list are methods, or all are exceptions ("!md5"). */
static bool admits_clear_text(const char *require_auth)
{
    return *require_auth == '!' ? !is_element(require_auth, "!password")
                                : is_element(require_auth, "password");
}

/* With "prefer" and "allow" anyone in between can have it without TLS. */
static bool demands_tls(const char *sslmode)
{
    return is(sslmode, "require") || is(sslmode, "verify-ca") || is(sslmode, "verify-full");
}

enum login_protection login_protection(const struct login_settings *s)
{
    assert(s);

    if (is(s->channel_binding, "require") ||
        (s->require_auth && !admits_clear_text(s->require_auth)))
        return LOGIN_AS_WRITTEN;
    if (s->require_auth || s->channel_binding)
        return is(s->sslmode, "verify-full") ? LOGIN_AS_WRITTEN : LOGIN_EXPOSED;
    if (demands_tls(s->sslmode))
        return LOGIN_BINDING;
    return s->knows_require_auth ? LOGIN_SCRAM : LOGIN_EXPOSED;
}

bool login_is_loopback(const char *address)
{
    assert(address);

    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, address, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, address, &six) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}
