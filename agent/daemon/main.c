/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "daemon/daemon.h"

#define EXIT_USAGE 2

static void print_help(void)
{
    (void)printf("Usage: tenured [OPTION]\n"
                 "\n"
                 "The agent of tenure: takes part in the leader election of this host's groups.\n"
                 "It is run by systemd: systemctl enable --now tenured\n"
                 "\n"
                 "  -h, --help      show this and exit\n"
                 "      --version   show the version and exit\n"
                 "\n"
                 "See tenured(8), tenure.conf(5) and tenurectl(8).\n");
}

int main(int argc, char *argv[])
{
    enum { OPTION_VERSION = 256 };
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)printf("tenured %s\n", TENURE_VERSION);
            return EXIT_SUCCESS;
        default:
            (void)fprintf(stderr, "Try: tenured --help\n");
            return EXIT_USAGE;
        }
    if (optind < argc) {
        (void)fprintf(stderr, "tenured: takes no argument, but got \"%s\". Try: tenured --help\n",
                      argv[optind]);
        return EXIT_USAGE;
    }
    return daemon_run(config_applied_files);
}
