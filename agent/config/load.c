/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "config/cross_check.h"
#include "config/file.h"
#include "config/settings.h"
#include "config/trigger.h"

#define GROUPS_SUFFIX ".conf"

/* libconfig would open whatever the line names: a configuration is the files it is said to be. */
static bool refuse_includes(struct loader *l, const char *text)
{
    bool found = false;
    unsigned line = 1;

    for (const char *p = text; p; line++) {
        if (strncmp(p + strspn(p, " \t"), "@include", strlen("@include")) == 0) {
            config_problem_add(l->problems, l->file, line,
                               "@include is not taken: put groups into files of their own in the "
                               "directory groups.d");
            found = true;
        }
        p = strchr(p, '\n');
        if (p)
            p++;
    }
    return found;
}

static void load_text(struct loader *l, const char *text)
{
    config_t lc;

    if (refuse_includes(l, text))
        return;
    config_init(&lc);
    if (config_read_string(&lc, text) == CONFIG_TRUE)
        load_root(l, config_root_setting(&lc));
    else if (strstr(config_error_text(&lc), "duplicate"))
        config_problem_add(l->problems, l->file, (unsigned)config_error_line(&lc),
                           "the same key appears twice here: keep one of the two");
    else if (strstr(config_error_text(&lc), "mismatched"))
        config_problem_add(l->problems, l->file, (unsigned)config_error_line(&lc),
                           "%s: write all of them as strings, in quotes", config_error_text(&lc));
    else
        config_problem_add(l->problems, l->file, (unsigned)config_error_line(&lc),
                           "%s: look here and just before for a missing \";\", quote or bracket",
                           config_error_text(&lc));
    config_destroy(&lc);
}

static void load_file(struct loader *l, const char *path, enum config_file_kind kind)
{
    _cleanup_free_ char *text = NULL;
    size_t max = kind == FILE_SNAPSHOT ? CONFIG_SNAPSHOT_SIZE_MAX : CONFIG_FILE_SIZE_MAX;
    int r = file_read(path, max, &text);

    l->file = path;
    l->kind = kind;
    if (r == -ENOMEM)
        l->out_of_memory = true;
    else if (r == -EFBIG)
        config_problem_add(l->problems, path, 0, "is larger than %zu KiB", max / 1024);
    else if (r == -EILSEQ)
        config_problem_add(l->problems, path, 0, "is no text: it has a NUL byte");
    else if (r == -ENOTSUP || r == -EISDIR)
        config_problem_add(l->problems, path, 0, "is no regular file");
    else if (r < 0)
        config_problem_add(l->problems, path, 0, "cannot be read: %s", strerror(-r));
    else
        load_text(l, text);
    l->file = NULL;
}

static bool is_read(const char *name)
{
    size_t n = strlen(name), tail = strlen(GROUPS_SUFFIX);

    return n > tail && strcmp(name + n - tail, GROUPS_SUFFIX) == 0;
}

int config_each_ignored(const char *groups_dir, void (*found)(void *userdata, const char *file),
                        void *userdata)
{
    assert(groups_dir);
    assert(found);

    char **names;
    size_t n;
    int r = file_names(groups_dir, "", CONFIG_FILES_MAX, &names, &n);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    for (size_t i = 0; i < n && r == 0; i++) {
        _cleanup_free_ char *path = NULL;

        if (is_read(names[i]))
            continue;
        if (asprintf(&path, "%s/%s", groups_dir, names[i]) < 0) {
            path = NULL;
            r = -ENOMEM;
        } else
            found(userdata, path);
    }
    file_names_free(names, n);
    return r;
}

static void load_groups_dir(struct loader *l, const char *dir)
{
    char **names;
    size_t n;
    int r = file_names(dir, GROUPS_SUFFIX, CONFIG_FILES_MAX, &names, &n);

    if (r == -ENOENT)
        return;
    if (r == -ENOMEM)
        l->out_of_memory = true;
    else if (r == -E2BIG)
        config_problem_add(l->problems, dir, 0, "has more than %d .conf files: %d are taken",
                           CONFIG_FILES_MAX, CONFIG_FILES_MAX);
    else if (r < 0)
        config_problem_add(l->problems, dir, 0, "cannot be read: %s", strerror(-r));
    if (r < 0)
        return;

    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
            l->out_of_memory = true;
        } else
            load_file(l, path, FILE_GROUPS);
    }
    file_names_free(names, n);
}

