/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK 512
#define END (2 * BLOCK) /* that many zeros, and nothing after them */

/* POSIX.1-1988, "ustar": numbers are octal digits. */
struct header {
    char name[PACK_NAME_MAX], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[100], magic[8], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* Digits up to a NUL or a space, 11 at most; -1 for anything else. */
static int64_t octal(const char *field, size_t length)
{
    int64_t value = 0;
    size_t i = 0;

    for (; i < length && field[i] >= '0' && field[i] <= '7'; i++)
        value = value * 8 + (field[i] - '0');
    return i > 0 && i < length && (field[i] == '\0' || field[i] == ' ') ? value : -1;
}

/* The sum of all bytes, those of the checksum taken as spaces. */
static bool checksum_holds(const struct header *h)
{
    const uint8_t *bytes = (const uint8_t *)h;
    int64_t sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += bytes[i];
    for (size_t i = 0; i < sizeof h->checksum; i++)
        sum += ' ' - (uint8_t)h->checksum[i];
    return octal(h->checksum, sizeof h->checksum) == sum && h->checksum[7] == ' ';
}

static bool is_file(const struct header *h)
{
    return memcmp(h->magic, "ustar\00000", sizeof h->magic) == 0 && h->type == '0' &&
           h->prefix[0] == '\0' && h->name[0] != '\0' && memchr(h->name, '\0', sizeof h->name);
}

static bool only_zeros(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != 0)
            return false;
    return true;
}

int pack_next(struct pack *p, struct pack_input *ret)
{
    const uint8_t *rest = p->data + p->at;
    size_t left = p->size - p->at;
    struct header h;

    if (left < BLOCK)
        return -EBADMSG;
    if (only_zeros(rest, BLOCK))
        return left == END && only_zeros(rest, left) ? 0 : -EBADMSG;
    memcpy(&h, rest, sizeof h);
    int64_t size = octal(h.size, sizeof h.size);
    if (!checksum_holds(&h) || !is_file(&h) || size < 0 || (uint64_t)size > left - BLOCK)
        return -EBADMSG;
    size_t padded = ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
    if (padded > left - BLOCK)
        return -EBADMSG;
    memcpy(ret->name, h.name, sizeof ret->name);
    ret->data = rest + BLOCK;
    ret->size = (size_t)size;
    p->at += BLOCK + padded;
    return 1;
}
