/* SPDX-License-Identifier: Apache-2.0 */
/* The second copy of the guards: written whole or not at all, taken away when it is nobody's any
 * more, and read when nothing else tells what was applied. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/file.h"
#include "guard/copy.h"
#include "guard/each.h"
#include "guard/names.h"
#include "guard/remember.h"
#include "guard/text.h"
#include "support/folder.h"
#include "support/readdir.h"
#include "support/test.h"

static const char *const no_dirs[] = {NULL};

TEST_CASE(copy, .set_up = folder_make, .time_limit = 60);

static bool there(const char *name)
{
    struct stat st;

    return lstat(in_folder(name), &st) == 0;
}

static char *get(const char *name)
{
    char *text = NULL;

    ck_assert_msg(file_read(in_folder(name), 1 << 20, &text) == 0, "%s", name);
    return text;
}

static char a[] = "a.service", b[] = "b.timer", x[] = "x.service";
static char *units_a[] = {a, b}, *units_x[] = {x};
static struct config_group groups[] = {
    {.name = "one", .units = units_a, .n_units = 2, .budget = {.stop = USEC_PER_SEC}},
    {.name = "two-2", .units = units_x, .n_units = 1, .budget = {.stop = USEC_PER_SEC}},
};
static const struct tenure_config both = {.groups = groups, .n_groups = 2};
static const struct tenure_config first = {.groups = groups, .n_groups = 1};

static struct guard_copy write_copy(const struct tenure_config *c)
{
    struct guard_copy copy;

    ck_assert_int_eq(guard_copy_write(c, folder(), no_dirs, &copy), 0);
    return copy;
}

static void nothing(void *userdata, const char *unit)
{
    (void)userdata;
    (void)unit;
}

static int differences(const struct tenure_config *c)
{
    return guard_copy_compare(c, folder(), no_dirs, nothing, NULL);
}

TEST(written_whole)
{
    struct stat st;

    (void)umask(077);
    ck_assert_int_eq(differences(&both), 6);
    ck_assert_uint_eq(write_copy(&both).n_written, 6);
    (void)umask(022);
    ck_assert_int_eq(differences(&both), 0);
    for (const char *const *name =
             (const char *const[]){"a.service.d/~tenure.conf", "b.timer.d/~tenure.conf",
                                   "x.service.d/~tenure.conf", "tenure@one.service.d/~tenure.conf",
                                   "tenure@two-2.service.d/~tenure.conf",
                                   "tenured.service.d/~tenure.conf", NULL};
         *name; name++) {
        ck_assert_msg(stat(in_folder(*name), &st) == 0, "%s", *name);
        ck_assert_uint_eq(st.st_mode & 07777, 0644); /* whatever the umask is */
    }
    ck_assert_int_eq(stat(in_folder("a.service.d"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    char *text = get("a.service.d/~tenure.conf"), *expected = NULL;
    ck_assert_int_eq(guard_unit_text(&groups[0], "a.service", &expected), 0);
    ck_assert_str_eq(text, expected); /* what the generator writes */
    free(text);
    free(expected);
    ck_assert_uint_eq(write_copy(&both).n_written, 0); /* nothing to do */
}

static void damage(int how)
{
    const char *file = "a.service.d/~tenure.conf";

    switch (how) {
    case 0:
        ck_assert_int_eq(unlink(in_folder(file)), 0);
        break;
    case 1:
        folder_put(file, "");
        break;
    case 2:
        folder_put(file, "[Unit]\n");
        break;
    case 3:
        ck_assert_int_eq(chmod(in_folder(file), 0600), 0);
        break;
    case 4:
        ck_assert_int_eq(unlink(in_folder(file)), 0);
        ck_assert_int_eq(symlink("/dev/null", in_folder(file)), 0);
        break;
    case 5:
        ck_assert_int_eq(truncate(in_folder(file), 40), 0);
        break;
    default:
        ck_assert_int_eq(unlink(in_folder(file)), 0);
        ck_assert_int_eq(rmdir(in_folder("a.service.d")), 0);
    }
}

TEST(what_is_damaged_is_mended, .times = 7)
{
    (void)write_copy(&both);
    folder_put("a.service.d/mine.conf", "[Service]\nNice=1\n");
    if (_i == 6)
        ck_assert_int_eq(unlink(in_folder("a.service.d/mine.conf")), 0);
    damage(_i);
    ck_assert_int_eq(differences(&both), 1);
    ck_assert_uint_eq(write_copy(&both).n_written, 1);
    ck_assert_int_eq(differences(&both), 0);
    ck_assert(_i == 6 || there("a.service.d/mine.conf"));
    ck_assert(!there("a.service.d/~tenure.new"));
}

/* The agent is nobody there. */
TEST(directories_that_hide_their_guards_are_named)
{
    folder_make_folder("a.service.d");
    ck_assert_int_eq(chmod(in_folder("a.service.d"), 0750), 0);
    struct guard_copy copy = write_copy(&both);
    ck_assert_str_eq(copy.hidden_unit, "a.service");
    ck_assert_uint_eq(copy.hidden_mode, 0750);
    ck_assert_int_eq(chmod(in_folder("a.service.d"), 0755), 0);
    copy = write_copy(&both);
    ck_assert_str_eq(copy.hidden_unit, "");
}

/* What cannot be written there costs no other unit its copy. */
TEST(what_is_refused_is_reported)
{
    ck_assert_int_eq(mkdir(in_folder("elsewhere"), 0755), 0);
    ck_assert_int_eq(symlink("elsewhere", in_folder("a.service.d")), 0);
    struct guard_copy copy = write_copy(&both);
    ck_assert_uint_eq(copy.n_written, 5);
    ck_assert_int_lt(copy.refused, 0);
    ck_assert_str_eq(copy.refused_unit, "a.service");
    ck_assert(!there("elsewhere/~tenure.conf"));
    ck_assert_int_eq(differences(&both), 1);

    folder_put("file", "no directory");
    ck_assert_int_eq(guard_copy_write(&both, in_folder("file"), no_dirs, &copy), 0);
    ck_assert_int_eq(copy.refused, -ENOTDIR);
    ck_assert_str_eq(copy.refused_unit, "");
}

/* For want of something the old copy stays, all of it. */
TEST(all_or_nothing)
{
    struct guard_copy copy;
    struct rlimit limit = {.rlim_cur = 64, .rlim_max = RLIM_INFINITY};
    struct config_group longer[] = {groups[0], groups[1]};
    const struct tenure_config other = {.groups = longer, .n_groups = 2};

    (void)write_copy(&both);
    for (int i = 0; i < 2; i++)
        longer[i].budget.stop = 77 * USEC_PER_SEC;
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = guard_copy_write(&other, folder(), no_dirs, &copy);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(r, -EFBIG);
    ck_assert_int_eq(differences(&both), 0);
    ck_assert(!there("a.service.d/~tenure.new"));
    ck_assert_int_eq(differences(&other), 4);
}

/* What an interrupted writer left is never read. */
TEST(what_was_staged_is_no_obstacle)
{
    (void)write_copy(&both);
    folder_put("a.service.d/~tenure.conf", "");
    folder_put("a.service.d/~tenure.new", "half of");
    ck_assert_int_eq(symlink("/nowhere", in_folder("b.timer.d/~tenure.new")), 0);
    folder_put("b.timer.d/~tenure.conf", "");
    folder_put("x.service.d/~tenure.new", "half of");
    folder_put("never.service.d/~tenure.new", "half of"); /* and taken back before it counted */
    ck_assert_uint_eq(write_copy(&both).n_written, 2);
    ck_assert_int_eq(differences(&both), 0);
    ck_assert_int_eq(guard_copy_prune(&first, folder(), no_dirs), 0);
    ck_assert(!there("x.service.d"));
    ck_assert(!there("never.service.d"));
}

TEST(what_cannot_be_replaced_is_reported)
{
    (void)write_copy(&both);
    ck_assert_int_eq(unlink(in_folder("a.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(unlink(in_folder("x.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(mkdir(in_folder("a.service.d/~tenure.conf"), 0755), 0);
    struct guard_copy copy = write_copy(&both);
    ck_assert_uint_eq(copy.n_written, 1);
    ck_assert_int_eq(copy.refused, -EISDIR);
    ck_assert_str_eq(copy.refused_unit, "a.service");
    ck_assert(!there("a.service.d/~tenure.new"));
    ck_assert_int_eq(differences(&both), 1);
}

TEST(what_is_nobodys_goes)
{
    (void)write_copy(&both);
    folder_put("x.service.d/mine.conf", "[Service]\nNice=1\n");
    ck_assert_int_eq(mkdir(in_folder("other.service.d"), 0755), 0);
    folder_put("other.service.d/zz.conf", "");
    /* Nobody knows whose that is. */
    ck_assert_int_eq(mkdir(in_folder("strange.service.d"), 0755), 0);
    folder_put("strange.service.d/~tenure.conf", "half of some");
    folder_make_folder("lost.service.d");
    ck_assert_int_eq(symlink("/nowhere", in_folder("lost.service.d/~tenure.conf")), 0);
    ck_assert_int_eq(guard_copy_prune(&both, folder(), no_dirs), 0);
    ck_assert_int_eq(differences(&both), 0);

    ck_assert_int_eq(guard_copy_prune(&first, folder(), no_dirs), 0);
    ck_assert(!there("x.service.d/~tenure.conf"));
    ck_assert(there("x.service.d/mine.conf"));
    ck_assert(!there("tenure@two-2.service.d"));
    ck_assert(there("other.service.d/zz.conf"));
    ck_assert(there("strange.service.d/~tenure.conf"));
    ck_assert(there("lost.service.d/~tenure.conf"));
    ck_assert(there("a.service.d/~tenure.conf"));
    ck_assert_int_eq(guard_copy_prune(&first, in_folder("missing"), no_dirs), 0);
}

/* A removed package left them. Units that are applied have guards; nothing else guards the others.
 */
TEST(locks_of_what_is_applied_go)
{
    (void)write_copy(&first);
    folder_make_folder("x.service.d");
    folder_put("a.service.d/~tenure-lock.conf", "[Unit]\n");
    folder_put("x.service.d/~tenure-lock.conf", "[Unit]\n");
    ck_assert_int_eq(guard_copy_prune(&first, folder(), no_dirs), 0);
    ck_assert(!there("a.service.d/~tenure-lock.conf"));
    ck_assert(there("a.service.d/~tenure.conf"));
    ck_assert(there("x.service.d/~tenure-lock.conf"));
    ck_assert_int_eq(differences(&first), 0);
}

static char found[512];

static int note(void *userdata, const char *unit, const char *group)
{
    (void)userdata;
    (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s=%s ", unit, group);
    return 0;
}

TEST(what_was_applied_is_read_from_it)
{
    char group[GROUP_NAME_MAX + 1] = "";

    found[0] = '\0';
    ck_assert_int_eq(guard_copy_scan(in_folder("missing"), note, NULL), 0);
    (void)write_copy(&both);
    folder_put("b.timer.d/~tenure.conf", "[Unit]\n");
    ck_assert_int_eq(guard_copy_scan(folder(), note, NULL), 0);
    ck_assert_str_eq(found, "a.service=one b.timer= x.service=two-2 ");
    ck_assert_int_eq(guard_copy_find(folder(), "x.service", group), 0);
    ck_assert_str_eq(group, "two-2");
    ck_assert_int_eq(guard_copy_find(folder(), "b.timer", group), -EBADMSG);
    ck_assert_int_eq(guard_copy_find(folder(), "y.service", group), -ENOENT);
}

/* What left its group is bound to that still, and never starts. */
TEST(kept_units_are_guarded)
{
    char c[] = "c.service", d[] = "d.socket", *of_one[] = {c}, *of_gone[] = {d};
    struct config_kept kept[] = {{.name = "gone", .units = of_gone, .n_units = 1},
                                 {.name = "one", .units = of_one, .n_units = 1}};
    const struct tenure_config config = {
        .groups = groups, .n_groups = 1, .kept = kept, .n_kept = 2};
    char group[GROUP_NAME_MAX + 1];

    ck_assert_uint_eq(write_copy(&config).n_written, 7);
    char *text = get("c.service.d/~tenure.conf");
    ck_assert_ptr_nonnull(
        strstr(text, "\n[Unit]\nBindsTo=tenure@one.service\nAfter=tenure@one.service\n"
                     "AssertPathExists=/run/tenure/kept/run-tenurectl-apply--release-one\n"));
    ck_assert_ptr_null(strstr(text, "live/state"));
    free(text);
    text = get("d.socket.d/~tenure.conf");
    ck_assert_ptr_nonnull(strstr(text, "\nBindsTo=tenure@gone.service\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nDefaultDependencies=no\n")); /* no cycle at boot */
    free(text);
    ck_assert_int_eq(guard_copy_find(folder(), "d.socket", group), 0);
    ck_assert_str_eq(group, "gone");
    /* The keepers stop them, and do not start them. */
    text = get("tenure@one.service.d/~tenure.conf");
    ck_assert_ptr_nonnull(strstr(text, "\nPropagatesStopTo=c.service\n"));
    ck_assert_ptr_null(strstr(text, "Wants=c.service"));
    ck_assert_ptr_null(strstr(text, "b.timer c.service"));
    free(text);
    text = get("tenure@gone.service.d/~tenure.conf");
    ck_assert_ptr_nonnull(strstr(text, "\nPropagatesStopTo=d.socket\nBefore=d.socket\n"));
    ck_assert_ptr_null(strstr(text, "Wants="));
    free(text);
    text = get("tenured.service.d/~tenure.conf");
    ck_assert_ptr_null(strstr(text, "gone"));
    free(text);
}

static int count_in(void *userdata, const char *unit, const char *text)
{
    if (strcmp(unit, "x.service") == 0) {
        ck_assert_ptr_null(strstr(text, "kept/"));
        ++*(size_t *)userdata;
    }
    return 0;
}

/* Links made since the last apply: what is kept has become another name of what is declared. */
TEST(one_drop_in_for_each_unit)
{
    char y[] = "y.service", *of_gone[] = {y};
    struct config_kept kept[] = {{.name = "one", .units = of_gone, .n_units = 1}};
    const struct tenure_config config = {
        .groups = groups, .n_groups = 2, .kept = kept, .n_kept = 1};
    const char *const dirs[] = {folder(), NULL};
    size_t n = 0;

    ck_assert_int_eq(symlink("/nowhere/x.service", in_folder("x.service")), 0);
    ck_assert_int_eq(symlink("/nowhere/x.service", in_folder("y.service")), 0);
    ck_assert_int_eq(guard_each(&config, dirs, count_in, &n), 0);
    ck_assert_uint_eq(n, 1);
    for (int i = 0; i < 2; i++) {
        struct guard_copy copy;

        ck_assert_int_eq(guard_copy_write(&config, folder(), dirs, &copy), 0);
        ck_assert_uint_eq(copy.n_written, i == 0 ? 7 : 0);
    }
}

static void links_to(const struct unit_links *l, const char *unit, const char *name)
{
    const char *path = unit_links_path(l, unit);

    if (name)
        ck_assert_str_eq(path, in_folder(name));
    else
        ck_assert_ptr_null(path);
}

/* Where somebody finds the link that is to be changed. */
TEST(where_a_link_is)
{
    const char *const dirs[] = {folder(), NULL};
    struct unit_links links;

    ck_assert_int_eq(symlink("/nowhere/x.service", in_folder("x.service")), 0);
    ck_assert_int_eq(symlink("/nowhere/w@.service", in_folder("w@2.service")), 0);
    ck_assert_int_eq(symlink("/nowhere/w@.service", in_folder("w@.service")), 0);
    ck_assert_int_eq(unit_links_load(dirs, &links), 0);
    links_to(&links, "x.service", "x.service");
    links_to(&links, "w@1.service", "w@.service");
    links_to(&links, "w@2.service", "w@2.service");
    links_to(&links, "y.service", NULL);
    unit_links_clear(&links);
}

/* '.', '..', two links and a directory, in any order. What cannot be read to its end may have had a
 * second name behind; what is read, and other directories, count all the same. */
TEST(names_behind_an_error, .times = 5)
{
    const char *const dirs[] = {folder(), in_folder("more"), NULL};
    struct unit_links links;
    size_t n = 0;

    ck_assert_int_eq(mkdir(in_folder("more"), 0755), 0);
    for (const char *const *name = (const char *const[]){"x", "y", "more/z", NULL}; *name; name++) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/%s.service", folder(), *name);
        ck_assert_int_eq(symlink("/nowhere/x.service", path), 0);
    }
    readdir_fails_after((unsigned)_i);
    ck_assert_int_eq(unit_links_load(dirs, &links), -EIO);
    ck_assert_uint_ge(links.n, 1);
    ck_assert_str_eq(links.items[links.n - 1].name, "z.service");
    unit_links_clear(&links);
    readdir_fails_after((unsigned)_i);
    ck_assert_int_eq(guard_each(&both, dirs, count_in, &n), -EIO);
    /* That a link leads nowhere is no such error. */
    ck_assert_int_eq(unit_links_load(dirs, &links), 0);
    ck_assert_uint_eq(links.n, 3);
    unit_links_clear(&links);
}

/* A thousand groups on a disk that syncs are no reason to give up. */
TEST(many_are_quick)
{
    static char names[1000][24];
    static char *units[1000][1];
    static struct config_group many[1000];
    const struct tenure_config c = {.groups = many, .n_groups = 1000};

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(names[i], sizeof names[i], "u%d.service", i);
        units[i][0] = names[i];
        many[i] = (struct config_group){.units = units[i], .n_units = 1, .budget = {.stop = 1}};
        (void)snprintf(many[i].name, sizeof many[i].name, "g%d", i);
    }
    ck_assert_uint_eq(write_copy(&c).n_written, 2001);
    ck_assert_int_eq(differences(&c), 0);
    ck_assert_int_eq(guard_copy_prune(&first, folder(), no_dirs), 0);
    ck_assert(!there("u999.service.d"));
}

/* ---- what is remembered ---- */

TEST_CASE(remember, .set_up = folder_make, .time_limit = 60);

#define REMEMBERED(keeper) "m/" keeper ".d/~tenure.conf"

TEST(keepers_are_remembered)
{
    ck_assert(!guard_remembers(&both, in_folder("m"), no_dirs));
    ck_assert(!there("m")); /* only asked */
    ck_assert_int_eq(guard_remember(&both, in_folder("m"), no_dirs), 1);
    ck_assert(guard_remembers(&both, in_folder("m"), no_dirs));
    ck_assert_int_eq(guard_remember(&both, in_folder("m"), no_dirs), 0);
    ck_assert_uint_eq(folder_count("m"), 2); /* no units */
    char *text = get(REMEMBERED("tenure@two-2.service"));
    ck_assert(strstr(text, "\nPropagatesStopTo=x.service\n"));
    free(text);
}

TEST(groups_are_remembered)
{
    char d[] = "d.socket", *of_gone[] = {d};
    struct config_kept kept[] = {{.name = "gone", .units = of_gone, .n_units = 1}};
    const struct tenure_config config = {
        .groups = groups, .n_groups = 2, .kept = kept, .n_kept = 1};

    ck_assert(!guard_remembers_group(in_folder("m"), "two-2"));
    ck_assert_int_eq(guard_remember(&config, in_folder("m"), no_dirs), 1);
    ck_assert(guard_remembers_group(in_folder("m"), "one"));
    ck_assert(guard_remembers_group(in_folder("m"), "two-2"));
    ck_assert(!guard_remembers_group(in_folder("m"), "two"));
    ck_assert(there(REMEMBERED("tenure@gone.service")));
    ck_assert(!guard_remembers_group(in_folder("m"), "gone"));
}

TEST(those_of_no_group_are_forgotten)
{
    ck_assert_int_eq(guard_remember(&both, in_folder("m"), no_dirs), 1);
    folder_put("m/other.d/README", "somebody's");
    ck_assert(!guard_remembers(&first, in_folder("m"), no_dirs));
    ck_assert(there(REMEMBERED("tenure@two-2.service")));
    /* What is not ours cannot be taken away, and is reported. */
    ck_assert_int_eq(guard_remember(&first, in_folder("m"), no_dirs), -ENOTEMPTY);
    ck_assert(!there("m/tenure@two-2.service.d"));
    ck_assert(there(REMEMBERED("tenure@one.service")));
}

TEST(what_is_remembered_wrongly_is_mended)
{
    ck_assert_int_eq(guard_remember(&both, in_folder("m"), no_dirs), 1);
    folder_put(REMEMBERED("tenure@one.service"), "");
    ck_assert(!guard_remembers(&both, in_folder("m"), no_dirs));
    ck_assert_int_eq(guard_remember(&both, in_folder("m"), no_dirs), 1);
    ck_assert(guard_remembers(&both, in_folder("m"), no_dirs));
    ck_assert_int_eq(guard_remember(&both, in_folder("no/such"), no_dirs), -ENOENT);
}