/* Without "node" the node has the host's name. */
static void default_node(struct loader *l, const char *file)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (l->config->node[0])
        return;
    if (gethostname(host, sizeof host - 1) < 0 || !node_name_valid(host)) {
        config_problem_add(l->problems, file, 0,
                           "has no \"node\", and the host name \"%s\" is no valid node name (1 to "
                           "%d letters, digits and _.-, a letter or digit first): write node = "
                           "\"db1\";",
                           host, NODE_NAME_MAX);
        return;
    }
    (void)snprintf(l->config->node, sizeof l->config->node, "%s", host);
}

/* The end: the model if all is well, an error if not. */
static int conclude(struct loader *l, struct tenure_config *config, struct tenure_config **ret)
{
    free(l->places);
    if (l->out_of_memory || l->problems->out_of_memory || l->problems->n > 0) {
        (void)config_free(config);
        return l->out_of_memory || l->problems->out_of_memory ? -ENOMEM : -EBADMSG;
    }
    *ret = config;
    return 0;
}

int config_load(const struct config_paths *paths, struct config_problems *problems,
                struct tenure_config **ret)
{
    assert(paths);
    assert(problems);
    assert(problems->n == 0);
    assert(ret);

    struct tenure_config *config = calloc(1, sizeof *config);
    struct loader l = {
        .config = config,
        .problems = problems,
        .unit_dirs = paths->unit_dirs ? paths->unit_dirs : trigger_unit_dirs,
    };

    if (!config)
        return -ENOMEM;
    load_file(&l, paths->main_file, FILE_MAIN);
    /* Reported only when nothing else was: a file with a syntax error may well have one. */
    if (problems->n == 0 && !l.have_arbiter)
        config_problem_add(problems, paths->main_file, 0,
                           "has no \"arbiter\": write arbiter = { type = \"postgresql\"; conninfo "
                           "= \"host=… dbname=tenure user=tenure\"; };");
    if (problems->n == 0)
        default_node(&l, paths->main_file);
    load_groups_dir(&l, paths->groups_dir);
    load_finish(&l);
    return conclude(&l, config, ret);
}

int config_load_snapshot(const char *path, struct config_problems *problems,
                         struct tenure_config **ret)
{
    static const char *const no_dirs[] = {NULL};

    assert(path);
    assert(problems);
    assert(problems->n == 0);
    assert(ret);

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return -ENOENT;

    struct tenure_config *config = calloc(1, sizeof *config);
    struct loader l = {.config = config, .problems = problems, .unit_dirs = no_dirs};

    if (!config)
        return -ENOMEM;
    load_file(&l, path, FILE_SNAPSHOT);
    if (problems->n == 0 && (!l.have_arbiter || !config->node[0]))
        config_problem_add(problems, path, 0, "is incomplete: it lacks the node or the arbiter");
    load_finish(&l);
    return conclude(&l, config, ret);
}

int config_load_applied(const char *const files[], struct config_problems *problems,
                        struct tenure_config **ret, size_t *ret_from)
{
    assert(files);
    assert(problems);
    assert(ret);

    bool found = false;

    for (size_t i = 0; files[i]; i++) {
        _cleanup_problems_ struct config_problems here = {0};
        int r = config_load_snapshot(files[i], &here, ret);

        if (r == 0 && ret_from)
            *ret_from = i;
        if (r == 0 || r == -ENOMEM)
            return r;
        if (r == -EBADMSG && !found) {
            *problems = here;
            here = (struct config_problems){0};
        }
        found = found || r == -EBADMSG;
    }
    return found ? -EBADMSG : -ENOENT;
}
