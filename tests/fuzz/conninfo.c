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
    bool guarded_exposes = conninfo_exposes(c);
    c->password = PASSWORD_AS_BEFORE;
    assert(!guarded_exposes || conninfo_exposes(c));
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
