/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_SUPPORT_READDIR_H
#define TENURE_TESTS_SUPPORT_READDIR_H

/* The program's own readdir(3) comes before libc's. From now on this many entries are read, of all
 * directories together; the next call fails with EIO, and all is as ever again. */
void readdir_fails_after(unsigned entries);

#endif
