/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/file.h>

#include "ctl/agent.h"
#include "ctl/ctl.h"
#include "ctl/systemd.h"

/* How long a group may take to be led down: S + K, and room for the arbiter and PID 1. */
#define RETIRE_EXTRA_USEC (30 * USEC_PER_SEC)

struct plan {
    struct tenure_config *before; /* what is applied; NULL: it cannot be read */
    struct tenure_config *after;
    bool before_broken;  /* neither the snapshot nor its copy is there and readable */
    const char **retire; /* names, in the models */
    size_t n_retire;
    usec_t timeout;
    size_t count[CONFIG_CHANGED_UNITS + 1];
};

static void plan_clear(struct plan *p)
{
    free(p->retire);
    p->before = config_free(p->before);
    p->after = config_free(p->after);
}
#define _cleanup_plan_ _cleanup_(plan_clear)

/* What is applied now, or its copy when the snapshot is damaged. */
static int load_applied(const char *snapshot, struct plan *p)
{
    _cleanup_problems_ struct config_problems problems = {0}, of_copy = {0};
    _cleanup_free_ char *copy = NULL;
    int r = config_load_snapshot(snapshot, &problems, &p->before);

    if (r == 0 || r == -ENOMEM)
        return r;
    if (asprintf(&copy, "%s%s", snapshot, CONFIG_SNAPSHOT_COPY_SUFFIX) < 0) {
        copy = NULL;
        return -ENOMEM;
    }
    int r_copy = config_load_snapshot(copy, &of_copy, &p->before);
    if (r_copy == 0 || r_copy == -ENOMEM)
        return r_copy;
    /* Missing is not empty: somebody may have taken away what the agent and live keepers go by. */
    p->before_broken = true;
    return 0;
}

/* Before its guards go or change, a group is led down. So are all when the node is renamed: what
 * this node owns stands in the rows by its name. */
static int make_plan(struct plan *p)
{
    _cleanup_free_ struct config_difference *list = NULL;
    size_t n;
    int r = config_diff(p->before, p->after, &list, &n);

    if (r < 0)
        return r;
    p->retire = calloc(n + 1, sizeof *p->retire);
    if (!p->retire)
        return -ENOMEM;

    bool renamed = p->before && strcmp(p->before->node, p->after->node) != 0;
    for (size_t i = 0; i < n; i++) {
        const struct config_group *g = list[i].before;

        p->count[list[i].change]++;
        if (!g || (!renamed && list[i].change != CONFIG_REMOVED &&
                   list[i].change != CONFIG_CHANGED_UNITS))
            continue;
        p->retire[p->n_retire++] = g->name;
        p->timeout = usec_max(p->timeout, g->budget.stop + g->budget.kill);
    }
    p->timeout += RETIRE_EXTRA_USEC;
    return 0;
}

/* Which live keepers are in the way when there is no agent to lead them down? */
struct obstacle {
    const struct plan *plan;
    char group[GROUP_NAME_MAX + 1];
};

static void note_obstacle(void *userdata, const char *group)
{
    struct obstacle *o = userdata;
    const struct plan *p = o->plan;
    bool concerned = p->before_broken;

    for (size_t i = 0; i < p->n_retire; i++)
        if (strcmp(p->retire[i], group) == 0)
            concerned = true;
    if (concerned)
        (void)snprintf(o->group, sizeof o->group, "%s", group);
}

/* why: no agent leads it down, and what to do. */
static int refuse_live_keepers(const struct ctl *ctl, sd_bus *bus, const struct plan *p,
                               const char *why)
{
    struct obstacle o = {.plan = p};
    int r = systemd_each_keeper(bus, note_obstacle, &o);

    if (r < 0)
        return ctl_fail(ctl, "cannot ask systemd: %s", strerror(-r));
    if (o.group[0])
        return ctl_fail(ctl,
                        "group \"%s\" still leads here and must be led down first, but %s; nothing "
                        "is changed",
                        o.group, why);
    return CTL_OK;
}

/* Without a snapshot that can be read nobody but the agent knows what is applied. */
static int plan_from_agent(const struct ctl *ctl, const struct agent_view *v, struct plan *p)
{
    free(p->retire);
    p->retire = calloc(v->n_groups + 1, sizeof *p->retire);
    if (!p->retire)
        return ctl_fail(ctl, "out of memory");
    p->n_retire = 0;
    for (size_t i = 0; i < v->n_groups; i++) {
        p->retire[p->n_retire++] = v->groups[i].name;
        p->timeout = usec_max(p->timeout, usec_add(v->groups[i].stop_timeout, RETIRE_EXTRA_USEC));
    }
    return CTL_OK;
}

