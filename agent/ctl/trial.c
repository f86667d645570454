/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/trial.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arbiter/advice.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ctl/as_agent.h"
#include "ctl/password.h"

/* The child ends before it would be killed, so that its answer has what it knows by then. */
#define TRIAL_ROOM_USEC (500 * USEC_PER_MSEC)

struct task {
    const char *conninfo;
    enum arbiter_password password;
    size_t host;
    usec_t until;
};

static struct conninfo *parse(const char *text)
{
    char error[ARBITER_TEXT_MAX];
    struct conninfo *c;

    return conninfo_new(text, &c, error) == 0 ? c : NULL;
}

/* ---- as the agent ---- */

/* Parsed again: the environment is different there. */
static void try_host(void *userdata, void *answer)
{
    const struct task *t = userdata;
    struct conninfo *c = parse(t->conninfo);

    if (c)
        c->password = t->password;
    if (c && t->host < c->n_hosts)
        attempt_make(c, t->host, t->until, answer);
    (void)conninfo_free(c);
}

static const char *const keywords[TRIAL_FILES_MAX] = {"passfile", "sslkey", "sslcert",
                                                      "sslrootcert", "sslcrl"};

static const char *file_of(const struct conninfo *c, const char *keyword)
{
    const char *path = conninfo_option(c, keyword);

    /* "system" names the authorities that the system has; "pkcs11:…" is no file either. */
    return path && *path == '/' ? path : NULL;
}

static void check_files(void *userdata, void *answer)
{
    const struct task *t = userdata;
    struct trial_files *f = answer;
    struct conninfo *c = parse(t->conninfo);

    for (size_t i = 0; c && i < TRIAL_FILES_MAX; i++) {
        const char *path = file_of(c, keywords[i]);

        if (path && !advice_on_file(keywords[i], path, f->text[f->n], sizeof f->text[f->n]))
            f->n++;
    }
    (void)conninfo_free(c);
}

/* ---- here ---- */

static bool is_below(const char *const dirs[], const char *path)
{
    for (size_t i = 0; dirs && dirs[i]; i++) {
        size_t n = strlen(dirs[i]);

        if (strncmp(path, dirs[i], n) == 0 && (path[n] == '/' || !path[n]))
            return true;
    }
    return false;
}

bool trial_is_hidden(const char *const dirs[], const char *path)
{
    assert(path);

    _cleanup_free_ char *real = dirs ? realpath(path, NULL) : NULL;

    return is_below(dirs, path) || (real && is_below(dirs, real));
}

#define HIDDEN                                                                                     \
    "tenured.service hides it from the agent (ProtectHome=, PrivateTmp=), whatever this trial "    \
    "sees: "

struct trial_run {
    usec_t until;
    struct task tasks[CONNINFO_HOSTS_MAX], task_of_files;
    struct as_agent hosts[CONNINFO_HOSTS_MAX], files;
    char conninfo[]; /* the tasks' */
};

/* Of this host, not of the other. */
static void fail(struct attempt *a, int error)
{
    a->error = error;
    (void)snprintf(a->text, sizeof a->text, "it could not be tried: %s", strerror(-error));
}

/* What LoadCredential= names, if it does, is not there to be tried. */
static void doubt_password(struct attempt *a)
{
    char text[ARBITER_TEXT_MAX];

    if (!a->no_password || as_agent_has_credentials())
        return;
    a->error = -ENOKEY;
    (void)snprintf(text, sizeof text,
                   "a password is wanted; if LoadCredential= has it: the credential is there only "
                   "while tenured runs; else %.400s",
                   a->text);
    (void)text_clean(text, a->text, sizeof a->text);
}

static void take_attempt(struct trial *t, size_t i)
{
    struct attempt *a = &t->attempts[i];
    char where[ATTEMPT_WHERE_MAX];

    if (t->run->hosts[i].fd < 0) /* a says why */
        return;
    memcpy(where, a->where, sizeof where);
    int r = as_agent_take(&t->run->hosts[i], a, sizeof *a, t->run->until);
    if (r == 0) {
        attempt_settle(a);
        doubt_password(a);
        return;
    }
    *a = (struct attempt){.stage = ATTEMPT_NOTHING};
    memcpy(a->where, where, sizeof a->where);
    if (r != -ETIMEDOUT)
        fail(a, r);
    else
        (void)snprintf(a->text, sizeof a->text,
                       "no answer in time, of the name servers or the host: is the name known, the "
                       "host up, and no firewall in between?");
}

static void take_files(struct trial *t)
{
    struct trial_files *f = &t->files;

    if (t->files_error == 0)
        t->files_error = as_agent_take(&t->run->files, f, sizeof *f, t->run->until);
    if (t->files_error < 0 || f->n > TRIAL_FILES_MAX)
        f->n = 0;
    for (size_t i = 0; i < f->n; i++) {
        f->text[i][sizeof f->text[i] - 1] = '\0';
        (void)text_clean(f->text[i], f->text[i], sizeof f->text[i]);
    }
}

