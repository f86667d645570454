/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER_USER "postgres"
#define START_TRIES 1000 /* of 10 ms */
#define AWAIT_TRIES 1000
#define TRY_USEC 10000
#define JANITOR_USEC 300000

static char root[32];
static char bindir[256];
static struct server template;
static pid_t janitor;
static int janitor_pipe = -1;

void fatal(const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    (void)fprintf(stderr, "%s\n", text);
    /* In a test this process is check's fork, and check prints no stack of ours. */
    ck_abort_msg("%s", text);
    abort();
}

/* ---- programs, run as the server's user ---- */

static void find_binaries(void)
{
    const char *asked = getenv("TENURE_PG_BINDIR");
    char path[sizeof bindir + 16];
    glob_t found = {0};

    (void)snprintf(bindir, sizeof bindir, "%s", asked ? asked : PG_BINDIR);
    (void)snprintf(path, sizeof path, "%s/initdb", bindir);
    if (access(path, X_OK) == 0)
        return;
    if (!asked && glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0)
        (void)snprintf(bindir, sizeof bindir, "%.*s",
                       (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - strlen("/initdb")),
                       found.gl_pathv[found.gl_pathc - 1]);
    else {
        (void)fprintf(stderr,
                      "These tests need a PostgreSQL server: no initdb in \"%s\" or "
                      "/usr/lib/postgresql/*/bin. On Debian: apt install postgresql\n",
                      bindir);
        exit(EXIT_FAILURE);
    }
    globfree(&found);
}

/* PostgreSQL refuses to run as root. In the child. */
static void become_server_user(void)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return;
    user = getpwnam(SERVER_USER);
    if (!user || initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
        setuid(user->pw_uid) < 0) {
        perror("cannot become user " SERVER_USER);
        _exit(127);
    }
}

static pid_t spawn(const char *program, const char *const argv[], const char *log)
{
    char path[sizeof bindir + 64];
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        fatal("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;

    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    become_server_user();
    /* After the change of user, which clears it. SIGQUIT is an immediate shutdown. */
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(127);
    (void)chdir("/");
    /* initdb looks for postgres beside itself, and for itself in PATH. */
    (void)setenv("PATH", bindir, 1);
    (void)snprintf(path, sizeof path, "%s%s%s", *program == '/' ? "" : bindir,
                   *program == '/' ? "" : "/", program);
    (void)execv(path, (char *const *)argv);
    _exit(127);
}

static void show_log(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");

    while (f && fgets(line, sizeof line, f))
        (void)fputs(line, stderr);
    if (f)
        (void)fclose(f);
}

static void run(const char *program, const char *const argv[])
{
    char log[sizeof root + 32];
    int status;

    (void)snprintf(log, sizeof log, "%s/commands-%d.log", root, (int)getpid());
    pid_t pid = spawn(program, argv, log);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        show_log(log);
        fatal("%s failed", program);
    }
    (void)unlink(log);
}

void server_run(const struct server *s, const char *program, const char *const argv[])
{
    (void)s;
    run(program, argv);
}

/* ---- servers ---- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        fatal("no free port: %s", strerror(errno));
    (void)close(fd);
    return ntohs(address.sin_port);
}

void server_configure(const struct server *s, const char *line)
{
    char path[SERVER_PATH_MAX + 32];

    (void)snprintf(path, sizeof path, "%s/postgresql.conf", s->dir);
    FILE *f = fopen(path, "ae");
    if (!f || fprintf(f, "%s\n", line) < 0 || fclose(f) != 0)
        fatal("%s: %s", path, strerror(errno));
}

static void name_dir(struct server *s)
{
    static unsigned n;

    *s = (struct server){0};
    (void)snprintf(s->dir, sizeof s->dir, "%s/s%d-%u", root, (int)getpid(), ++n);
}

static void settle(struct server *s)
{
    char line[SERVER_PATH_MAX + 64];

    s->port = free_port();
    (void)snprintf(line, sizeof line, "port = %d\nunix_socket_directories = '%s'", s->port, s->dir);
    server_configure(s, line);
}

static void initialise(struct server *s)
{
    name_dir(s);
    run("initdb",
        (const char *const[]){"initdb", "-D", s->dir, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                              "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1", NULL});
    /* Crashes here are of the server, never of the machine. A deadlock shall show at once. What a
     * server that is killed leaves behind goes with its folder (mmap). */
    server_configure(s, "fsync = off\nfull_page_writes = off\nlisten_addresses = "
                        "'127.0.0.1'\nshared_buffers = 16MB\n"
                        "dynamic_shared_memory_type = mmap\n"
                        "max_connections = 60\nmax_prepared_transactions = 4\ndeadlock_timeout = "
                        "100ms\nlog_statement = none\n"
                        "logging_collector = off");
    settle(s);
}

