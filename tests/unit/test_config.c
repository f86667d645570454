/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/load.h"
#include "config/snapshot.h"
#include "config/trigger.h"
#include "config/unit_name.h"
#include "support/folder.h"
#include "support/libconfig_leaks.h"
#include "support/test.h"

static int load(struct config_problems *problems, struct tenure_config **ret)
{
    const char *const unit_dirs[] = {in_folder("etc"), in_folder("lib"), NULL};
    const struct config_paths paths = {.main_file = in_folder("tenure.conf"),
                                       .groups_dir = in_folder("groups.d"),
                                       .unit_dirs = unit_dirs};

    return config_load(&paths, problems, ret);
}

static struct tenure_config *load_good(void)
{
    struct config_problems problems = {0};
    struct tenure_config *c = NULL;
    int r = load(&problems, &c);

    for (size_t i = 0; i < problems.n; i++)
        (void)fprintf(stderr, "%s:%u: %s\n", problems.items[i].file, problems.items[i].line,
                      problems.items[i].text);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(problems.n, 0);
    config_problems_clear(&problems);
    return c;
}

/* ---- what is refused ---- */

TEST_CASE(refused, .set_up = folder_make, .time_limit = 60);

#define ARBITER "arbiter = { type = \"postgresql\"; conninfo = \"dbname=tenure\"; };\n"
#define MAIN "node = \"n1\";\n" ARBITER
#define GROUP(more) "groups = ( { name = \"g\"; units = [ \"a.service\" ];\n" more " } );\n"
#define UNITS(list) "groups = ( { name = \"g\";\n units = " list "; } );\n"
#define TOO_MANY_UNITS                                                                             \
    "[\"a1.service\",\"a2.service\",\"a3.service\",\"a4.service\",\"a5.service\",\"a6.service\","  \
    "\"a7.service\",\"a8.service\",\"a9.service\",\"a10.service\",\"a11.service\",\"a12.service\"" \
    ",\"a13.service\",\"a14.service\",\"a15.service\",\"a16.service\",\"b1.service\",\"b2.service" \
    "\",\"b3.service\",\"b4.service\",\"b5.service\",\"b6.service\",\"b7.service\",\"b8.service\"" \
    ",\"b9.service\",\"b10.service\",\"b11.service\",\"b12.service\",\"b13.service\",\"b14.servic" \
    "e\",\"b15.service\",\"b16.service\",\"c1.service\",\"c2.service\",\"c3.service\",\"c4.servic" \
    "e\",\"c5.service\",\"c6.service\",\"c7.service\",\"c8.service\",\"c9.service\",\"c10.service" \
    "\",\"c11.service\",\"c12.service\",\"c13.service\",\"c14.service\",\"c15.service\",\"c16.ser" \
    "vice\",\"d1.service\",\"d2.service\",\"d3.service\",\"d4.service\",\"d5.service\",\"d6.servi" \
    "ce\",\"d7.service\",\"d8.service\",\"d9.service\",\"d10.service\",\"d11.service\",\"d12.serv" \
    "ice\",\"d13.service\",\"d14.service\",\"d15.service\",\"d16.service\",\"e.service\"]"
