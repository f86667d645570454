/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_TESTS_PROOF_PROVE_H
#define TENURE_TESTS_PROOF_PROVE_H

/* What the proofs by CBMC are written with. A value that was never written is any value at all:
 * that is what "for all inputs" means here. */

void __CPROVER_assume(_Bool);
void __CPROVER_assert(_Bool, const char *);

#define ASSUME(condition) __CPROVER_assume(condition)

/* Whenever `when`, also `then`: for all inputs. The name stands in the file "properties". With
 * REACH the question is the other one: can `when` happen at all? The answer must be yes, for a
 * property whose premise cannot hold says nothing. */
#ifdef REACH
#define PROVE(name, when, then) __CPROVER_assert(!(when), name)
#else
#define PROVE(name, when, then) __CPROVER_assert(!(when) || (then), name)
#endif

/* Something that must be possible: the proof is not about an empty world. */
#ifdef REACH
#define POSSIBLE(name, what) __CPROVER_assert(!(what), name)
#else
#define POSSIBLE(name, what) (void)(what)
#endif

/* CBMC's own functions for strings and memory cost most of the time. What they may read is asked
 * once, before a loop that needs not ask again; nothing is ever asked but whether things are equal,
 * and straight through to the end is easier to reason about than a way out of the loop. */
#pragma CPROVER check push
#pragma CPROVER check disable "pointer"
#pragma CPROVER check disable "pointer-overflow"
#pragma CPROVER check disable "unsigned-overflow"
#define memchr(s, c, n) proof_memchr(s, c, n)
static inline void *proof_memchr(const void *s, int c, unsigned long n)
{
    const unsigned char *bytes = s, *found = 0;

    __CPROVER_assert(__CPROVER_r_ok(s, n), "memchr reads what there is");
    for (unsigned long i = n; i-- > 0;)
        found = bytes[i] == (unsigned char)c ? &bytes[i] : found;
    return (void *)found;
}

#define memcmp(a, b, n) proof_differ(a, b, n)
static inline int proof_differ(const void *a, const void *b, unsigned long n)
{
    const unsigned char *x = a, *y = b;
    int differ = 0;

    __CPROVER_assert(__CPROVER_r_ok(a, n) && __CPROVER_r_ok(b, n), "memcmp reads what there is");
    for (unsigned long i = 0; i < n; i++)
        differ |= x[i] ^ y[i];
    return differ;
}

/* For strings that stand in arrays of one size, which is named before this file is read. */
#ifdef STRING_SIZE
#define strcmp(a, b) proof_strcmp(a, b)
static inline int proof_strcmp(const char *a, const char *b)
{
    int differ = 2;

    __CPROVER_assert(__CPROVER_r_ok(a, STRING_SIZE) && __CPROVER_r_ok(b, STRING_SIZE),
                     "strcmp reads what there is");
    for (unsigned long i = STRING_SIZE; i-- > 0;)
        differ = a[i] != b[i] ? 1 : a[i] == 0 ? 0 : differ;
    __CPROVER_assert(differ != 2, "strcmp is given strings");
    return differ;
}
#endif
#pragma CPROVER check pop

#endif
