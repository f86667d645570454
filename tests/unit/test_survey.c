/* SPDX-License-Identifier: Apache-2.0 */
/* What is found of the units of groups, from properties as PID 1 reports them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/survey.h"
#include "support/test.h"
#include "support/text.h"

TEST_CASE(survey);

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})
#define OTHERS_MAX 4

/* A host: its groups are "g", with a.service, a.timer, a.target, a.mount, and "h", with h.service;
 * units whose name begins with "host" belong to every host. */
struct host_of_test {
    struct {
        const char *name;
        struct unit_properties p;
    } others[OTHERS_MAX];
    size_t n_others;
    char refused[4096], warnings[4096];
    size_t n_refused, n_warnings;
};

static const char *group_of(void *userdata, const char *unit)
{
    (void)userdata;
    return strncmp(unit, "a.", 2) == 0 ? "g" : strncmp(unit, "h.", 2) == 0 ? "h" : NULL;
}

static bool of_host(void *userdata, const char *unit)
{
    (void)userdata;
    return strncmp(unit, "host", 4) == 0;
}

static const struct unit_properties *ask(void *userdata, const char *unit)
{
    struct host_of_test *h = userdata;

    for (size_t i = 0; i < h->n_others; i++)
        if (strcmp(h->others[i].name, unit) == 0)
            return &h->others[i].p;
    return NULL;
}

static void found(void *userdata, enum survey_verdict verdict, const char *text)
{
    struct host_of_test *h = userdata;
    char *all = verdict == SURVEY_REFUSED ? h->refused : h->warnings;
    size_t used = strlen(all);

    ++*(verdict == SURVEY_REFUSED ? &h->n_refused : &h->n_warnings);
    (void)snprintf(all + used, sizeof h->refused - used, "%s\n", text);
}

static struct unit_properties plain(const char *name)
{
    struct unit_properties p = {
        .load_state = "loaded",
        .active_state = "inactive",
        .kill_mode = "control-group",
        .restart_mode = "normal",
        .freezer_state = "running",
    };

    (void)snprintf(p.id, sizeof p.id, "%s", name);
    return p;
}

static struct unit_properties *add_other(struct host_of_test *h, const char *name)
{
    ck_assert(h->n_others < OTHERS_MAX);
    h->others[h->n_others].name = name;
    h->others[h->n_others].p = plain(name);
    return &h->others[h->n_others++].p;
}

static void run(struct host_of_test *h, const struct survey_unit *u)
{
    const struct survey s = {
        .group_of = group_of, .of_host = of_host, .ask = ask, .found = found, .userdata = h};

    survey_unit(&s, u);
}

static void look(struct host_of_test *h, const char *unit, const struct unit_properties *p)
{
    const struct survey_unit u = {.name = unit, .group = "g", .properties = p};

    run(h, &u);
}

/* says: what each finding must have in it, NULL at the end. */
static void expect(const char *all, size_t n, const char *unit, const char *const says[])
{
    size_t expected = 0;

    for (; says[expected]; expected++)
        ASSERT_CONTAINS(all, says[expected]);
    ck_assert_msg(n > 0 && expected > 0, "nothing is found");
    ck_assert_msg(n == 1, "%zu findings: %s", n, all);
    ck_assert_msg(strncmp(all, unit, strlen(unit)) == 0 && all[strlen(unit)] == ':',
                  "%s not named: %s", unit, all);
}

#define NOTHING(h)                                                                                 \
    ck_assert_msg((h).n_refused + (h).n_warnings == 0, "%s%s", (h).refused, (h).warnings)
#define REFUSED(h, unit, ...)                                                                      \
    do {                                                                                           \
        ck_assert_msg((h).n_warnings == 0, "%s", (h).warnings);                                    \
        expect((h).refused, (h).n_refused, unit, (const char *const[]){__VA_ARGS__, NULL});        \
    } while (0)
#define WARNED(h, unit, ...)                                                                       \
    do {                                                                                           \
        ck_assert_msg((h).n_refused == 0, "%s", (h).refused);                                      \
        expect((h).warnings, (h).n_warnings, unit, (const char *const[]){__VA_ARGS__, NULL});      \
    } while (0)

TEST(an_ordinary_service)
{
    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");
    char peer[] = "a.timer", slice[] = "host.slice", target[] = "host.target";

    p.requires = LIST(slice, peer);
    p.wants = LIST(target);
    p.triggered_by = LIST(peer);
    look(&h, "a.service", &p);
    NOTHING(h);
}

#define ONE(change, check, ...)                                                                    \
    do {                                                                                           \
        struct host_of_test h = {0};                                                               \
        struct unit_properties p = plain("a.service");                                             \
        change;                                                                                    \
        look(&h, "a.service", &p);                                                                 \
        check(h, "a.service", __VA_ARGS__);                                                        \
    } while (0)