#define DASHES "a-------------------------------------------------------------a"
#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *main_file;
    const char *groups; /* groups.d/b.conf; NULL: none */
    const char *file;   /* where the first problem is */
    unsigned line;
    const char *fragment;
    size_t n; /* problems; 0: one */
} broken[] = {
    /* syntax */
    {MAIN "x", NULL, "tenure.conf", 3, "syntax error", 0},
    {MAIN "node2 = \"x\" foo", NULL, "tenure.conf", 3, "syntax error", 0},
    {"arbiter = {\n type = ;\n};", NULL, "tenure.conf", 2, "syntax error", 0},
    {MAIN "groups = ( { name = \"g\" };", NULL, "tenure.conf", 3, "syntax error", 0},
    {MAIN "groups = ( {\n name = \"g\"; name = \"h\"; } );", NULL, "tenure.conf", 4, "twice", 0},
    {MAIN "node = \"n2\";", NULL, "tenure.conf", 3, "twice", 0},
    {MAIN "@include \"/etc/passwd\"\n", NULL, "tenure.conf", 3, "@include is not taken", 0},
    {MAIN "  @include \"x\"\n@include \"y\"\n", NULL, "tenure.conf", 3, "@include", 2},
    {MAIN, "groups = (", "groups.d/b.conf", 1, "syntax error", 0},
    {MAIN UNITS("[ \"a.service\", 3 ]"), NULL, "tenure.conf", 4,
     "mismatched element type in array: write", 0},
    /* the file as a whole */
    {"", NULL, "tenure.conf", 0, "no \"arbiter\"", 0},
    {"node = \"n1\";\n", NULL, "tenure.conf", 0, "no \"arbiter\"", 0},
    {MAIN, "", "groups.d/b.conf", 0, "declares no groups", 0},
    {MAIN "color = \"red\";", NULL, "tenure.conf", 3, "\"color\" is not known here", 0},
    {MAIN "lease = \"15s\";", NULL, "tenure.conf", 3, "takes node, arbiter and groups", 0},
    {MAIN, "node = \"n2\";\n", "groups.d/b.conf", 1, "belong into tenure.conf", 0},
    {MAIN, "\n" ARBITER, "groups.d/b.conf", 2, "\"arbiter\" is not known in a file of groups", 0},
    /* node */
    {"node = 5;\n" ARBITER, NULL, "tenure.conf", 1, "node is the integer 5: it must be a string",
     0},
    {"node = \"a b\";\n" ARBITER, NULL, "tenure.conf", 1, "node name \"a b\" is not valid", 0},
    {"node = \"\";\n" ARBITER, NULL, "tenure.conf", 1, "node name \"\" is not valid", 0},
    {"node = \"-a\";\n" ARBITER, NULL, "tenure.conf", 1, "a letter or digit first", 0},
    {"node = \"a" LONG64 "\";\n" ARBITER, NULL, "tenure.conf", 1, "1 to 64 letters", 0},
    {"node = [ \"a\" ];\n" ARBITER, NULL, "tenure.conf", 1, "node is an array", 0},
    /* arbiter */
    {"arbiter = \"postgresql\";", NULL, "tenure.conf", 1, "arbiter is not a group", 0},
    {"arbiter = { };", NULL, "tenure.conf", 1, "the arbiter has no type", 2},
    {"arbiter = { conninfo = \"x=y\"; };", NULL, "tenure.conf", 1, "type = \"postgresql\"", 0},
    {"arbiter = { type = \"etcd\"; conninfo = \"x=y\"; };", NULL, "tenure.conf", 1,
     "arbiter type \"etcd\" is not known", 0},
    {"arbiter = { type = true; conninfo = \"x=y\"; };", NULL, "tenure.conf", 1, "type is true", 0},
    {"arbiter = { type = \"postgresql\"; };", NULL, "tenure.conf", 1, "no conninfo", 0},
    {"arbiter = { type = \"postgresql\";\n conninfo = \"\"; };", NULL, "tenure.conf", 2,
     "conninfo is empty", 0},
    {"arbiter = { type = \"postgresql\";\n conninfo = \" \"; };", NULL, "tenure.conf", 2,
     "conninfo is empty", 0},
    {"arbiter = { type = \"postgresql\";\n conninfo = 5; };", NULL, "tenure.conf", 2,
     "conninfo is no string", 0},
    {"arbiter = { type = \"postgresql\"; conninfo = \"x=y\";\n require_sync = \"yes\"; };", NULL,
     "tenure.conf", 2, "require_sync is \"yes\": write true or false", 0},
    {"arbiter = { type = \"postgresql\"; conninfo = \"x=y\";\n require_sync = 1; };", NULL,
     "tenure.conf", 2, "require_sync is the integer 1", 0},
    {"arbiter = { type = \"postgresql\"; conninfo = \"x=y\";\n allow_unverified = \"no\"; };", NULL,
     "tenure.conf", 2, "allow_unverified is \"no\": write true or false", 0},
    {"arbiter = { type = \"postgresql\"; conninfo = \"x=y\";\n timeout = \"1s\"; };", NULL,
     "tenure.conf", 2, "\"timeout\" is not known in the arbiter", 0},
    /* groups */
    {MAIN "groups = { };", NULL, "tenure.conf", 3, "groups is a group { … }: it must be a list", 0},
    {MAIN "groups = [ ];", NULL, "tenure.conf", 3, "groups is an array", 0},
    {MAIN "groups = \"billing\";", NULL, "tenure.conf", 3, "groups is \"billing\"", 0},
    {MAIN "groups = ( \"billing\" );", NULL, "tenure.conf", 3, "a group is \"billing\": write {",
     0},
    {MAIN "groups = (\n { units = [ \"a.service\" ]; } );", NULL, "tenure.conf", 4,
     "a group has no name", 0},
    {MAIN "groups = ( {\n name = 7;\n units = [ \"a.service\" ]; } );", NULL, "tenure.conf", 4,
     "name is the integer 7", 0},
    {MAIN "groups = ( { name = \"a/b\"; units = [ \"a.service\" ]; } );", NULL, "tenure.conf", 3,
     "group name \"a/b\" is not valid", 0},
    {MAIN "groups = ( { name = \"_a\"; units = [ \"a.service\" ]; } );", NULL, "tenure.conf", 3,
     "group name \"_a\" is not valid", 0},
    {MAIN "groups = ( { name = \"a" LONG64 "\"; units = [ \"a.service\" ]; } );", NULL,
     "tenure.conf", 3, "1 to 64 letters", 0},
    {MAIN "groups = ( { name = \"" DASHES "\"; units = [ \"a.service\" ]; } );", NULL,
     "tenure.conf", 3, "has too many dashes", 0},
    {MAIN GROUP("priority = 5;"), NULL, "tenure.conf", 4, "\"priority\" is not known in a group",
     0},
    {MAIN GROUP("Lease = \"15s\";"), NULL, "tenure.conf", 4, "\"Lease\" is not known", 0},
    {MAIN GROUP(""), "groups = ( {\n\n name = \"g\"; units = [ \"b.service\" ]; } );",
     "groups.d/b.conf", 3, "group \"g\" is declared twice (first at ", 0},
    {MAIN "groups = ( { name = \"g\"; units = [ \"a.service\" ]; },\n"
          "{ name = \"g\"; units = [ \"b.service\" ]; } );",
     NULL, "tenure.conf", 4, "tenure.conf:3)", 0},
    /* method */
    {MAIN GROUP("method = \"raft\";"), NULL, "tenure.conf", 4,
     "method = \"raft\" is not known: write \"lease\" or \"advisory\"", 0},
    {MAIN GROUP("method = \"Advisory\";"), NULL, "tenure.conf", 4, "is not known", 0},
    {MAIN GROUP("method = true;"), NULL, "tenure.conf", 4, "method is true: it must be a string",
     0},
    /* fence */
    {MAIN GROUP("fence = \"none\";"), NULL, "tenure.conf", 4,
     "fence = \"none\" is not known: write \"reboot\", or leave it out", 0},
    {MAIN GROUP("\nfence = \"Reboot\";"), NULL, "tenure.conf", 5, "is not known", 0},
    {MAIN GROUP("fence = true;"), NULL, "tenure.conf", 4,
     "fence is true: it must be a string: write fence = \"reboot\";", 0},
    {MAIN GROUP("fence = \"reboot\"; stop_timeout = \"999ms\";"), NULL, "tenure.conf", 4,
     "fence = \"reboot\" needs a stop_timeout of at least 1s (a tenth of the lease, 1s at most), "
     "not 999ms: write stop_timeout = \"1s\"; or leave fence out",
     0},
    {MAIN GROUP("fence = \"reboot\"; lease = \"6s\";"), NULL, "tenure.conf", 4,
     "lease 6s is too short", 0},
    /* watchdog */
    {MAIN GROUP("watchdog = \"on\";"), NULL, "tenure.conf", 4,
     "watchdog = \"on\" is not known: write \"require\", or leave it out", 0},
    {MAIN GROUP("watchdog = true;"), NULL, "tenure.conf", 4,
     "watchdog is true: it must be a string: write watchdog = \"require\";", 0},
    {MAIN GROUP("watchdog = \"require\"; lease = \"4s\"; stop_timeout = \"599ms\";"), NULL,
     "tenure.conf", 4,
     "watchdog = \"require\" needs a watchdog that comes within stop_timeout and K, 999ms here, "
     "and "
     "none is quicker than 1s",
     0},
    /* durations and budget */
    {MAIN GROUP("lease = 15;"), NULL, "tenure.conf", 4,
     "lease is the integer 15: durations are strings with a unit: write lease = \"15s\"", 0},
    {MAIN GROUP("lease = 1.5;"), NULL, "tenure.conf", 4, "lease is the number 1.5", 0},
    {MAIN GROUP("stop_timeout = 5;"), NULL, "tenure.conf", 4, "stop_timeout is the integer 5", 0},
    {MAIN GROUP("lease = true;"), NULL, "tenure.conf", 4, "lease is true", 0},
    {MAIN GROUP("lease = ( );"), NULL, "tenure.conf", 4, "lease is a list", 0},
    {MAIN GROUP("lease = \"soon\";"), NULL, "tenure.conf", 4, "lease = \"soon\" is no duration", 0},
    {MAIN GROUP("lease = \"\";"), NULL, "tenure.conf", 4, "is no duration", 0},
    {MAIN GROUP("lease = \"-15s\";"), NULL, "tenure.conf", 4, "is no duration", 0},
    {MAIN GROUP("lease = \"15 parsec\";"), NULL, "tenure.conf", 4, "is no duration", 0},
    {MAIN GROUP("lease = \"99999999999999999999s\";"), NULL, "tenure.conf", 4, "is no duration", 0},
    {MAIN GROUP("lease = \"infinity\";"), NULL, "tenure.conf", 4, "is no duration", 0},
    {MAIN GROUP("lease = \"0\";"), NULL, "tenure.conf", 4, "must be more than zero", 0},
    {MAIN GROUP("stop_timeout = \"0s\";"), NULL, "tenure.conf", 4, "must be more than zero", 0},
    {MAIN GROUP("lease = \"2d\";"), NULL, "tenure.conf", 4, "is too long: at most 1440min", 0},
    {MAIN GROUP("lease = \"24h\"; stop_timeout = \"13h\";"), NULL, "tenure.conf", 4,
     "stop_timeout 780min is too long", 0},
    {MAIN GROUP("lease = \"6s\";"), NULL, "tenure.conf", 4,
     "lease 6s is too short for stop_timeout 5s", 0},
    {MAIN GROUP("lease = \"6s\";"), NULL, "tenure.conf", 4, "would do is \"6.800s\"", 0},
    {MAIN GROUP("stop_timeout = \"14s\";"), NULL, "tenure.conf", 4,
     "lease 15s is too short for stop_timeout 14s: of 14.970s (the lease less 0.2 % for clocks) "
     "15.300s go to",
     0},
    {MAIN GROUP("\nlease = \"1s\";\nstop_timeout = \"1s\";"), NULL, "tenure.conf", 5, "too short",
     0},
    /* units */
    {MAIN "groups = (\n { name = \"g\"; } );", NULL, "tenure.conf", 4, "group \"g\" has no units",
     0},
    {MAIN UNITS("[ ]"), NULL, "tenure.conf", 4, "has no units: name at least one", 0},
    {MAIN UNITS("\"a.service\""), NULL, "tenure.conf", 4, "units is \"a.service\": it must be an",
     0},
    {MAIN UNITS("( 5 )"), NULL, "tenure.conf", 4, "a unit is the integer 5", 0},
    {MAIN UNITS("( \"a.service\", ( ) )"), NULL, "tenure.conf", 4, "a unit is a list", 0},
    {MAIN UNITS(TOO_MANY_UNITS), NULL, "tenure.conf", 4, "has 65 units: at most 64", 0},
    {MAIN UNITS("[ \"\" ]"), NULL, "tenure.conf", 4, "unit \"\" is empty", 0},
    {MAIN UNITS("[ \"billing\" ]"), NULL, "tenure.conf", 4, "unit \"billing\" is no unit name: it",
     0},
    {MAIN UNITS("[ \"a.foo\" ]"), NULL, "tenure.conf", 4, "must end in .service", 0},
    {MAIN UNITS("[ \"/etc/systemd/system/a.service\" ]"), NULL, "tenure.conf", 4, "not the path",
     0},
    {MAIN UNITS("[ \"a b.service\" ]"), NULL, "tenure.conf", 4, "are allowed", 0},
    {MAIN UNITS("[ \"a%i.service\" ]"), NULL, "tenure.conf", 4, "are allowed", 0},
    {MAIN UNITS("[ \"\xc3\xa4.service\" ]"), NULL, "tenure.conf", 4, "are allowed", 0},
    {MAIN UNITS("[ \".service\" ]"), NULL, "tenure.conf", 4, "there is nothing before", 0},
    {MAIN UNITS("[ \"@a.service\" ]"), NULL, "tenure.conf", 4, "there is nothing before", 0},
    {MAIN UNITS("[ \"a@.service\" ]"), NULL, "tenure.conf", 4, "is a template", 0},
    {MAIN UNITS("[ \"a.slice\" ]"), NULL, "tenure.conf", 4, "of a type that no group can have", 0},
    {MAIN UNITS("[ \"a.scope\" ]"), NULL, "tenure.conf", 4, "of a type that no group can have", 0},
    {MAIN UNITS("[ \"a.swap\" ]"), NULL, "tenure.conf", 4, "of a type that no group can have", 0},
    {MAIN UNITS("[ \"a.device\" ]"), NULL, "tenure.conf", 4, "of a type that no group can", 0},
    {MAIN UNITS("[ \"a.automount\" ]"), NULL, "tenure.conf", 4, "of a type that no group can", 0},
    {MAIN UNITS("[ \"tenured.service\" ]"), NULL, "tenure.conf", 4, "of tenure itself", 0},
    {MAIN UNITS("[ \"tenure@x.service\" ]"), NULL, "tenure.conf", 4, "of tenure itself", 0},
    {MAIN UNITS("[ \"dbus.service\" ]"), NULL, "tenure.conf", 4, "host or tenure itself depends",
     0},
    {MAIN UNITS("[ \"systemd-journald.service\" ]"), NULL, "tenure.conf", 4, "depends", 0},
    {MAIN UNITS("[ \"multi-user.target\" ]"), NULL, "tenure.conf", 4, "depends", 0},
    {MAIN UNITS("[ \"-.mount\" ]"), NULL, "tenure.conf", 4, "depends", 0},
    {MAIN UNITS("[ \"a.service\",\n \"b.service\",\n \"a.service\" ]"), NULL, "tenure.conf", 6,
     "unit \"a.service\" appears twice in group \"g\" (first at line 4)", 0},
    {MAIN GROUP(""), "groups = ( { name = \"h\";\n units = [ \"a.service\" ]; } );",
     "groups.d/b.conf", 2, "belongs to group \"g\" already (", 0},
    /* triggers; see put_units() */
    {MAIN UNITS("[ \"plain.timer\" ]"), NULL, "tenure.conf", 4,
     "unit \"plain.timer\" starts \"plain.service\", which is not declared in group \"g\"", 0},
    {MAIN UNITS("[ \"named.timer\", \"named.service\" ]"), NULL, "tenure.conf", 4,
     "starts \"other.service\"", 0},
    {MAIN UNITS("[ \"dropped.timer\", \"dropped.service\" ]"), NULL, "tenure.conf", 4,
     "starts \"elsewhere.service\"", 0},
    {MAIN UNITS("[ \"shadowed.path\", \"lib.service\" ]"), NULL, "tenure.conf", 4,
     "starts \"etc.service\"", 0},
    {MAIN UNITS("[ \"accept.socket\" ]"), NULL, "tenure.conf", 4, "has Accept=yes", 0},
    {MAIN UNITS("[ \"listen.socket\" ]"), NULL, "tenure.conf", 4, "starts \"served.service\"", 0},
    {MAIN UNITS("[ \"inst@1.timer\" ]"), NULL, "tenure.conf", 4, "starts \"inst@1.service\"", 0},
    {MAIN UNITS("[ \"job@x-1.timer\", \"job@x-1.service\" ]"), NULL, "tenure.conf", 4,
     "starts \"job-x-1.service\"", 0},
    {MAIN UNITS("[ \"renamed.timer\", \"old.service\" ]"), NULL, "tenure.conf", 4,
     "starts \"new.service\"", 0},
    {MAIN UNITS("[ \"plain.timer\" ]"),
     "groups = ( { name = \"h\"; units = [ \"plain.service\" ]; } );", "tenure.conf", 4,
     "add it to the units of this group", 0},
    /* everything at once */
    {"node = \"!\";\narbiter = { type = \"x\"; };\n" UNITS("[ \"a\", \"b\" ]"),
     "foo = 1;\ngroups = ( 5, { name = \"h\"; lease = 3; } );", "tenure.conf", 1, "node name", 9},
};

