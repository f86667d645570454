/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#define OPTIONS_MAX 8

static const char help[] =
    "tenurectl shows and configures tenure on this host.\n"
    "\n"
    "  status [GROUP] [--json]  who leads what, since when, and why not this host\n"
    "  check [FILE]             all problems of the configuration, each group's time budget, and\n"
    "                           whether arbiter, systemd, polkit and clock would do\n"
    "      --offline            the files alone\n"
    "  apply                    check, then make the configuration the one that is acted on\n"
    "                           (what `systemctl reload tenured` does)\n"
    "      --dry-run            only say what would come of it\n"
    "      --force              also if its arbiter does not answer and the present one does\n"
    "      --release GROUP      no other host runs what left this group: it may start here again\n"
    "      --if-missing         only if nothing is applied; else write again what got lost of it\n"
    "      --restore            apply nothing; write again what got lost of what is applied, and\n"
    "                           have systemd reload\n"
    "  is-leader GROUP          exit status 0: this host leads; 1: it does not; 3: cannot tell;\n"
    "                           4: there is no such group on this host\n"
    "  confirm-dead NODE        vouch that a node is dead, where no host takes over what it led "
    "by\n"
    "                           itself; where one would, it makes the outage longer\n"
    "      --yes-NODE           do not ask: NODE is that very name, for a script\n"
    "  schema                   the SQL that a DBA reviews and runs in the arbiter's database\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "FILE is the main file, " CONFIG_MAIN_FILE " by default; groups.d/*.conf beside it belong\n"
    "to it. Exit status: 0 done, 1 failed, 2 wrong use; of status also 3 no agent runs here,\n"
    "4 no such group, 5 the agent cannot be reached; of check 1 warnings, 2 something would keep\n"
    "the agent from leading, 3 something could not be checked. See tenurectl(8).\n";

void ctl_print_help(const struct ctl *ctl)
{
    (void)fputs(help, ctl->out);
}

const char *ctl_offending_option(int argc, char *argv[])
{
    return optind > 0 && optind <= argc && argv[optind - 1] ? argv[optind - 1] : "?";
}

static int wrong_option(const struct ctl *ctl, int argc, char *argv[],
                        const struct ctl_option options[])
{
    char known[256] = "";

    for (size_t i = 0; options && options[i].name; i++)
        (void)snprintf(known + strlen(known), sizeof known - strlen(known), "%s--%s%s",
                       i == 0 ? "" : ", ", options[i].name, options[i].flag ? "" : " VALUE");
    return ctl_usage(ctl, "%s has no option \"%s\": %s%s", argv[0],
                     ctl_offending_option(argc, argv), known[0] ? "there is " : "it takes none",
                     known);
}

/* Takes what getopt found. Returns false if it is one value too many. */
static bool take_option(const struct ctl_option *o)
{
    if (o->flag) {
        *o->flag = true;
        return true;
    }
    if (*o->n_values >= o->room)
        return false;
    o->values[(*o->n_values)++] = optarg;
    return true;
}

int ctl_options(const struct ctl *ctl, int argc, char *argv[], const struct ctl_option options[])
{
    struct option list[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    int c, n = 0;

    for (; options && options[n].name; n++) {
        assert(n < OPTIONS_MAX);
        list[n + 1] = (struct option){
            options[n].name, options[n].flag ? no_argument : required_argument, NULL, 256 + n};
    }
    opterr = 0;
    optind = 0; /* glibc: begin from the start */
    while ((c = getopt_long(argc, argv, "h", list, NULL)) != -1) {
        if (c == 'h') {
            ctl_print_help(ctl);
            return CTL_OK + 1;
        }
        if (c < 256 || c >= 256 + n || !take_option(&options[c - 256]))
            return wrong_option(ctl, argc, argv, options) + 1;
    }
    return 0;
}
