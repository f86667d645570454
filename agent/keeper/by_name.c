/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/by_name.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"

struct by_name by_name_begin(const struct declared *units, const char *cgroup_root,
                             const char *except, const char *systemctl, usec_t kill_time)
{
    assert(units);
    assert(cgroup_root);
    assert(systemctl);

    return (struct by_name){
        .units = units,
        .cgroup_root = cgroup_root,
        .except = except,
        .systemctl = systemctl,
        .kill_time = kill_time,
        .phase = units->n > 0 ? BY_NAME_STOP : BY_NAME_DONE,
        .command = COMMAND_NONE,
        .busy = -1,
    };
}

/* ---- what PID 1 says ---- */

static bool says(const char *line, const char *key, const char *value)
{
    size_t n = strlen(key);

    return strncmp(line, key, n) == 0 && strcmp(line + n, value) == 0;
}

/* Of "systemctl show": ActiveState= of each unit, then its Job=, if it has one. */
static void take_line(void *userdata, const char *line)
{
    struct by_name *b = userdata;
    bool state = strncmp(line, "ActiveState=", strlen("ActiveState=")) == 0;
    bool job = strncmp(line, "Job=", strlen("Job=")) == 0 && line[strlen("Job=")] != '\0';
    bool ends = says(line, "ActiveState=", "deactivating");
    bool dead = says(line, "ActiveState=", "inactive") || says(line, "ActiveState=", "failed");

    if (state)
        b->n_said++;
    if ((state && !dead) || job)
        b->busy = b->busy < 0 ? (int)b->n_said : b->busy;
    if (state && !dead && !ends)
        b->astray = true;
}

static void wait_longer(struct by_name *b, usec_t now)
{
    b->pause =
        b->pause == 0 ? BY_NAME_PAUSE_MIN_USEC : usec_min(b->pause * 2, BY_NAME_PAUSE_MAX_USEC);
    b->next = usec_add(now, b->pause);
}

/* The stop's own exit status is ignored: it fails for a unit that is not loaded, too. What PID 1
 * says of all units decides. */
static void answered(struct by_name *b, int status, usec_t now)
{
    bool known = status == 0 && b->n_said == b->units->n;

    if (known && b->busy < 0 && b->tree_error == 0 && b->tree.alive == 0) {
        b->phase = BY_NAME_DONE;
        return;
    }
    /* It was started after the stop, or the stop never reached PID 1. Another stop does no harm. */
    if (!known || b->astray)
        b->phase = BY_NAME_STOP;
    wait_longer(b, now);
}

/* ---- what it is asked ---- */

static void begin_command(struct by_name *b, usec_t now)
{
    const char *const stop[] = {
        b->systemctl, "--no-block", "--no-ask-password", "--job-mode=replace-irreversibly", "stop",
        "--",         NULL};
    const char *const show[] = {b->systemctl,     "show", "--property=ActiveState",
                                "--property=Job", "--",   NULL};
    bool ask = b->phase == BY_NAME_ASK;

    if (ask) {
        b->n_said = 0;
        b->busy = -1;
        b->astray = false;
    }
    int r = command_start(&b->command, ask ? show : stop, b->units->names, b->units->n, ask);
    if (r < 0) {
        if (!b->cannot_run_logged) {
            errno = -r;
            log_warning("cannot run %s, trying again: %m", b->systemctl);
        }
        b->cannot_run_logged = true;
        wait_longer(b, now);
    }
}

static void look(struct by_name *b, usec_t now)
{
    size_t alive = b->tree.alive;

    b->tree_error =
        tree_look(b->cgroup_root, b->units->names, b->except, now >= b->kill_time, &b->tree);
    b->look_at = usec_add(now, BY_NAME_INTERVAL_USEC);
    if (b->kill_time > now)
        b->look_at = usec_min(b->look_at, b->kill_time);
    if (alive > 0 && b->tree.alive == 0) /* the last one went: PID 1 may have news */
        b->next = now;
}

bool by_name_step(struct by_name *b, usec_t now)
{
    assert(b);

    int status;

    if (b->phase == BY_NAME_DONE)
        return true;
    bool over = command_look(&b->command, take_line, b, &status) > 0;
    /* Always after what PID 1 said, so that both are true at once. */
    if (over || now >= b->look_at)
        look(b, now);
    if (over && b->phase == BY_NAME_STOP)
        b->phase = BY_NAME_ASK;
    else if (over)
        answered(b, status, now);
    if (b->phase != BY_NAME_DONE && b->command.pid == 0 && now >= b->next)
        begin_command(b, now);
    return b->phase == BY_NAME_DONE;
}

usec_t by_name_wakeup(const struct by_name *b, usec_t now)
{
    assert(b);

    if (b->phase == BY_NAME_DONE)
        return USEC_INFINITY;
    return b->command.pid > 0
               ? usec_add(now, BY_NAME_COMMAND_USEC)
               : usec_max(usec_add(now, USEC_PER_MSEC), usec_min(b->look_at, b->next));
}

const char *by_name_left(const struct by_name *b)
{
    assert(b);

    return b->busy >= 1 && (size_t)b->busy <= b->units->n ? b->units->names[b->busy - 1] : NULL;
}

void by_name_end(struct by_name *b)
{
    assert(b);

    command_end(&b->command);
}