static void put_units(void)
{
    folder_put("lib/plain.timer", "[Timer]\nOnCalendar=daily\n");
    folder_put("lib/named.timer", "# Unit=no\n[Unit]\nUnit=no\n[Timer]\n  Unit = other.service \n");
    folder_put("lib/dropped.timer", "[Timer]\nUnit=dropped.service\n");
    folder_put("etc/dropped.timer.d/x.conf", "[Timer]\nUnit=elsewhere.service\n");
    folder_put("lib/shadowed.path", "[Path]\nUnit=lib.service\n");
    folder_put("etc/shadowed.path", "[Path]\nUnit=etc.service\n");
    folder_put("lib/accept.socket", "[Socket]\nListenStream=1\nAccept=Yes\n");
    folder_put("lib/listen.socket", "[Socket]\nAccept=no\nService=served.service\n");
    folder_put("lib/inst@.timer", "[Timer]\n");
    folder_put("lib/specifier.timer", "[Timer]\nUnit=x%H.service\n");
    folder_put("lib/job@.timer", "[Timer]\nUnit=%p-%i.service\n");
    folder_put("lib/renamed.timer", "[Timer]\nUnit=old.service\n");
    folder_put("lib/new.service", "[Service]\n");
    (void)unlink(in_folder("etc/old.service"));
    ck_assert_int_eq(symlink("../lib/new.service", in_folder("etc/old.service")), 0);
}

