/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT '?' /* no longer than what it replaces: texts are cleaned in place */

static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The character that begins here: its length, and its number. 0: none does. */
static size_t take_character(const unsigned char *p, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = length_of(*p);
    uint32_t c = n == 1 ? *p : *p & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) /* the text's end, too */
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    *ret = c;
    return n > 0 && c >= least[n] && c <= 0x10ffff ? n : 0;
}

/* C0, DEL, C1, and what begins a line. */
static bool is_control(uint32_t c)
{
    return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

/* Surrogates and what is no character: D-Bus refuses these. What changes the direction of a
 * line: a reader would see other words than are there. */
static bool is_refused(uint32_t c)
{
    return (c >= 0xd800 && c < 0xe000) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Appends the character, or what replaces it. False: it does not fit any more. */
static bool put(char *ret, size_t size, size_t *used, const char *character, size_t n)
{
    if (n == 1 && *character == ' ' && (*used == 0 || ret[*used - 1] == ' '))
        return true;
    if (*used + n >= size)
        return false;
    /* From the front: in its own place, a text moves to the front alone. */
    for (size_t i = 0; i < n; i++)
        ret[(*used)++] = character[i];
    return true;
}

/* The text was cut within the character that begins here. */
static bool is_cut(const unsigned char *p)
{
    size_t n = 1;

    while ((p[n] & 0xc0) == 0x80)
        n++;
    return !p[n] && n < length_of(*p);
}

const char *text_clean(const char *text, char *ret, size_t size)
{
    assert(ret);
    assert(size > 0);

    static const char blank[] = " ", replacement[] = {REPLACEMENT, '\0'};
    const char *p = text ? text : "";
    size_t used = 0, n;
    bool fits = true;

    for (; *p && fits; p += n) {
        uint32_t c = 0;

        n = take_character((const unsigned char *)p, &c);
        if (n == 0 && is_cut((const unsigned char *)p))
            break;
        if (n == 0 || is_refused(c)) {
            n = n == 0 ? 1 : n;
            fits = put(ret, size, &used, replacement, 1);
        } else if (is_control(c))
            fits = put(ret, size, &used, blank, 1);
        else
            fits = put(ret, size, &used, p, n);
    }
    while (used > 0 && ret[used - 1] == ' ')
        used--;
    ret[used] = '\0';
    return ret;
}
