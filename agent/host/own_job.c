/* SPDX-License-Identifier: Apache-2.0 */
#include "host/own_job.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/bus_names.h"
#include "host/groups.h"
#include "host/state.h"

static void own_job_known(struct host *h, int error, const char *type)
{
    h->own_job_in_flight = false;
    h->handler->own_job(h->userdata, error, type);
}

static void type_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text)
{
    const char *type = "";

    (void)g;
    (void)text;
    if (error == 0 && sd_bus_message_read(reply, "v", "s", &type) < 0)
        error = -EBADMSG;
    own_job_known(h, error, error < 0 ? "" : type);
}

static void job_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                         const char *text)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *path = NULL;
    uint32_t id = 0;

    (void)g;
    (void)text;
    if (error == 0 && sd_bus_message_read(reply, "v", "(uo)", &id, &path) < 0)
        error = -EBADMSG;
    if (error < 0 || id == 0) {
        own_job_known(h, error, "");
        return;
    }
    int r = call_new(h, path, PROPERTIES_INTERFACE, "Get", &m);
    if (r < 0 || (r = sd_bus_message_append(m, "ss", SYSTEMD_NAME ".Job", "JobType")) < 0 ||
        (r = call_send(h, m, NULL, type_answered)) < 0)
        own_job_known(h, r, "");
}

static void unit_answered(struct host *h, struct watched_group *g, sd_bus_message *reply, int error,
                          const char *text)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *path;
    int r = error;

    (void)g;
    (void)text;
    if (r < 0 || (r = sd_bus_message_read(reply, "o", &path)) < 0 ||
        (r = call_new(h, path, PROPERTIES_INTERFACE, "Get", &m)) < 0 ||
        (r = sd_bus_message_append(m, "ss", SYSTEMD_UNIT, "Job")) < 0 ||
        (r = call_send(h, m, NULL, job_answered)) < 0)
        own_job_known(h, r, "");
}

/* PID 1 is asked which unit this is: sd_pid_get_unit() reads /proc/1/cgroup, which ProtectProc=
 * hides. */
void own_job_send(struct host *h)
{
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    if (!h->own_job_wanted)
        return;
    int r = call_new(h, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnitByPID", &m);
    if (r >= 0 && (r = sd_bus_message_append(m, "u", (uint32_t)getpid())) >= 0)
        r = call_send(h, m, NULL, unit_answered);
    if (r == -EBUSY)
        return; /* when a call is answered */
    h->own_job_wanted = false;
    if (r < 0)
        own_job_known(h, r, "");
}

int host_ask_own_job(struct host *h)
{
    if (h->own_job_in_flight)
        return -EALREADY;
    if (!h->connected)
        return -ENOTCONN;
    h->own_job_in_flight = h->own_job_wanted = true;
    pump_soon(h);
    return 0;
}

void own_job_fail_waiting(struct host *h, int error)
{
    if (!h->own_job_wanted)
        return;
    h->own_job_wanted = false;
    own_job_known(h, error, "");
}