/* What would be right, or what to do: every message says it. */
static bool has_remedy(const char *text)
{
    static const char *const remedies[] = {
        "write ",      "keep one of the two", "put groups into", "this version takes",
        "take it out", "1 to 64 letters",     "more than zero",  "would do is",
        "at most ",    "must end in .",       "such as \"",      "add it to the units",
        "look here",   "name at least",       "a group has ",    "are allowed;",
    };

    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strstr(text, remedies[i]))
            return true;
    return false;
}

TEST(broken_configuration, EACH(broken))
{
    struct config_problems problems = {0};
    struct tenure_config *c = NULL;
    char expected[512];

    folder_put("tenure.conf", broken[_i].main_file);
    if (broken[_i].groups)
        folder_put("groups.d/b.conf", broken[_i].groups);
    put_units();

    int r = load(&problems, &c);
    for (size_t i = 0; i < problems.n; i++)
        (void)fprintf(stderr, "case %d: %s:%u: %s\n", _i, problems.items[i].file,
                      problems.items[i].line, problems.items[i].text);
    for (size_t i = 0; i < problems.n; i++)
        ck_assert_msg(has_remedy(problems.items[i].text), "no remedy: %s", problems.items[i].text);
    ck_assert_int_eq(r, -EBADMSG);
    ck_assert_ptr_null(c);
    ck_assert_uint_eq(problems.n, broken[_i].n ? broken[_i].n : 1);
    (void)snprintf(expected, sizeof expected, "%s", in_folder(broken[_i].file));
    ck_assert_str_eq(problems.items[0].file, expected);
    ck_assert_uint_eq(problems.items[0].line, broken[_i].line);
    ck_assert_msg(strstr(problems.items[0].text, broken[_i].fragment), "%s",
                  problems.items[0].text);
    config_problems_clear(&problems);
}

TEST(no_message_shows_a_secret)
{
    static const char *const secrets[] = {
        "arbiter = { type = \"x\"; conninfo = \"password=hush\"; foo = \"hush\"; };",
        "arbiter = { type = \"x\"; conninfo = [ \"hush\" ]; password = \"hush\" };",
        "arbiter = { type = \"postgresql\"; conninfo = \"password=hush",
        "conninfo = \"hush\";",
        "arbiter = \"password=hush\";",
    };

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        struct config_problems problems = {0};
        struct tenure_config *c;

        folder_put("tenure.conf", secrets[i]);
        ck_assert_int_eq(load(&problems, &c), -EBADMSG);
        for (size_t k = 0; k < problems.n; k++)
            ck_assert_ptr_null(strstr(problems.items[k].text, "hush"));
        config_problems_clear(&problems);
    }
}

static void expect_unreadable(const char *fragment)
{
    struct config_problems problems = {0};
    struct tenure_config *c;

    ck_assert_int_eq(load(&problems, &c), -EBADMSG);
    ck_assert_uint_eq(problems.items[0].line, 0);
    ck_assert_msg(strstr(problems.items[0].text, fragment), "%s", problems.items[0].text);
    config_problems_clear(&problems);
}

TEST(unreadable_files)
{
    expect_unreadable("cannot be read: No such file");
    ck_assert_int_eq(mkdir(in_folder("tenure.conf"), 0755), 0);
    expect_unreadable("is no regular file");
    ck_assert_int_eq(rmdir(in_folder("tenure.conf")), 0);
    ck_assert_int_eq(mkfifo(in_folder("tenure.conf"), 0644), 0);
    expect_unreadable("is no regular file"); /* and does not hang */
    ck_assert_int_eq(unlink(in_folder("tenure.conf")), 0);

    folder_put("tenure.conf", "");
    ck_assert_int_eq(truncate(in_folder("tenure.conf"), CONFIG_FILE_SIZE_MAX + 1), 0);
    expect_unreadable("is larger than 1024 KiB");
    ck_assert_int_eq(truncate(in_folder("tenure.conf"), 16), 0);
    expect_unreadable("is no text");

    folder_put("tenure.conf", MAIN);
    folder_put("groups.d", "a file");
    expect_unreadable("cannot be read: Not a directory");
}