static int lead_down(const struct ctl *ctl, sd_bus *bus, struct plan *p)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_agent_view_ struct agent_view *view = NULL;
    int r = agent_running(bus);

    if (r < 0)
        return ctl_fail(ctl, "cannot ask the bus for tenured: %s", strerror(-r));
    if (r == 0)
        return refuse_live_keepers(ctl, bus, p, "tenured does not run: start it, then apply");
    if (p->before_broken) {
        r = agent_look(bus, &view);
        if (r < 0)
            return ctl_fail(ctl, "%s cannot be used and tenured does not say what is applied: %s",
                            ctl->snapshot, strerror(-r));
        r = plan_from_agent(ctl, view, p);
        if (r != CTL_OK)
            return r;
    }
    r = p->n_retire == 0 ? 0 : agent_retire(bus, p->retire, p->n_retire, p->timeout, &error);
    p->n_retire = 0; /* the view they may point into goes */
    if (r == 0 && p->before_broken)
        return refuse_live_keepers(
            ctl, bus, p,
            "what is applied cannot be read and tenured does not know it: stop "
            "its keeper, or wait until its deadline has passed");
    if (r == 0)
        return CTL_OK;
    /* Whatever was led down already comes back. */
    (void)agent_reload(bus, NULL);
    return ctl_fail(ctl, "cannot lead down what is removed or changed: %s; nothing is changed",
                    error.message ? error.message : strerror(-r));
}

static int take_snapshot(const struct ctl *ctl, sd_bus *bus, const struct plan *p)
{
    _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL, agent_error = SD_BUS_ERROR_NULL;
    int r = config_write_snapshot(p->after, ctl->snapshot);

    if (r < 0) {
        (void)agent_reload(bus, NULL);
        return ctl_fail(ctl, "cannot write %s: %s", ctl->snapshot, strerror(-r));
    }
    r = systemd_reload(bus, &error);
    if (r < 0)
        return ctl_fail(ctl,
                        "%s is written, but systemd did not reload: %s; apply again, until then "
                        "groups whose guards are not in effect do not start",
                        ctl->snapshot, error.message ? error.message : strerror(-r));
    r = agent_reload(bus, &agent_error);
    if (r < 0 && r != -ENXIO)
        return ctl_fail(ctl, "%s is written, but tenured did not take it: %s", ctl->snapshot,
                        agent_error.message ? agent_error.message : strerror(-r));
    return CTL_OK;
}

static void print_summary(const struct ctl *ctl, const struct plan *p)
{
    (void)fprintf(
        ctl->out, "Applied %zu group%s: %zu new, %zu removed, %zu changed, %zu as before.\n",
        p->after->n_groups, p->after->n_groups == 1 ? "" : "s", p->count[CONFIG_ADDED],
        p->count[CONFIG_REMOVED], p->count[CONFIG_CHANGED_BUDGET] + p->count[CONFIG_CHANGED_UNITS],
        p->count[CONFIG_UNCHANGED]);
}

/* One apply at a time on this host. The lock ends with the descriptor. */
static int lock_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

    if (!dir)
        return -ENOMEM;
    _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return take_fd(&fd);
}

static int apply(const struct ctl *ctl)
{
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_bus_ sd_bus *bus = NULL;
    _cleanup_close_ int lock = -1;
    int r = ctl_load(ctl, &ctl->paths, &plan.after);

    if (r != 0) {
        (void)ctl_fail(ctl, "nothing is changed: what was applied before stays in force");
        return r;
    }
    lock = lock_directory_of(ctl->snapshot);
    if (lock == -EWOULDBLOCK)
        return ctl_fail(ctl, "another apply is at work: try again when it is done");
    if (lock < 0)
        return ctl_fail(ctl, "cannot lock the directory of %s: %s", ctl->snapshot, strerror(-lock));

    r = load_applied(ctl->snapshot, &plan);
    if (r == 0)
        r = make_plan(&plan);
    if (r < 0)
        return ctl_fail(ctl, "%s", strerror(-r));
    r = sd_bus_open_system(&bus);
    if (r < 0)
        return ctl_fail(ctl, "cannot reach the system bus: %s; nothing is changed", strerror(-r));
    r = lead_down(ctl, bus, &plan);
    if (r != CTL_OK)
        return r;
    r = take_snapshot(ctl, bus, &plan);
    if (r == CTL_OK)
        print_summary(ctl, &plan);
    return r;
}

int verb_apply(const struct ctl *ctl, int argc, char *argv[])
{
    bool if_missing = false;
    int r = ctl_options(ctl, argc, argv, "if-missing", &if_missing);

    if (r != 0)
        return r - 1;
    if (optind < argc)
        return ctl_usage(ctl, "apply takes no argument: tenurectl apply [--if-missing]");
    if (if_missing && access(ctl->snapshot, F_OK) == 0)
        return CTL_OK;
    if (geteuid() != 0)
        return ctl_fail(ctl, "apply must be run as root");
    return apply(ctl);
}
