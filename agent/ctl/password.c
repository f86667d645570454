/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/password.h"

#include <assert.h>

enum arbiter_password ctl_password(const struct config_arbiter *a)
{
    assert(a);
    if (a->unjudged)
        return PASSWORD_AS_BEFORE;
    return a->allow_unverified ? PASSWORD_ANYHOW : PASSWORD_PROTECTED;
}

/* One that cannot be taken apart is refused for that. */
static bool ask_conninfo(const struct config_arbiter *a, bool (*ask)(const struct conninfo *c))
{
    char text[ARBITER_TEXT_MAX];
    struct conninfo *c = NULL;

    if (conninfo_new(a->conninfo, &c, text) < 0)
        return false;
    c->password = ctl_password(a);
    bool answer = ask(c);
    (void)conninfo_free(c);
    return answer;
}

bool ctl_exposes_password(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_exposes);
}

bool ctl_names_password(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_names_password);
}

bool ctl_needs_protection(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_needs_protection);
}

bool ctl_may_need_protection(const struct config_arbiter *a)
{
    assert(a);
    return ask_conninfo(a, conninfo_may_need_protection);
}

void ctl_print_exposed(const struct ctl *ctl, const struct config_arbiter *a)
{
    struct config_problems problems = {0};

    config_problem_add(
        &problems, a->file, a->line,
        "the password would go in clear text to any server that answers and asks for it so: "
        "write sslmode=verify-full and sslrootcert= into conninfo, or at least "
        "sslmode=require, and neither require_auth= nor channel_binding= that "
        "allows it; or allow_unverified = true; beside conninfo, if it shall");
    ctl_print_problems(ctl, &problems);
    config_problems_clear(&problems);
}
