/* SPDX-License-Identifier: Apache-2.0 */
/* An applied configuration, its copy, a main file and a group's file, divided by lines of "%%", as
 * the generator finds them at boot: damaged or not, it must name nothing outside its directory, and
 * lock what it cannot guard. A part of "!" alone is a file that is missing. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "config/unit_name.h"
#include "fuzz.h"
#include "generator/generate.h"
#include "guard/text.h"
#include "support/libconfig_leaks.h"

/* PID 1 reads this directory: UNIT.d, and nothing else. Returns how many. */
static size_t check_names(const char *early)
{
    DIR *d = opendir(early);
    const struct dirent *entry;
    size_t n = 0;

    assert(d);
    while ((entry = readdir(d))) {
        char unit[NAME_MAX + 1];
        char *dot;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        strcpy(unit, entry->d_name);
        dot = strrchr(unit, '.');
        assert(dot);
        *dot = '\0';
        bool keeper = strncmp(unit, "tenure@", strlen("tenure@")) == 0;
        assert(strcmp(dot + 1, "d") == 0);
        assert(keeper || strcmp(unit, "tenured.service") == 0 || !unit_name_problem(unit));
        n++;
    }
    (void)closedir(d);
    return n;
}

static void check_applied(const char *path)
{
    _cleanup_problems_ struct config_problems problems = {0}, problems_again = {0};
    _cleanup_config_ struct tenure_config *c = NULL, *again = NULL;
    const char *other = fuzz_path("again.conf");
    _cleanup_free_ struct config_difference *differences = NULL;
    size_t n = 0;

    if (config_load_snapshot(path, &problems, &c) < 0)
        return;
    assert(problems.n == 0 && *c->node && *c->arbiter.conninfo);
    assert(config_write_snapshot(c, other) == 0);
    assert(config_load_snapshot(other, &problems_again, &again) == 0);
    assert(config_same_arbiter(c, again));
    assert(config_diff(c, again, &differences, &n) == 0);
    for (size_t i = 0; i < n; i++)
        assert(differences[i].change == CONFIG_UNCHANGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const no_dirs[] = {NULL};
    _cleanup_problems_ struct config_problems problems = {0};
    _cleanup_free_ char *text = fuzz_text(data, size);
    char *parts[FUZZ_PARTS_MAX];
    enum generate_source source = GENERATE_NOTHING;
    const char *path = fuzz_path("applied.conf"), *early = fuzz_path("early");
    const char *const applied[] = {path, fuzz_path("applied.conf.copy"), NULL};
    const struct generate_paths paths = {
        .applied = applied,
        .copy_dir = fuzz_path("copy"),
        .main_file = fuzz_path("tenure.conf"),
        .groups_dir = fuzz_path("groups.d"),
        .run_dir = fuzz_path("run"),
        .invocations = fuzz_path("run"),
        .early_dir = early,
        .unit_dirs = no_dirs,
    };

    fuzz_parts(text, parts);
    fuzz_directory_clear();
    (void)mkdir(paths.groups_dir, 0755);
    (void)mkdir(paths.run_dir, 0755); /* one group is led */
    (void)mkdir(fuzz_path("run/g"), 0755);
    (void)mkdir(fuzz_path("run/g/live"), 0755);
    fuzz_file("run/g/" KEEPER_STATE_FILE, "", 0);
    for (size_t i = 0; i < FUZZ_PARTS_MAX; i++)
        if (parts[i] && strcmp(parts[i], "!") == 0)
            parts[i] = NULL;
    fuzz_file("applied.conf", parts[0], parts[0] ? strlen(parts[0]) : 0);
    fuzz_file("applied.conf.copy", parts[1], parts[1] ? strlen(parts[1]) : 0);
    fuzz_file("tenure.conf", parts[2], parts[2] ? strlen(parts[2]) : 0);
    fuzz_file("groups.d/a.conf", parts[3], parts[3] ? strlen(parts[3]) : 0);
    (void)mkdir(early, 0755);

    int r = generate(&paths, &problems, &source);
    assert(r == 0);
    assert(source != GENERATE_NOTHING || (!parts[0] && !parts[1]));
    assert((source == GENERATE_SNAPSHOT) == (problems.n == 0 && parts[0]));
    size_t n = check_names(early);
    assert(source != GENERATE_NOTHING || n == 0);
    assert(source != GENERATE_LOCK || parts[0] || parts[1] || n > 0);
    check_applied(path);
    return 0;
}