TEST(too_many_groups)
{
    struct config_problems problems = {0};
    struct tenure_config *c;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(f);
    (void)fputs(MAIN "groups = (", f);
    for (int i = 0; i <= CONFIG_GROUPS_MAX + 1; i++)
        (void)fprintf(f, "%s\n{ name = \"g%d\"; units = [ \"u%d.service\" ]; }", i ? "," : "", i,
                      i);
    (void)fputs(");", f);
    (void)fclose(f);
    folder_put("tenure.conf", text);
    free(text);

    ck_assert_int_eq(load(&problems, &c), -EBADMSG);
    ck_assert_uint_eq(problems.n, 1);
    ck_assert_uint_eq(problems.items[0].line, 4 + CONFIG_GROUPS_MAX);
    ck_assert_ptr_nonnull(strstr(problems.items[0].text, "more than 1000 groups"));
    config_problems_clear(&problems);
}

TEST(many_problems_are_counted)
{
    struct config_problems problems = {0};

    for (int i = 0; i < CONFIG_PROBLEMS_MAX + 5; i++)
        config_problem_add(&problems, "f", 1, "line\nbreak %d", i);
    ck_assert_uint_eq(problems.n, CONFIG_PROBLEMS_MAX);
    ck_assert_uint_eq(problems.n_more, 5);
    ck_assert_str_eq(problems.items[3].text, "line?break 3");
    config_problems_clear(&problems);
    ck_assert_uint_eq(problems.n, 0);
}

/* ---- what is taken ---- */

TEST_CASE(taken, .set_up = folder_make, .time_limit = 60);

TEST(good_minimal)
{
    folder_put("tenure.conf", ARBITER);
    struct tenure_config *c = load_good();
    char host[256] = "";

    ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
    ck_assert_str_eq(c->node, host);
    ck_assert_uint_eq(c->n_groups, 0);
    ck_assert(!c->arbiter.require_sync);
    ck_assert(!c->arbiter.allow_unverified);
    ck_assert(!c->arbiter.unjudged);
    ck_assert_str_eq(c->arbiter.conninfo, "dbname=tenure");
    ck_assert_ptr_null(config_find_group(c, "g"));
    ck_assert_ptr_null(config_free(c));
    ck_assert_ptr_null(config_free(NULL));
}

#define GOOD_MAIN                                                                                  \
    "node = \"n1\";\n"                                                                             \
    "arbiter = { type = \"postgresql\"; require_sync = true;\n"                                    \
    "  allow_unverified = true;\n"                                                                 \
    "  conninfo = \"host=a password='q\\\"u\\\\\\\\o te'\"; };\n"                                  \
    "groups = ( { name = \"z\"; units = ( \"z.service\", \"srv-a\\\\x2db.mount\" );\n"             \
    "             lease = \"7s\"; stop_timeout = \"1s 1us\"; method = \"lease\";\n"                \
    "             fence = \"reboot\"; watchdog = \"require\"; } );\n"
#define GOOD_GROUPS                                                                                \
    "groups = ( { name = \"m-1\"; units = [ \"w@1.service\", \"x.socket\", \"x.service\" ]; },\n"  \
    "           { name = \"a\"; units = [ \"a.target\", \"a@b@c:d_e.service\" ];\n"                \
    "             method = \"advisory\"; } );\n"

TEST(good_full)
{
    folder_put("tenure.conf", GOOD_MAIN);
    folder_put("groups.d/b.conf", GOOD_GROUPS);
    folder_put("groups.d/a.conf", "groups = ( );");
    folder_put("groups.d/c.conf.rpmsave", "rubbish");
    folder_put("groups.d/.hidden.conf", "rubbish");
    struct tenure_config *c = load_good();

    ck_assert_str_eq(c->node, "n1");
    ck_assert(c->arbiter.require_sync);
    ck_assert(c->arbiter.allow_unverified);
    ck_assert_str_eq(c->arbiter.conninfo, "host=a password='q\"u\\\\o te'");
    ck_assert_uint_eq(c->n_groups, 3);
    ck_assert_str_eq(c->groups[0].name, "a");
    ck_assert_str_eq(c->groups[1].name, "m-1");
    ck_assert_str_eq(c->groups[2].name, "z");
    ck_assert_ptr_eq(config_find_group(c, "z"), &c->groups[2]);
    ck_assert_str_eq(c->groups[2].units[1], "srv-a\\x2db.mount");
    ck_assert_uint_eq(c->groups[2].budget.lease, 7 * USEC_PER_SEC);
    ck_assert_uint_eq(c->groups[2].budget.stop, USEC_PER_SEC + 1);
    ck_assert_uint_eq(c->groups[1].budget.lease, CONFIG_LEASE_DEFAULT);
    ck_assert_uint_eq(c->groups[1].budget.stop, CONFIG_STOP_TIMEOUT_DEFAULT);
    ck_assert_uint_eq(c->groups[1].n_units, 3);
    ck_assert_int_eq(c->groups[0].method, METHOD_ADVISORY);
    ck_assert_int_eq(c->groups[1].method, METHOD_LEASE);
    ck_assert_int_eq(c->groups[2].method, METHOD_LEASE);
    ck_assert(c->groups[2].reboot);
    ck_assert(!c->groups[1].reboot);
    ck_assert_uint_eq(c->groups[2].watchdog, 1 * USEC_PER_SEC);
    ck_assert_uint_eq(c->groups[1].watchdog, 0);
    (void)config_free(c);
}

TEST(good_triggers)
{
    put_units();
    folder_put(
        "tenure.conf",
        MAIN UNITS("[ \"plain.timer\", \"plain.service\", \"named.timer\", \"other.service\", "
                   "\"listen.socket\", \"served.service\", \"inst@1.timer\", \"inst@1.service\", "
                   "\"specifier.timer\", \"unknown.timer\", \"unknown.socket\", "
                   "\"job@x-1.timer\", \"job-x-1.service\", \"renamed.timer\", \"new.service\" "
                   "]"));
    (void)config_free(load_good());
}

