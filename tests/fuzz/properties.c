/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of a unit as PID 1 reports them, a line each: name, type, value. If the first line
 * is
 * "!" and types, the rest are values of any message at all. The properties that are read are judged
 * as those of a unit of a group, and as those of any other unit that is related to it. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "host/guards.h"
#include "host/properties.h"
#include "host/stops.h"
#include "host/survey.h"
#include "support/guards.h"
#include "values.h"

static sd_bus *bus;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int fds[2];

    (void)argc;
    (void)argv;
    /* There is no peer: messages are made, not sent. */
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    assert(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
    assert(sd_bus_start(bus) >= 0);
    return 0;
}

static int append_property(sd_bus_message *m, char *line)
{
    const char *name = fuzz_word(&line);
    int r = sd_bus_message_open_container(m, 'e', "sv");

    if (r < 0 || (r = sd_bus_message_append_basic(m, 's', name)) < 0 ||
        (r = values_append(m, "v", &line)) < 0)
        return r;
    return sd_bus_message_close_container(m);
}

static int append_all(sd_bus_message *m, char *text)
{
    char *line;
    int r;

    if (*text == '!') {
        line = fuzz_line(&text) + 1;
        const char *types = fuzz_word(&line);

        return values_append(m, types, &text);
    }
    r = sd_bus_message_open_container(m, 'a', "{sv}");
    while (r >= 0 && (line = fuzz_line(&text)))
        r = append_property(m, line);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* True or a reason that names the unit. */
static void check(bool good, const char *unit, const char *problem)
{
    if (good)
        return;
    assert(strncmp(problem, unit, strlen(unit)) == 0 && strlen(problem) > strlen(unit) + 2);
    assert(strlen(problem) < HOST_PROBLEM_MAX);
}

static void judge(const struct unit_properties *p)
{
    static const char *const names[] = {"w.service", "w.timer", "w.socket", "w.mount"};
    char problem[HOST_PROBLEM_MAX] = "";

    assert(strlen(p->id) <= UNIT_NAME_LEN_MAX && strlen(p->load_state) < PROPERTY_MAX);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool good = guards_of_unit(&guards, names[i], p, problem) == GUARDS_GOOD;

        check(good, names[i], problem);
        if (good) /* of all there is, what nothing else makes up for */
            assert(p->binds_to && p->after && p->asserts_path_exists && !p->need_daemon_reload &&
                   strcmp(p->load_state, "loaded") == 0 && strcmp(p->id, names[i]) == 0);
    }
    check(guards_of_keeper(&guards, p, problem) == GUARDS_GOOD, GUARDS_KEEPER, problem);
    check(guards_of_slice(&guards, p, problem) == GUARDS_GOOD, GUARDS_SLICE, problem);
    (void)guards_may_rest(&guards, p);
}

/* ---- before a configuration counts ---- */

struct surveyed {
    const char *unit;
    const struct unit_properties *p;
};

static const char *group_of(void *userdata, const char *unit)
{
    (void)userdata;
    return strncmp(unit, "w.", 2) == 0 ? guards.group : strncmp(unit, "x.", 2) == 0 ? "x" : NULL;
}

static bool of_host(void *userdata, const char *unit)
{
    (void)userdata;
    return strncmp(unit, "host", 4) == 0;
}

/* The same of all others; of some it is not known. */
static const struct unit_properties *ask(void *userdata, const char *unit)
{
    const struct surveyed *s = userdata;

    return *unit == '-' ? NULL : s->p;
}

static void found(void *userdata, enum survey_verdict verdict, const char *text)
{
    const struct surveyed *s = userdata;
    size_t length = strlen(s->unit);

    assert(verdict == SURVEY_WARNING || verdict == SURVEY_REFUSED);
    assert(strncmp(text, s->unit, length) == 0 && text[length] == ':');
    assert(strlen(text) > length + 2 && strlen(text) < SURVEY_TEXT_MAX);
}

static void survey(const struct unit_properties *p)
{
    static const char *const names[] = {"w.service", "w.timer",  "w.socket",
                                        "w.mount",   "w.target", "w.path"};
    const struct survey_twin twin = {p->before ? *p->before : NULL, "/etc/b.service"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct surveyed about = {.unit = names[i], .p = p};
        const struct survey s = {.group_of = group_of,
                                 .of_host = of_host,
                                 .ask = ask,
                                 .found = found,
                                 .userdata = &about};
        const struct survey_unit u = {.name = names[i],
                                      .group = guards.group,
                                      .properties = p,
                                      .link = "/etc/w.service",
                                      .twins = &twin,
                                      .n_twins = twin.name != NULL,
                                      .of_users = p->accept};
        survey_unit(&s, &u);
    }
}

/* What proves a stop, and nothing less. */
static void judge_stop(const struct unit_properties *p)
{
    static const char *const names[] = {"w.service", "w.timer", "w.socket", "w.mount"};
    struct stop_began began = {.was_up = true};
    struct stop_seen seen;
    char problem[HOST_PROBLEM_MAX] = "";

    stop_see(&seen, p);
    began.as = seen.as;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool good = stop_judge(&began, names[i], p, p->inactive_exit / 2, problem) == STOP_PROVEN;

        check(good, names[i], problem);
        if (good && stop_keeps(names[i], &began.as) && i != 3 && p->exec_stop.n > 0)
            assert(p->exec_stop.n_clean == p->exec_stop.n && seen.as.known && *p->invocation &&
                   strcmp(p->active_state, "inactive") == 0 && strcmp(p->result, "success") == 0);
        check(stop_provable(&began, names[i], &seen, p->inactive_exit, problem), names[i], problem);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_(unit_properties_clear) struct unit_properties p = {.final_kill_signal = 77};
    sd_bus_message *m = NULL;

    assert(sd_bus_message_new_method_call(bus, &m, "a.b", "/", "a.b", "C") >= 0);
    if (append_all(m, text) >= 0 && sd_bus_message_seal(m, 1, 0) >= 0 &&
        sd_bus_message_rewind(m, true) >= 0) {
        if (properties_read(m, &p) >= 0) {
            judge(&p);
            judge_stop(&p);
            survey(&p);
        } else
            assert(p.final_kill_signal == 77 && !p.binds_to);
    }
    sd_bus_message_unref(m);
    return 0;
}