TEST(a_unit_that_is_not_there)
{
    ONE(strcpy(p.load_state, "masked"), WARNED, "systemctl unmask a.service");
    ONE(strcpy(p.load_state, "not-found"), WARNED, "install the unit");

    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");
    const struct survey_unit u = {
        .name = "a.service", .group = "g", .properties = &p, .of_users = true};
    strcpy(p.load_state, "not-found");
    run(&h, &u);
    WARNED(h, "a.service", "managers of users", "/etc/systemd/system");
}

TEST(what_cannot_be_led)
{
    char pam[] = "login";

    ONE(strcpy(p.kill_mode, "process"), REFUSED, "KillMode is process", "systemctl edit a.service",
        "KillMode=mixed below [Service]");
    ONE(strcpy(p.kill_mode, "none"), REFUSED, "KillMode is none");
    ONE(p.pam_name = pam, REFUSED, "PAMName is login", "write PAMName= (without");
    ONE(strcpy(p.restart_mode, "direct"), REFUSED, "RestartMode=normal");
    ONE(strcpy(p.fd_store_preserve, "yes"), REFUSED, "FileDescriptorStorePreserve=no");
    ONE(p.need_daemon_reload = true, WARNED, "daemon-reload");
}

TEST(a_frozen_unit)
{
    ONE(strcpy(p.freezer_state, "frozen"), WARNED, "this host is restarted");
    ONE((strcpy(p.freezer_state, "frozen"), strcpy(p.active_state, "active")), WARNED,
        "run systemctl thaw a.service");

    /* systemd 252 thaws what it starts. */
    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");
    strcpy(p.freezer_state, "frozen");
    p.restart_mode[0] = '\0';
    look(&h, "a.service", &p);
    NOTHING(h);
}

TEST(other_names)
{
    static const struct survey_twin twins[] = {{"b.service", "/etc/b.service"}};

    ONE(strcpy(p.id, "b.service"), REFUSED, "another name of b.service: declare that one");

    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");
    const struct survey_unit u = {.name = "a.service",
                                  .group = "g",
                                  .properties = &p,
                                  .link = "/lib/a.service",
                                  .twins = twins,
                                  .n_twins = 1};
    run(&h, &u);
    WARNED(h, "a.service", "also that of b.service", "ln -sfn /lib/a.service /etc/b.service");
}

TEST(triggers_that_are_not_declared)
{
    char own[] = "a.timer", strange[] = "b.socket", target[] = "host.target";
    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service"), *other = add_other(&h, "b.socket");

    /* It is installed, and nothing wants it. */
    p.triggered_by = LIST(own, strange);
    look(&h, "a.service", &p);
    NOTHING(h);
    /* Enabled; at work; wanted by the unit itself. */
    other->wanted_by = LIST(target);
    look(&h, "a.service", &p);
    REFUSED(h, "a.service", "TriggeredBy names b.socket", "units of group \"g\"",
            "disable --now b.socket");
    h.n_refused = 0;
    h.refused[0] = '\0';
    other->wanted_by = NULL;
    strcpy(other->active_state, "active");
    look(&h, "a.service", &p);
    REFUSED(h, "a.service", "TriggeredBy names b.socket");
    h.n_refused = 0;
    h.refused[0] = '\0';
    strcpy(other->active_state, "inactive");
    p.requires = LIST(strange);
    look(&h, "a.service", &p);
    REFUSED(h, "a.service", "TriggeredBy names b.socket");
}

TEST(a_trigger_of_another_group)
{
    char foreign[] = "h.timer";

    ONE(p.triggered_by = LIST(foreign), REFUSED, "h.timer of group \"h\"", "both in one group");
}

TEST(automounts)
{
    char automount[] = "b.automount", fstab[] = "/etc/fstab", target[] = "host.target";
    struct host_of_test h = {0}, again = {0};
    struct unit_properties p = plain("a.mount");

    add_other(&h, "b.automount")->required_by = LIST(target);
    p.triggered_by = LIST(automount);
    look(&h, "a.mount", &p);
    REFUSED(h, "a.mount", "disable --now b.automount");
    add_other(&again, "b.automount")->required_by = LIST(target);
    p.source_path = fstab;
    look(&again, "a.mount", &p);
    REFUSED(again, "a.mount", "x-systemd.automount by noauto");
}

