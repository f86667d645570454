/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_HOST_DEVICE_H
#define TENURE_HOST_DEVICE_H

/* The hardware watchdog as the kernel has it. */

#include "base/usec.h"

#define WATCHDOG_CLASS_DIR "/sys/class/watchdog"

/* What counts in the end: a device may not have the time that PID 1 wants, and takes the next
 * longer one then. The longest of all that are armed, as the kernel does not say whose they are; 0:
 * not known. dir: WATCHDOG_CLASS_DIR. Waits for no device. */
usec_t watchdog_device_timeout(const char *dir);

#endif
