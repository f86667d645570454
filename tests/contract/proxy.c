/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

#define PAIRS_MAX 16
#define CHUNK 65536
#define KEY_DATA_BYTES 13 /* 'K', length, process id, secret */

struct pair {
    int client, server; /* -1: free */
    bool server_spoke;
    bool key_done;
};

static int loopback(int port, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (listening ? bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0
                  : connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void drop(struct pair *p)
{
    (void)close(p->client);
    (void)close(p->server);
    p->client = p->server = -1;
}

/* The login's end comes in one piece over loopback; its bytes are looked for, not parsed. */
static void change_process_id(struct pair *p, unsigned char *data, size_t n)
{
    static const unsigned char head[] = {'K', 0, 0, 0, 12};

    for (size_t i = 0; !p->key_done && i + KEY_DATA_BYTES <= n; i++)
        if (memcmp(data + i, head, sizeof head) == 0) {
            data[i + 8] ^= 0x55;
            p->key_done = true;
        }
}

static void pass(struct proxy *x, struct pair *p, bool from_client)
{
    static unsigned char data[CHUNK];
    ssize_t n = read(from_client ? p->client : p->server, data, sizeof data);

    if (n <= 0) {
        drop(p);
        return;
    }
    if (from_client && p->server_spoke)
        (void)atomic_fetch_add(&x->turns, 1);
    p->server_spoke = !from_client;
    if (!from_client && atomic_load(&x->foreign))
        change_process_id(p, data, (size_t)n);
    for (ssize_t done = 0; done < n;) {
        ssize_t m = send(from_client ? p->server : p->client, data + done, (size_t)(n - done),
                         MSG_NOSIGNAL);

        if (m <= 0) {
            drop(p);
            return;
        }
        done += m;
    }
}

static void accept_one(struct pair pairs[static PAIRS_MAX], int listener, int server_port)
{
    int client = accept(listener, NULL, NULL), server = loopback(server_port, false);

    for (int i = 0; client >= 0 && server >= 0 && i < PAIRS_MAX; i++)
        if (pairs[i].client < 0) {
            pairs[i] = (struct pair){.client = client, .server = server};
            return;
        }
    if (client >= 0)
        (void)close(client);
    if (server >= 0)
        (void)close(server);
}

static void serve(struct proxy *x, int listener, int server_port)
{
    struct pair pairs[PAIRS_MAX];

    for (int i = 0; i < PAIRS_MAX; i++)
        pairs[i].client = pairs[i].server = -1;
    for (;;) {
        struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = listener, .events = POLLIN}};

        for (int i = 0; i < PAIRS_MAX; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
        }
        if (atomic_load(&x->silent)) {
            (void)usleep(1000);
            continue;
        }
        if (poll(fds, 1 + 2 * PAIRS_MAX, 10) <= 0 || atomic_load(&x->silent))
            continue;
        if (fds[0].revents)
            accept_one(pairs, listener, server_port);
        for (int i = 0; i < PAIRS_MAX; i++) {
            if (pairs[i].client >= 0 && fds[1 + 2 * i].fd >= 0 && fds[1 + 2 * i].revents)
                pass(x, &pairs[i], true);
            if (pairs[i].client >= 0 && fds[2 + 2 * i].fd >= 0 && fds[2 + 2 * i].revents)
                pass(x, &pairs[i], false);
        }
    }
}

struct proxy *proxy_start(int server_port)
{
    struct proxy *x =
        mmap(NULL, sizeof *x, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int listener = loopback(0, true);

    if (x == MAP_FAILED || listener < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        fatal("proxy: %s", strerror(errno));
    x->port = ntohs(address.sin_port);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        fatal("fork: %s", strerror(errno));
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve(x, listener, server_port);
        _exit(0);
    }
    x->pid = pid;
    (void)close(listener);
    return x;
}

void proxy_stop(struct proxy *x)
{
    (void)kill(x->pid, SIGKILL);
    (void)waitpid(x->pid, NULL, 0);
    (void)munmap(x, sizeof *x);
}
