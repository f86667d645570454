/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_CONNECTION_H
#define TENURE_HOST_CONNECTION_H

/* The connection to the system bus: it comes about in the event loop, and again when it was lost.
 */

struct host;

int connection_begin(struct host *h);
void connection_end(struct host *h);
void connection_subscribe(struct host *h);

#endif
