/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_FUZZ_PACK_H
#define TENURE_FUZZ_PACK_H

/* The inputs that fuzzers found are in one file per target, corpus/TARGET.tar: a tar archive of the
 * plainest kind. Everybody has a program that opens it, and a page of C reads it without a library.
 * It is not compressed: git does that. pack.py writes it. */

#include <stddef.h>
#include <stdint.h>

#define PACK_NAME_MAX 100

/* A pack in memory; it starts at 0. */
struct pack {
    const uint8_t *data;
    size_t size, at;
};

struct pack_input {
    char name[PACK_NAME_MAX];
    const uint8_t *data; /* into the pack */
    size_t size;
};

/* The next input. Returns 1; 0 after the last one; -EBADMSG when what is left is not what pack.py
 * writes: it is cut off, damaged, or not a file. */
int pack_next(struct pack *p, struct pack_input *ret);

#endif
