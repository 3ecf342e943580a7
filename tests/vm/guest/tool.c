/*
 * The one program that a guest has besides busybox and iproute2.
 *
 *   tool ctl                  control server on the virtio port "ctl"
 *   tool watch ADDRESS        print + or - whenever the address comes or goes
 *   tool rts DEV on|off       what the other machine sees as CTS
 *   tool stall SEC            keep every other process off the CPU
 *   tool tsc                  on the host: how fast the clock of its processor counts, in kHz
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "vmtool: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(clockid_t clk)
{
    struct timespec t;
    clock_gettime(clk, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void doze(double s)
{
    struct timespec t = { (time_t)s, (long)((s - (time_t)s) * 1e9) };
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* ---- control server -------------------------------------------------- */

struct job {
    struct job *next;
    pid_t pid;
    int out;
    char id[32];
};

static struct job *jobs;

static const char b64c[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t b64enc(const unsigned char *in, size_t n, char *out)
{
    char *o = out;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = in[i] << 16;
        if (i + 1 < n) v |= in[i + 1] << 8;
        if (i + 2 < n) v |= in[i + 2];
        *o++ = b64c[v >> 18 & 63];
        *o++ = b64c[v >> 12 & 63];
        *o++ = i + 1 < n ? b64c[v >> 6 & 63] : '=';
        *o++ = i + 2 < n ? b64c[v & 63] : '=';
    }
    return o - out;
}

static size_t b64dec(const char *in, unsigned char *out)
{
    static signed char rev[256];
    uint32_t v = 0;
    int bits = 0;
    size_t n = 0;
    if (!rev['B']) {
        memset(rev, -1, sizeof rev);
        for (int i = 0; i < 64; i++)
            rev[(unsigned char)b64c[i]] = i;
    }
    for (; *in && *in != '='; in++) {
        int d = rev[(unsigned char)*in];
        if (d < 0)
            continue;
        v = v << 6 | d;
        if ((bits += 6) >= 8) {
            bits -= 8;
            out[n++] = v >> bits & 255;
        }
    }
    return n;
}

static void put_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n > 16384 ? 16384 : n);
        if (w > 0) {
            p += w;
            n -= w;
        } else if (w < 0 && errno == EAGAIN) {
            struct pollfd q = { fd, POLLOUT, 0 };
            poll(&q, 1, 1000);
        } else if (w < 0 && errno == EINTR) {
            continue;
        } else {
            return;             /* the host is gone; drop the answer */
        }
    }
}

static void answer(int port, const char *id, int rc, int fd)
{
    struct stat st;
    unsigned char *data = NULL;
    size_t n = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        data = malloc(st.st_size);
        ssize_t r = pread(fd, data, st.st_size, 0);
        n = r > 0 ? r : 0;
    }
    char *line = malloc(n * 4 / 3 + 80);
    size_t l = sprintf(line, "D %s %d ", id, rc);
    l += b64enc(data, n, line + l);
    line[l++] = '\n';
    put_all(port, line, l);
    free(line);
    free(data);
}

static void start_job(int port, const char *id, const char *cmd)
{
    struct job *j = calloc(1, sizeof *j);
    snprintf(j->id, sizeof j->id, "%s", id);
    j->out = memfd_create("job", MFD_CLOEXEC);
    fcntl(j->out, F_SETFL, O_APPEND);
    j->pid = fork();
    if (j->pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(j->out, 1);
        dup2(j->out, 2);
        if (chdir("/") < 0)
            _exit(126);
        execl("/bin/sh", "sh", "-c", cmd, (char *)NULL);
        _exit(127);
    }
    if (j->pid < 0) {
        answer(port, id, 125, -1);
        close(j->out);
        free(j);
        return;
    }
    j->next = jobs;
    jobs = j;
}

static void reap(int port)
{
    for (struct job **p = &jobs; *p;) {
        struct job *j = *p;
        int st;
        if (waitpid(j->pid, &st, WNOHANG) == j->pid) {
            answer(port, j->id,
                   WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st), j->out);
            close(j->out);
            *p = j->next;
            free(j);
        } else {
            p = &j->next;
        }
    }
}

static int open_port(void)
{
    for (int tries = 0; tries < 600; tries++) {
        for (int i = 0; i < 8; i++) {
            char path[64], name[32] = "";
            snprintf(path, sizeof path, "/sys/class/virtio-ports/vport0p%d/name", i);
            FILE *f = fopen(path, "r");
            if (!f)
                continue;
            if (!fgets(name, sizeof name, f))
                name[0] = 0;
            fclose(f);
            if (strcmp(name, "ctl\n"))
                continue;
            snprintf(path, sizeof path, "/dev/vport0p%d", i);
            int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
            if (fd >= 0)
                return fd;
        }
        doze(0.05);
    }
    fprintf(stderr, "vmtool: no virtio port named ctl\n");
    exit(1);
}

