/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_API_CALL_H
#define TENURE_API_CALL_H

/* Inside the API: calls of methods, from the message to the answer. */

#include "api/internal.h"

/* The methods. Each is an sd_bus_message_handler_t, with struct api as its userdata. */
int api_on_retire(sd_bus_message *m, void *userdata, sd_bus_error *error);
int api_on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error);
int api_on_confirm_dead(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* The connection is gone: drops the calls that wait on it, and voids what is asked of it. */
void api_calls_disconnect(struct api *a);

void api_calls_free(struct api *a);

#endif