void server_copy(const struct server *from, struct server *to)
{
    name_dir(to);
    run("/bin/cp", (const char *const[]){"cp", "-a", from->dir, to->dir, NULL});
    settle(to);
}

void server_make(struct server *s, bool other_system)
{
    if (!other_system) {
        server_copy(&template, s);
        return;
    }
    initialise(s);
    server_start(s);
    server_load_schema(s);
    server_stop(s);
}

static PGconn *try_session(const struct server *s)
{
    char conninfo[SERVER_PATH_MAX + 128];

    (void)snprintf(conninfo, sizeof conninfo,
                   "host=%s port=%d dbname=postgres user=postgres application_name=test", s->dir,
                   s->port);
    PGconn *session = PQconnectdb(conninfo);
    if (PQstatus(session) == CONNECTION_OK)
        return session;
    PQfinish(session);
    return NULL;
}

void server_start(struct server *s)
{
    char log[SERVER_PATH_MAX + 32];

    (void)snprintf(log, sizeof log, "%s.log", s->dir);
    s->pid = spawn("postgres", (const char *const[]){"postgres", "-D", s->dir, NULL}, log);
    for (int i = 0; i < START_TRIES; i++) {
        PGconn *session = try_session(s);

        if (session) {
            PQfinish(session);
            return;
        }
        if (waitpid(s->pid, NULL, WNOHANG) != 0)
            break;
        (void)usleep(TRY_USEC);
    }
    show_log(log);
    fatal("the server does not start");
}

static void end(struct server *s, int signal)
{
    if (s->pid <= 0)
        return;
    (void)kill(s->pid, signal);
    if (waitpid(s->pid, NULL, 0) != s->pid)
        fatal("waitpid: %s", strerror(errno));
    s->pid = 0;
}

void server_crash(struct server *s)
{
    end(s, SIGQUIT);
}

void server_stop(struct server *s)
{
    end(s, SIGINT);
}

/* ---- SQL ---- */

PGconn *server_session(const struct server *s)
{
    PGconn *session = try_session(s);

    if (!session)
        fatal("cannot connect to the test server");
    return session;
}

static PGresult *execute(PGconn *session, const char *statement)
{
    PGresult *result = PQexec(session, statement);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fatal("%s: %s", statement, PQerrorMessage(session));
    return result;
}

void session_do(PGconn *session, const char *statement)
{
    PQclear(execute(session, statement));
}