TEST(trigger_masked)
{
    char name[UNIT_NAME_LEN_MAX + 1];

    put_units();
    const char *const dirs[] = {in_folder("etc"), in_folder("lib"), NULL};
    ck_assert_int_eq(symlink("/dev/null", in_folder("etc/plain.timer")), 0);
    ck_assert_int_eq(trigger_find(dirs, "plain.timer", name, sizeof name), -ENOENT);
    ck_assert_int_eq(trigger_find(dirs, "specifier.timer", name, sizeof name), -ENODATA);
    ck_assert_int_eq(trigger_find(dirs, "shadowed.path", name, sizeof name), 0);
    ck_assert_str_eq(name, "etc.service");
}

/* Who cannot tell what a timer starts must not start it. */
TEST(what_a_timer_may_start)
{
    static const struct {
        const char *timer, *unit;
        bool may;
    } cases[] = {
        {"plain.timer", "plain.service", true},        {"plain.timer", "other.service", false},
        {"named.timer", "other.service", true},        {"named.timer", "named.service", false},
        {"specifier.timer", "xn1.service", true},      {"specifier.timer", "n1.service", false},
        {"unknown.timer", "unknown.service", true},    {"unknown.timer", "new.service", false},
        {"unknown.timer", "unknown.target", false},    {"job@x.timer", "job-x.service", true},
        {"job@x.timer", "job@x.service", false},       {"job@x.timer", "job-y.service", false},
        {"renamed.timer", "new.service", true},        {"renamed.timer", "old.service", false},
        {"directory.timer", "anything.service", true},
    };

    put_units();
    const char *const dirs[] = {in_folder("etc"), in_folder("lib"), NULL};
    ck_assert_int_eq(mkdir(in_folder("etc/directory.timer"), 0755), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(trigger_may_start(dirs, cases[i].timer, cases[i].unit) == cases[i].may,
                      "%s, %s", cases[i].timer, cases[i].unit);
}

TEST(unit_names_at_the_limits)
{
    char name[UNIT_NAME_LEN_MAX + 2];

    memset(name, 'a', sizeof name);
    (void)strcpy(name + UNIT_NAME_LEN_MAX - 10, ".service");
    ck_assert_ptr_null(unit_name_problem(name));
    memset(name, 'a', sizeof name);
    (void)strcpy(name + UNIT_NAME_LEN_MAX - 9, ".service");
    ck_assert_ptr_nonnull(strstr(unit_name_problem(name), "at most 253"));
    ck_assert_ptr_null(unit_name_problem("a:b-c_d.e\\x2d@f@g.service"));
    ck_assert_ptr_null(unit_name_problem("tenure-web.service"));
    ck_assert_ptr_null(unit_name_problem("9.path"));
    ck_assert_ptr_null(unit_name_problem("systemd-nspawn@web.service")); /* nothing depends on it */
}

/* ---- the snapshot ---- */

TEST_CASE(snapshot, .set_up = folder_make, .time_limit = 60);

/* What an earlier version has applied says nothing of it, and stays so however often it is
 * written; what this one applies always does. */
TEST(whether_the_password_was_judged_is_kept)
{
    static const struct {
        const char *said;
        bool unjudged, allowed;
    } of[] = {
        {"", true, false},
        {"allow_unverified = false;", false, false},
        {"allow_unverified = true;", false, true},
    };
    char text[256];

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct tenure_config *c = NULL;
        struct config_problems problems = {0};

        (void)snprintf(text, sizeof text,
                       "node = \"n\"; arbiter = { type = \"postgresql\"; conninfo = \"x=y\"; %s };",
                       of[i].said);
        folder_put("a", text);
        for (int again = 0; again < 2; again++) {
            ck_assert_int_eq(config_load_snapshot(in_folder("a"), &problems, &c), 0);
            ck_assert_int_eq(c->arbiter.unjudged, of[i].unjudged);
            ck_assert_int_eq(c->arbiter.allow_unverified, of[i].allowed);
            ck_assert_int_eq(config_write_snapshot(c, in_folder("a")), 0);
            c = config_free(c);
        }
    }
}

static void expect_equal(const struct tenure_config *a, const struct tenure_config *b)
{
    struct config_difference *list;
    size_t n;

    ck_assert(config_same_arbiter(a, b));
    ck_assert_int_eq(config_diff(a, b, &list, &n), 0);
    ck_assert_uint_eq(n, a->n_groups);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(list[i].change, CONFIG_UNCHANGED);
        ck_assert_uint_eq(list[i].before->watchdog, list[i].after->watchdog);
        ck_assert_mem_eq(&list[i].before->budget, &list[i].after->budget, sizeof(struct budget));
        for (size_t k = 0; k < list[i].before->n_units; k++)
            ck_assert_str_eq(list[i].before->units[k], list[i].after->units[k]);
    }
    free(list);
}

