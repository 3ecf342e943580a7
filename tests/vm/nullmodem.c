/*
 * nullmodem: preloaded into each QEMU to give its UART real modem lines.
 *
 * QEMU forwards a UART's DTR/RTS/CTS/DSR/DCD and its baud rate only to a
 * "serial" character device, i.e. a host tty; with a socket the guest sees
 * CTS, DSR and DCD asserted for ever.  A host without spare ttys can still
 * have them: machines.py hands QEMU one end of a socket pair through that kind of
 * device, and this library answers the tty calls QEMU makes on it from a
 * small shared file in which both machines' outputs are kept and crossed as a
 * null-modem cable crosses them:
 *
 *     RTS -> CTS     DTR -> DSR and DCD
 *
 * NULLMODEM_STATE  the shared file (96 bytes, made by machines.py)
 * NULLMODEM_SIDE   0 or 1
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

struct side {
    volatile uint32_t out;      /* TIOCM_DTR | TIOCM_RTS as the guest set them */
    volatile uint32_t baud;     /* bits per second the guest programmed */
    volatile uint32_t cflag;    /* CSIZE, PARENB, PARODD, CSTOPB likewise */
    volatile uint32_t changes;  /* how often the guest programmed the line */
    volatile uint32_t force;    /* bits to OR into what this side reads */
    uint32_t pad[3];
};

struct state {
    struct side side[2];
    volatile uint32_t cable;    /* 1: the modem wires are connected; 2: but for CTS; 4: where that is joined to RTS */
    uint32_t pad[7];
};

static struct state *st;
static int me;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("NULLMODEM_STATE"), *s = getenv("NULLMODEM_SIDE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    me = s && *s == '1';
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof *st, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED)
            st = p;
        close(fd);
    }
}

int ioctl(int fd, unsigned long req, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list ap;
    va_start(ap, req);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (!real)
        real = dlsym(RTLD_NEXT, "ioctl");
    if (st && req == TIOCMGET) {
        uint32_t in = st->side[me].force, peer = st->side[!me].out;
        if (st->cable & 1) {
            if ((peer & TIOCM_RTS) && !(st->cable & 6))
                in |= TIOCM_CTS;
            if (peer & TIOCM_DTR)
                in |= TIOCM_DSR | TIOCM_CAR;
        }
        if ((st->cable & 4) && (st->side[me].out & TIOCM_RTS))
            in |= TIOCM_CTS;
        *(int *)arg = in | st->side[me].out;
        return 0;
    }
    if (st && req == TIOCMSET) {
        st->side[me].out = *(int *)arg & (TIOCM_DTR | TIOCM_RTS);
        return 0;
    }
    return real(fd, req, arg);
}

static const struct { speed_t s; uint32_t n; } speeds[] = {
    { B300, 300 },     { B600, 600 },     { B1200, 1200 },   { B2400, 2400 },
    { B4800, 4800 },   { B9600, 9600 },   { B19200, 19200 }, { B38400, 38400 },
    { B57600, 57600 }, { B115200, 115200 },
};

int tcsetattr(int fd, int how, const struct termios *t)
{
    static int (*real)(int, int, const struct termios *);
    if (!real)
        real = dlsym(RTLD_NEXT, "tcsetattr");
    if (!st || isatty(fd))
        return real(fd, how, t);
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i].s == cfgetospeed(t))
            st->side[me].baud = speeds[i].n;
    st->side[me].cflag = t->c_cflag & (CSIZE | PARENB | PARODD | CSTOPB);
    st->side[me].changes++;
    return 0;
}