static PGresult *query(const struct server *s, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

static PGresult *query(const struct server *s, const char *format, va_list ap)
{
    char statement[4096];
    PGconn *session = server_session(s);

    (void)vsnprintf(statement, sizeof statement, format, ap);
    PGresult *result = execute(session, statement);
    PQfinish(session);
    return result;
}

PGresult *server_query(const struct server *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    PGresult *result = query(s, format, ap);
    va_end(ap);
    return result;
}

void server_do(const struct server *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    PQclear(query(s, format, ap));
    va_end(ap);
}

long long server_number(const struct server *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    PGresult *result = query(s, format, ap);
    va_end(ap);
    if (PQntuples(result) != 1)
        fatal("%s: %d rows", format, PQntuples(result));
    long long number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

void server_await(const struct server *s, const char *what, const char *statement)
{
    for (int i = 0; i < AWAIT_TRIES; i++) {
        if (server_number(s, "%s", statement) > 0)
            return;
        (void)usleep(TRY_USEC);
    }
    fatal("waited in vain until %s", what);
}

void server_load_schema(const struct server *s)
{
    char port[16], copy[SERVER_PATH_MAX + 16];

    /* The server's user need not be able to read the source tree. */
    (void)snprintf(copy, sizeof copy, "%s.sql", s->dir);
    (void)snprintf(port, sizeof port, "%d", s->port);
    FILE *from = fopen(SCHEMA_SQL, "re"), *to = fopen(copy, "we");
    if (!from || !to)
        fatal("%s: %s", SCHEMA_SQL, strerror(errno));
    for (int c; (c = fgetc(from)) != EOF;)
        (void)fputc(c, to);
    (void)fclose(from);
    if (fclose(to) != 0)
        fatal("%s: %s", copy, strerror(errno));
    run("psql",
        (const char *const[]){"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", s->dir, "-p", port,
                              "-U", "postgres", "-d", "postgres", "-f", copy, NULL});
    (void)unlink(copy);
}

void server_certify(const struct server *s, char path[static SERVER_PATH_MAX + 32])
{
    char key[SERVER_PATH_MAX + 32];

    (void)snprintf(path, SERVER_PATH_MAX + 32, "%s/server.crt", s->dir);
    (void)snprintf(key, sizeof key, "%s/server.key", s->dir);
    server_run(s, "/usr/bin/openssl",
               (const char *const[]){"openssl", "req", "-new", "-x509", "-days", "2", "-nodes",
                                     "-newkey", "rsa:2048", "-subj", "/CN=pg.test", "-addext",
                                     "subjectAltName=DNS:pg.test", "-keyout", key, "-out", path,
                                     NULL});
    server_configure(s, "ssl = on");
}

int mute_port(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(*fd, 16) < 0 || getsockname(*fd, (struct sockaddr *)&address, &length) < 0)
        fatal("no mute port: %s", strerror(errno));
    return ntohs(address.sin_port);
}

/* ---- all of them ---- */

static void remove_files(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)execl("/bin/rm", "rm", "-rf", "--one-file-system", root, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

/* Removes the files when this program is gone, however it went. */
static void start_janitor(void)
{
    int ends[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC) < 0)
        fatal("pipe: %s", strerror(errno));
    janitor = fork();
    if (janitor < 0)
        fatal("fork: %s", strerror(errno));
    if (janitor > 0) {
        (void)close(ends[0]);
        janitor_pipe = ends[1];
        return;
    }
    (void)setsid(); /* a signal to the whole group of the tests is not for it */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(ends[1]);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
    remove_files();
    /* Servers that are just dying may write a last file. */
    (void)usleep(JANITOR_USEC);
    remove_files();
    _exit(0);
}

void servers_set_up(void)
{
    const struct passwd *user = getpwnam(SERVER_USER);

    find_binaries();
    (void)snprintf(root, sizeof root, "/tmp/tenure-contract-XXXXXX");
    if (!mkdtemp(root)) {
        perror("mkdtemp");
        exit(EXIT_FAILURE);
    }
    start_janitor();
    if (geteuid() == 0 && (!user || chown(root, user->pw_uid, user->pw_gid) < 0)) {
        (void)fprintf(stderr, "there is no user %s to run the server as\n", SERVER_USER);
        exit(EXIT_FAILURE);
    }
    initialise(&template);
    server_start(&template);
    server_load_schema(&template);
    server_do(&template, "alter database template1 is_template false");
    server_do(&template, "drop database template1"); /* one less to copy */
    server_stop(&template);
}

void servers_clean_up(void)
{
    if (janitor <= 0)
        return;
    (void)close(janitor_pipe);
    (void)waitpid(janitor, NULL, 0);
    janitor = 0;
}
