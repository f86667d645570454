/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_API_INTERNAL_H
#define TENURE_API_INTERNAL_H

#include "api/api.h"
#include "base/names.h"

enum api_method {
    API_RELOAD,
    API_RETIRE,
    API_CONFIRM_DEAD,
};

struct api_call {
    struct api *api;
    sd_bus_message *message; /* NULL: its connection is gone */
    sd_bus_slot *caller;     /* asking the bus who calls, or polkit; NULL: not (any more) */
    sd_bus_slot *gone;       /* confirm dead: the bus says when the caller leaves it */
    bool handed_on;          /* the source knows of it */
    bool at_polkit;          /* which has not answered yet */
    enum api_method method;
    uid_t uid;
    char node[NODE_NAME_MAX + 1]; /* confirm dead */
    char **groups;                /* owned; retire */
    size_t n_groups;
};

struct api {
    const struct api_source *source;
    void *userdata;
    sd_bus *bus;
    sd_bus_slot *slots[5]; /* what is exported on it, and the request for the name */

    /* Filled by the finders just before sd-bus reads properties out of them. */
    struct api_manager manager;
    struct api_group group;
    char group_name[GROUP_NAME_MAX + 1]; /* whose description that is */

    struct api_call *calls[API_CALLS_MAX + API_CONFIRMS_MAX];
};

#endif