static void ctl(void)
{
    struct sched_param sp = { .sched_priority = 60 };
    sigset_t chld;
    size_t cap = 1 << 16, len = 0;
    char *buf = malloc(cap), boot[64] = "?";
    int port = open_port();

    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    /* answer even when a guest process hogs the CPU at lower priority */
    sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &sp);
    mlockall(MCL_CURRENT);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    int sfd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);

    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (f) {
        if (fgets(boot, sizeof boot, f))
            boot[strcspn(boot, "\n")] = 0;
        fclose(f);
    }
    char hello[160];
    int hl = snprintf(hello, sizeof hello, "\nH %s %.3f\n", boot, now(CLOCK_BOOTTIME));
    put_all(port, hello, hl);

    for (;;) {
        struct pollfd p[2] = { { port, POLLIN, 0 }, { sfd, POLLIN, 0 } };
        poll(p, 2, 500);
        struct signalfd_siginfo si;
        while (read(sfd, &si, sizeof si) > 0)
            ;
        reap(port);
        if (!(p[0].revents & POLLIN)) {
            if (p[0].revents & POLLHUP)
                doze(0.05);
            continue;
        }
        if (cap - len < 65536)
            buf = realloc(buf, cap *= 2);
        ssize_t r = read(port, buf + len, cap - len - 1);
        if (r <= 0) {
            doze(0.01);
            continue;
        }
        len += r;
        char *nl;
        while ((nl = memchr(buf, '\n', len))) {
            *nl = 0;
            char *save, *verb = strtok_r(buf, " ", &save), *id = strtok_r(NULL, " ", &save);
            if (verb && id && !strcmp(verb, "R")) {
                char *c = malloc(strlen(save) + 4);
                c[b64dec(save, (unsigned char *)c)] = 0;
                start_job(port, id, c);
                free(c);
            } else if (verb && id && !strcmp(verb, "K")) {
                for (struct job *j = jobs; j; j = j->next)
                    if (!strcmp(j->id, id))
                        kill(-j->pid, SIGKILL);
            }
            len -= nl + 1 - buf;
            memmove(buf, nl + 1, len);
        }
    }
}

static void watch(const char *address)
{
    struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die("netlink");
    in_addr_t wanted = inet_addr(address);
    for (;;) {
        char buf[8192] __attribute__((aligned(8)));
        int n = recv(fd, buf, sizeof buf, 0);
        for (struct nlmsghdr *h = (void *)buf; n > 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
            struct ifaddrmsg *m = NLMSG_DATA(h);
            int left = IFA_PAYLOAD(h);
            for (struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
                if (a->rta_type == IFA_LOCAL && !memcmp(RTA_DATA(a), &wanted, sizeof wanted))
                    printf("%c %s\n", h->nlmsg_type == RTM_NEWADDR ? '+' : '-', address);
        }
    }
}

static int rts(const char *dev, int on)
{
    int bit = TIOCM_RTS, fd = open(dev, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &bit) < 0)
        die(dev);
    return 0;
}

static int stall(double sec)
{
    struct sched_param sp = { .sched_priority = 99 };
    FILE *f = fopen("/proc/sys/kernel/sched_rt_runtime_us", "w");
    if (f) {
        fputs("-1", f);
        fclose(f);
    }
    if (sched_setscheduler(0, SCHED_FIFO, &sp) < 0)
        die("sched_setscheduler");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    double end = now(CLOCK_MONOTONIC) + sec;
    while (now(CLOCK_MONOTONIC) < end)
        ;
    return 0;
}

static int tsc(void)
{
    double begin = now(CLOCK_MONOTONIC);
    uint64_t from = __builtin_ia32_rdtsc();
    doze(1);
    uint64_t to = __builtin_ia32_rdtsc();
    printf("%.0f\n", (to - from) / (now(CLOCK_MONOTONIC) - begin) / 1000);
    return 0;
}

int main(int c, char **v)
{
    const char *name = c > 1 ? v[1] : "";
    if (!strcmp(name, "ctl"))
        ctl();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(name, "watch") && c == 3)
        watch(v[2]);
    if (!strcmp(name, "rts") && c == 4)
        return rts(v[2], !strcmp(v[3], "on"));
    if (!strcmp(name, "stall") && c == 3)
        return stall(atof(v[2]));
    if (!strcmp(name, "tsc"))
        return tsc();
    return 2;
}
