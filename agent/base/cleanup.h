/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_BASE_CLEANUP_H
#define TENURE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Build in a cleanup local, publish last with TAKE_PTR() or take_fd(). */
#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __auto_type _taken = (p);                                                                  \
        (p) = NULL;                                                                                \
        _taken;                                                                                    \
    })

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(cleanup_free)

static inline void cleanup_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
#define _cleanup_close_ _cleanup_(cleanup_close)

static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#endif