TEST(snapshot_round_trip)
{
    struct config_problems problems = {0};
    struct tenure_config *again = NULL;
    struct stat st;

    folder_put("tenure.conf", GOOD_MAIN);
    folder_put("groups.d/b.conf", GOOD_GROUPS);
    struct tenure_config *c = load_good();

    ck_assert_int_eq(config_load_snapshot(in_folder("applied.conf"), &problems, &again), -ENOENT);
    ck_assert_uint_eq(problems.n, 0);
    for (int i = 0; i < 2; i++) /* the second replaces the first */
        ck_assert_int_eq(config_write_snapshot(c, in_folder("applied.conf")), 0);
    ck_assert_int_eq(stat(in_folder("applied.conf"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(config_load_snapshot(in_folder("applied.conf"), &problems, &again), 0);
    expect_equal(c, again);
    (void)config_free(again);

    /* A write that fails leaves what there is, and no litter. */
    ck_assert_int_lt(config_write_snapshot(c, in_folder("missing/applied.conf")), 0);
    ck_assert_int_eq(mkdir(in_folder("dir"), 0755), 0);
    ck_assert_int_lt(config_write_snapshot(c, in_folder("dir")), 0);
    (void)config_free(c);
    ck_assert_uint_eq(folder_count(""), 4);
}

static char places[5][128];
static const char *const applied[] = {places[0], places[1], places[2], places[3], places[4], NULL};

static void name_places(void)
{
    static const char *const names[] = {"own/applied.conf", "other/copy", "run/applied.conf",
                                        "old.conf", "old.copy"};

    for (size_t i = 0; i < 5; i++)
        (void)snprintf(places[i], sizeof places[i], "%s/%s", folder(), names[i]);
}

/* Loads what is applied. Returns the number of the file, or an error. */
static int applied_from(size_t n_problems)
{
    struct config_problems problems = {0};
    struct tenure_config *c = NULL;
    size_t from = 77;
    int r = config_load_applied(applied, &problems, &c, &from);

    ck_assert_int_eq(r == 0, c != NULL);
    ck_assert_uint_eq(problems.n, n_problems);
    config_problems_clear(&problems);
    (void)config_free(c);
    return r < 0 ? r : (int)from;
}

/* In two trees, so that a person who clears one away leaves the other. */
TEST(applied_is_written_twice)
{
    struct stat st;
    size_t where = 77;
    int of_copy = 77;

    name_places();
    ck_assert_int_eq(applied_from(0), -ENOENT);
    folder_put("tenure.conf", GOOD_MAIN);
    struct tenure_config *c = load_good();
    folder_put("old.conf", MAIN);
    folder_put("old.copy", MAIN);
    ck_assert_int_eq(applied_from(0), CONFIG_APPLIED_OLDER);
    (void)umask(077);
    ck_assert_int_eq(config_write_applied(c, applied, &where, &of_copy), 0);
    (void)umask(022);
    ck_assert_int_eq(of_copy, 0);
    ck_assert_int_eq(stat(in_folder("own"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(access(in_folder("old.conf"), F_OK) & access(in_folder("old.copy"), F_OK), -1);
    ck_assert_int_eq(applied_from(0), 0);
    folder_put("own/applied.conf", "damaged");
    ck_assert_int_eq(applied_from(1), 1);
    ck_assert_int_eq(unlink(in_folder("own/applied.conf")), 0);
    ck_assert_int_eq(applied_from(0), 1);
    folder_put("other/copy", "");
    ck_assert_int_eq(applied_from(1), -EBADMSG);

    /* Without a second place there is one file. */
    ck_assert_int_eq(unlink(in_folder("other/copy")), 0);
    ck_assert_int_eq(rmdir(in_folder("other")), 0);
    folder_put("other", "no directory");
    ck_assert_int_eq(config_write_applied(c, applied, &where, &of_copy), 0);
    ck_assert_int_eq(of_copy, -ENOTDIR);
    ck_assert_int_eq(applied_from(0), 0);
    (void)config_free(c);
}

/* As on a root file system that is read-only: until the next boot, and only where nothing of before
 * would count instead. */
TEST(applied_until_the_next_boot)
{
    size_t where = 77;
    int error = 77;

    name_places();
    folder_put("tenure.conf", GOOD_MAIN);
    struct tenure_config *c = load_good();
    folder_put("own", "no directory");
    folder_put("other", "no directory");
    ck_assert_int_eq(config_write_applied(c, applied, &where, &error), 0);
    ck_assert_uint_eq(where, CONFIG_APPLIED_VOLATILE);
    ck_assert_int_eq(error, -ENOTDIR);
    ck_assert_int_eq(applied_from(1), CONFIG_APPLIED_VOLATILE);

    /* What can be written takes its place. */
    ck_assert_int_eq(unlink(in_folder("own")) | unlink(in_folder("other")), 0);
    ck_assert_int_eq(config_write_applied(c, applied, &where, &error), 0);
    ck_assert_uint_eq(where, CONFIG_APPLIED_OWN);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(access(in_folder("run/applied.conf"), F_OK), -1);

    /* The copy of before would count. */
    ck_assert_int_eq(unlink(in_folder("own/applied.conf")) | rmdir(in_folder("own")), 0);
    folder_put("own", "no directory");
    ck_assert_int_eq(config_write_applied(c, applied, &where, &error), -ENOTDIR);
    ck_assert_uint_eq(where, CONFIG_APPLIED_OWN);
    ck_assert_int_eq(applied_from(1), CONFIG_APPLIED_COPY);
    (void)config_free(c);
}

/* What an earlier version has written would count after the boot: it goes, or nothing is written.
 */
TEST(older_files_do_not_outlive_the_volatile_one)
{
    size_t where = 77;
    int error = 77;

    name_places();
    folder_put("tenure.conf", GOOD_MAIN);
    struct tenure_config *c = load_good();
    folder_put("own", "no directory");
    folder_put("other", "no directory");
    folder_put("old.conf", MAIN);
    folder_put("old.copy", MAIN);
    ck_assert_int_eq(config_find_place(applied, &where, &error), 0);
    ck_assert_uint_eq(where, CONFIG_APPLIED_VOLATILE);
    ck_assert_int_eq(error, -ENOTDIR);
    ck_assert_int_eq(access(in_folder("old.conf"), F_OK), 0);
    ck_assert_int_eq(config_write_applied(c, applied, &where, &error), 0);
    ck_assert_int_eq(access(in_folder("old.conf"), F_OK) & access(in_folder("old.copy"), F_OK), -1);

    ck_assert_int_eq(unlink(in_folder("run/applied.conf")), 0);
    (void)snprintf(places[4], sizeof places[4], "/proc/self/status"); /* nobody can remove it */
    ck_assert_int_lt(config_find_place(applied, &where, &error), 0);
    ck_assert_uint_eq(where, 4);
    ck_assert_int_eq(error, -ENOTDIR);
    ck_assert_int_lt(config_write_applied(c, applied, &where, &error), 0);
    ck_assert_int_eq(access(in_folder("run/applied.conf"), F_OK), -1);
    (void)config_free(c);
}

TEST(restoring_takes_nothing_away)
{
    int of_copy = 77;

    name_places();
    folder_put("tenure.conf", GOOD_MAIN);
    struct tenure_config *c = load_good();
    folder_make_folder("run");
    folder_put("run/applied.conf", MAIN);
    folder_put("old.conf", MAIN);
    ck_assert_int_eq(config_restore_applied(c, applied, &of_copy), 0);
    ck_assert_int_eq(of_copy, 0);
    ck_assert_int_eq(access(in_folder("own/applied.conf"), F_OK), 0);
    ck_assert_int_eq(access(in_folder("other/copy"), F_OK), 0);
    ck_assert_int_eq(access(in_folder("old.conf"), F_OK), 0);
    ck_assert_int_eq(access(in_folder("run/applied.conf"), F_OK), 0);
    (void)config_free(c);
}

/* Missing is noticed; a copy of what was applied before would count as what is. */
TEST(no_copy_of_something_else)
{
    char name[250], copy[512]; /* one that is made under a longer name first cannot be made */
    size_t where = 77;
    int of_copy = 0;

    name_places();
    memset(name, 'x', sizeof name);
    (void)snprintf(copy, sizeof copy, "%s/%.*s", folder(), (int)sizeof name, name);
    const char *const files[] = {places[0], copy, places[2], NULL};
    folder_put("tenure.conf", GOOD_MAIN);
    struct tenure_config *c = load_good();
    FILE *f = fopen(copy, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(MAIN, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(config_write_applied(c, files, &where, &of_copy), 0);
    ck_assert_int_eq(of_copy, -ENAMETOOLONG);
    ck_assert_int_eq(access(copy, F_OK), -1);
    (void)config_free(c);
}

TEST(kept_units)
{
    struct config_problems problems = {0};
    struct tenure_config *again = NULL;

    folder_put("tenure.conf", MAIN "groups = ( { name = \"b\"; units = [ \"b.service\" ]; } );\n");
    struct tenure_config *c = load_good();

    ck_assert_int_eq(config_keep(c, "z", "z.service"), 0);
    ck_assert_int_eq(config_keep(c, "a-1", "x\\x2dy.mount"), 0);
    ck_assert_int_eq(config_keep(c, "b", "c.timer"), 0);
    ck_assert_int_eq(config_keep(c, "b", "d.timer"), 0);
    ck_assert_int_eq(config_keep(c, "b", "c.timer"), 0); /* once is enough */
    ck_assert_int_eq(config_write_snapshot(c, in_folder("applied.conf")), 0);
    ck_assert_int_eq(config_load_snapshot(in_folder("applied.conf"), &problems, &again), 0);
    expect_equal(c, again);
    ck_assert_uint_eq(again->n_kept, 3);
    ck_assert_str_eq(again->kept[0].name, "a-1");
    ck_assert_str_eq(again->kept[0].units[0], "x\\x2dy.mount");
    ck_assert_str_eq(again->kept[2].name, "z");
    const struct config_kept *k = config_find_kept(again, "b");
    ck_assert_ptr_nonnull(k);
    ck_assert_uint_eq(k->n_units, 2);
    ck_assert_str_eq(k->units[1], "d.timer");
    ck_assert_ptr_null(config_find_kept(again, "c"));
    ck_assert_ptr_eq(config_group_of(again, "b.service"), &again->groups[0]);
    ck_assert_ptr_null(config_group_of(again, "c.timer"));
    (void)config_free(again);
    (void)config_free(c);
}

TEST(snapshot_broken)
{
    static const struct {
        const char *text;
        const char *fragment;
    } cases[] = {
        {"", "incomplete"},
        {ARBITER, "incomplete"},
        {"node = \"n\";", "incomplete"},
        {MAIN "groups = (", "syntax error"},
        {MAIN "fence = 1;", "not known"},
        {MAIN "kept = 1;", "damaged"},
        {MAIN "kept = ( 1 );", "damaged"},
        {MAIN "kept = ( { name = \"-\"; units = [ \"a.service\" ]; } );", "damaged"},
        {MAIN "kept = ( { name = \"a\"; } );", "damaged"},
        {MAIN "kept = ( { name = \"a\"; units = [ 1 ]; } );", "damaged"},
        {MAIN "kept = ( { name = \"a\"; units = [ \"dbus.service\" ]; } );", "damaged"},
        {MAIN "groups = ( { name = \"b\"; units = [ \"a.service\" ]; } );"
              "kept = ( { name = \"a\"; units = [ \"a.service\" ]; } );",
         "kept for group \"a\" as well"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_problems problems = {0};
        struct tenure_config *c = NULL;

        folder_put("applied.conf", cases[i].text);
        ck_assert_int_eq(config_load_snapshot(in_folder("applied.conf"), &problems, &c), -EBADMSG);
        ck_assert_ptr_null(c);
        ck_assert_msg(strstr(problems.items[0].text, cases[i].fragment), "%s",
                      problems.items[0].text);
        config_problems_clear(&problems);
    }
}

/* ---- the difference ---- */

TEST_CASE(difference, .set_up = folder_make, .time_limit = 60);

static struct tenure_config *load_text(const char *text)
{
    folder_put("tenure.conf", text);
    return load_good();
}

TEST(differences)
{
    struct tenure_config *a =
        load_text(MAIN "groups = ( { name = \"same\"; units = [ \"a.service\", \"b.service\" ]; },"
                       "{ name = \"gone\"; units = [ \"c.service\" ]; },"
                       "{ name = \"budget\"; units = [ \"d.service\" ]; },"
                       "{ name = \"units\"; units = [ \"e.service\" ]; },"
                       "{ name = \"watched\"; units = [ \"i.service\" ]; },"
                       "{ name = \"both\"; units = [ \"f.service\", \"f.timer\" ]; } );");
    struct tenure_config *b = load_text(
        MAIN "groups = ( { name = \"same\"; units = [ \"b.service\", \"a.service\" ]; },"
             "{ name = \"new\"; units = [ \"c.service\" ]; },"
             "{ name = \"budget\"; units = [ \"d.service\" ]; lease = \"20s\"; },"
             "{ name = \"units\"; units = [ \"e.service\", \"g.service\" ]; },"
             "{ name = \"watched\"; units = [ \"i.service\" ]; watchdog = \"require\"; },"
             "{ name = \"both\"; units = [ \"f.service\", \"h.service\" ]; lease = \"9s\"; } );");
    static const struct {
        const char *name;
        enum config_change change;
    } expected[] = {
        {"both", CONFIG_CHANGED_UNITS},     {"budget", CONFIG_CHANGED_BUDGET},
        {"gone", CONFIG_REMOVED},           {"new", CONFIG_ADDED},
        {"same", CONFIG_UNCHANGED},         {"units", CONFIG_CHANGED_UNITS},
        {"watched", CONFIG_CHANGED_BUDGET},
    };
    struct config_difference *list;
    size_t n;

    ck_assert_int_eq(config_diff(a, b, &list, &n), 0);
    ck_assert_uint_eq(n, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < n; i++) {
        const struct config_group *g = list[i].before ? list[i].before : list[i].after;

        ck_assert_str_eq(g->name, expected[i].name);
        ck_assert_int_eq(list[i].change, expected[i].change);
        ck_assert_int_eq(!list[i].before, expected[i].change == CONFIG_ADDED);
        ck_assert_int_eq(!list[i].after, expected[i].change == CONFIG_REMOVED);
    }
    free(list);

    ck_assert_int_eq(config_diff(NULL, b, &list, &n), 0);
    ck_assert_uint_eq(n, 6);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(list[i].change, CONFIG_ADDED);
    free(list);
    ck_assert(config_same_arbiter(a, b));
    (void)config_free(b);
    b = load_text("node = \"n2\";" ARBITER);
    ck_assert(!config_same_arbiter(a, b));
    (void)config_free(a);
    (void)config_free(b);
}