TEST(what_a_trigger_starts)
{
    char own[] = "a.service", other_name[] = "a.other.service", strange[] = "b.service";
    char made[] = "/run/systemd/generator/a.timer", early[] = "/etc/systemd/system/a.timer";
    struct host_of_test h = {0}, again = {0}, third = {0};
    struct unit_properties p = plain("a.timer");

    p.triggers = LIST(strange);
    look(&h, "a.timer", &p);
    REFUSED(h, "a.timer", "Triggers names b.service", "units of this group");
    p.triggers = LIST(own, other_name);
    p.fragment_path = early;
    look(&again, "a.timer", &p);
    NOTHING(again);
    p.fragment_path = made;
    look(&third, "a.timer", &p);
    WARNED(third, "a.timer", "another generator and starts a.other.service", "/etc/systemd/system");
}

TEST(what_a_target_pulls_up)
{
    char strange[] = "b.service", own[] = "a.service", target[] = "host.target";
    char *pulled[] = {own, target, strange, NULL};

    for (int by = 0; by < 4; by++) {
        struct host_of_test h = {0};
        struct unit_properties p = plain("a.target"), *other = add_other(&h, "b.service");

        *(char ***[]){&p.wants, &p.requires, &p.binds_to, &p.upholds}[by] = pulled;
        other->wanted_by = LIST(target);
        look(&h, "a.target", &p);
        REFUSED(h, "a.target", (const char *[]){"Wants", "Requires", "BindsTo", "Upholds"}[by],
                "names b.service", "units of group \"g\"");
    }

    struct host_of_test h = {0};
    struct unit_properties p = plain("a.target");
    strcpy(add_other(&h, "b.service")->load_state, "not-found");
    p.wants = pulled;
    look(&h, "a.target", &p);
    NOTHING(h);
}

TEST(what_a_service_pulls_up)
{
    char strange[] = "b.service", target[] = "host.target";
    struct host_of_test h = {0}, again = {0};
    struct unit_properties p = plain("a.service");

    /* What starts at boot runs everywhere in any case. */
    add_other(&h, "b.service")->wanted_by = LIST(target);
    p.wants = LIST(strange);
    look(&h, "a.service", &p);
    NOTHING(h);
    (void)add_other(&again, "b.service");
    p.binds_to = LIST(strange); /* once, although it appears twice */
    look(&again, "a.service", &p);
    WARNED(again, "a.service", "BindsTo names b.service", "systemctl enable b.service");
}

TEST(what_another_group_has)
{
    char foreign[] = "h.service";

    ONE(p.requires = LIST(foreign), WARNED, "Requires names h.service of group \"h\"");
}

TEST(what_the_boot_requires)
{
    char target[] = "host.target", fstab[] = "/etc/fstab", inner[] = "b.mount";

    ONE(p.required_by = LIST(target), REFUSED, "RequiredBy names host.target",
        "systemctl disable a.service");
    ONE(p.bound_by = LIST(target), REFUSED, "RequiredBy names host.target");

    struct host_of_test h = {0}, again = {0}, third = {0};
    struct unit_properties p = plain("a.mount");
    p.source_path = fstab;
    p.required_by = LIST(target);
    look(&h, "a.mount", &p);
    REFUSED(h, "a.mount", "Add noauto to its line in /etc/fstab");

    /* A mount in it is what the boot requires. */
    p.required_by = LIST(inner);
    (void)add_other(&again, "b.mount");
    look(&again, "a.mount", &p);
    NOTHING(again);
    add_other(&third, "b.mount")->required_by = LIST(target);
    look(&third, "a.mount", &p);
    REFUSED(third, "a.mount", "host.target, which requires it through b.mount");
}

TEST(what_nothing_undoes)
{
    ONE(p.remain_after_exit = true, WARNED, "nothing undoes what it sets up", "ExecStop=");
}

TEST(what_a_stop_undoes)
{
    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");

    p.remain_after_exit = true;
    p.exec_stop.n = 1;
    look(&h, "a.service", &p);
    NOTHING(h);
    p.exec_stop.n = 0;
    p.exec_stop_post.n = 1;
    look(&h, "a.service", &p);
    NOTHING(h);
}

TEST(a_client_of_a_daemon)
{
    char client[] = "/usr/bin/docker";

    ONE(p.exec_start.path = client, WARNED, "containers of a daemon", "podman");
}

TEST(containers_of_a_daemon)
{
    char docker[] = "docker.service", podman[] = "/usr/bin/podman";
    struct host_of_test h = {0};
    struct unit_properties p = plain("a.service");

    p.exec_start.path = podman;
    look(&h, "a.service", &p);
    NOTHING(h);
    /* Debian's docker.service is enabled. */
    add_other(&h, "docker.service")->wanted_by = LIST(docker);
    p.requires = LIST(docker);
    look(&h, "a.service", &p);
    WARNED(h, "a.service", "containers of a daemon");
}