static void start(const struct ctl *ctl, const struct conninfo *c, enum arbiter_password password,
                  struct trial *t)
{
    struct trial_run *run = t->run;

    for (size_t i = 0; i < TRIAL_FILES_MAX; i++) {
        const char *path = file_of(c, keywords[i]);

        if (path && trial_is_hidden(ctl->hidden, path))
            (void)snprintf(t->hidden.text[t->hidden.n++], ARBITER_TEXT_MAX,
                           "%s=%.200s: " HIDDEN "move it to /etc/tenure", keywords[i], path);
        else if (path)
            t->n_named++;
    }
    run->task_of_files = (struct task){.conninfo = run->conninfo};
    t->files_error = as_agent_start(ctl->agent_user, check_files, &run->task_of_files,
                                    sizeof t->files, &run->files);
    for (; t->n < c->n_hosts; t->n++) {
        struct attempt *a = &t->attempts[t->n];

        run->tasks[t->n] = (struct task){.conninfo = run->conninfo,
                                         .password = password,
                                         .host = t->n,
                                         .until = run->until - TRIAL_ROOM_USEC};
        (void)conninfo_where(&c->hosts[t->n], NULL, a->where, sizeof a->where);
        run->hosts[t->n] = (struct as_agent)AS_AGENT_NONE;
        if (c->hosts[t->n].name[0] == '/' && trial_is_hidden(ctl->hidden, c->hosts[t->n].name)) {
            (void)snprintf(a->text, sizeof a->text,
                           HIDDEN "name another of the server's unix_socket_directories, such as "
                                  "/run/postgresql");
            continue;
        }
        int r = as_agent_start(ctl->agent_user, try_host, &run->tasks[t->n], sizeof *a,
                               &run->hosts[t->n]);
        if (r < 0)
            fail(a, r);
    }
}

struct trial *trial_start(const struct ctl *ctl, const struct config_arbiter *arbiter)
{
    assert(ctl);
    assert(arbiter);

    const char *conninfo = arbiter->conninfo;
    struct trial *t = calloc(1, sizeof *t);
    struct trial_run *run = calloc(1, sizeof *run + strlen(conninfo) + 1);
    int possible = as_agent_possible(ctl->agent_user);

    if (!t || !run) {
        free(t);
        free(run);
        return NULL;
    }
    struct conninfo *c = parse(conninfo);
    run->until = usec_add(clock_boottime(), TRIAL_LIMIT_USEC);
    run->files.fd = -1;
    memcpy(run->conninfo, conninfo, strlen(conninfo) + 1);
    t->run = run;
    t->as_agent = possible == 0;
    t->error = !c ? -EINVAL : possible == -ESRCH ? -ESRCH : 0;
    if (t->error == 0)
        start(ctl, c, ctl_password(arbiter), t);
    (void)conninfo_free(c);
    return t;
}

void trial_finish(struct trial *t)
{
    assert(t);

    for (size_t i = 0; t->run && i < t->n; i++)
        take_attempt(t, i);
    if (t->run)
        take_files(t);
    free(t->run);
    t->run = NULL;
}

struct trial *trial_free(struct trial *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; t->run && i < t->n; i++)
        as_agent_end(&t->run->hosts[i]);
    if (t->run)
        as_agent_end(&t->run->files);
    free(t->run);
    free(t);
    return NULL;
}

const struct attempt *trial_best(const struct trial *t)
{
    assert(t);

    const struct attempt *best = NULL;

    for (size_t i = 0; i < t->n; i++) {
        const struct attempt *a = &t->attempts[i];

        if (!best || attempt_is_better(a, best))
            best = a;
    }
    return best;
}

bool trial_usable(const struct trial *t)
{
    const struct attempt *best = trial_best(t);

    return best && t->hidden.n == 0 && attempt_usable(best);
}

const char trial_alone_text[] =
    "synchronous_standby_names is set and no standby is connected, so commits hang: start the "
    "standby, or empty synchronous_standby_names";

const char *trial_obstacle(const struct attempt *a, char *ret, size_t size)
{
    assert(a);
    assert(ret);

    if (a->stage != ATTEMPT_OVER)
        (void)snprintf(ret, size, "%s", a->text);
    else if (!a->writes)
        (void)snprintf(ret, size, "%s", a->unwilling);
    else if (a->alone)
        (void)snprintf(ret, size, "%s", trial_alone_text);
    else if (a->schema[0])
        (void)snprintf(ret, size, "%s", a->schema);
    else if (a->grants[0])
        (void)snprintf(ret, size, "role %s lacks: %s", a->role, a->grants);
    else
        (void)snprintf(ret, size, "%s", a->trial);
    return ret;
}
