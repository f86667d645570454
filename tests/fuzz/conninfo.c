/* SPDX-License-Identifier: Apache-2.0 */
/* The connection string of an administrator. A message about it goes to the log and must never show
 * a value: a password is put behind whatever the input is. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arbiter/conninfo.h"
#include "base/cleanup.h"
#include "fuzz.h"

#define SECRET "s3cr3t"

static void check_host(const struct conninfo_host *h)
{
    char where[256];

    assert(h->name && h->hostaddr && h->port);
    assert(!h->by_name || (*h->name && !*h->hostaddr));
    assert(*conninfo_where(h, NULL, where, sizeof where));
    assert(*conninfo_where(h, "2001:db8::1", where, sizeof where));
    assert(strlen(where) < sizeof where - 1);
}

static const char *last(const struct conninfo_parameters *p, const char *keyword)
{
    const char *value = "";

    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->keywords[i], keyword) == 0)
            value = p->values[i];
    return value;
}

/* By a rule of its own: does libpq send it in clear text where it is asked to, to anybody? */
static bool sends_clear_text(const struct conninfo_parameters *p)
{
    const char *methods = last(p, "require_auth");
    bool listed = false;
    _cleanup_free_ char *list = NULL;
    char *rest;

    if (strcmp(last(p, "channel_binding"), "require") == 0 ||
        strcmp(last(p, "sslmode"), "verify-full") == 0)
        return false;
    if (!*methods)
        return true;
    rest = list = strdup(methods + (*methods == '!'));
    if (!list)
        abort();
    for (const char *one = strsep(&rest, ","); one; one = strsep(&rest, ","))
        listed = listed || strcmp(one + (*methods == '!' && *one == '!'), "password") == 0;
    return listed == (*methods != '!');
}

/* Nobody else on the network gets it in clear text, also where check would refuse the string. */
static void check_password(const struct conninfo *c, const struct conninfo_host *h)
{
    const char *address = h->by_name ? "2001:db8::1" : *h->hostaddr ? h->hostaddr : h->name;
    struct conninfo_parameters p;

    conninfo_parameters(c, h, h->by_name ? address : NULL, &p);
    assert(p.n <= CONNINFO_PARAMETERS_MAX && !p.keywords[p.n]);
    bool named = *last(&p, "password") || *last(&p, "passfile");
    if (named && (h->by_name || strncmp(address, "10.", 3) == 0))
        assert(!sends_clear_text(&p));
}

static void take(const char *text)
{
    char error[ARBITER_TEXT_MAX] = "";
    struct conninfo *c = NULL;
    int r = conninfo_new(text, &c, error);

    if (r < 0) {
        assert(r == -EINVAL && !c && *error);
        assert(!strstr(error, SECRET));
        return;
    }
    assert(c->n_hosts > 0 && c->n_hosts <= CONNINFO_HOSTS_MAX);
    for (size_t i = 0; i < c->n_hosts; i++)
        check_host(&c->hosts[i]);
    assert(c->connect_limit > 0);
    for (size_t i = 0; i < c->n_hosts; i++)
        check_password(c, &c->hosts[i]);
    (void)conninfo_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_free_ char *secret = NULL;

    if (asprintf(&secret, "%s password=" SECRET, text) < 0)
        abort();
    take(text);
    take(secret);
    return 0;
}
