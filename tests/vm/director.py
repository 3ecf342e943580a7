"""The case `director`: a load balancer in the group."""
import os
import re

from bed import ADDRESS, Bed, bed
from check import check
from wires import now

# Asks twice, as the table takes turns; the machine at the other end of eth1 does not know the address and does not answer.
ASK = (f'for my $turn (1, 2) {{ eval {{ local $SIG{{ALRM}} = sub {{ die }}; alarm 5; socket(S, PF_INET, SOCK_STREAM, 0); '
       f'connect(S, sockaddr_in(80, inet_aton("{ADDRESS}"))) or die; syswrite(S, "GET / HTTP/1.0\\r\\n\\r\\n"); '
       f'print while <S>; alarm 0 }} }}')

LDIRECTORD = f'''checktimeout=20
checkinterval=2
quiescent=no
virtual={ADDRESS}:80
\treal=10.77.1.13:80 gate
\treal=10.77.1.14:80 gate
\tscheduler=rr
\tprotocol=tcp
\tchecktype=connect
'''


def tree(top):
    """The files below a directory, by their paths in a guest."""
    files = {}
    for base, _, names in os.walk(top):
        for name in names:
            path = os.path.join(base, name)
            with open(path, 'rb') as f:
                files['/' + os.path.relpath(path, top)] = f.read(), os.stat(path).st_mode & 0o777
    return files


def director():
    """ldirectord in a group, one real server on each machine: its table of ip_vs is where the address is, and nowhere else"""
    more = tree(os.path.join(Bed.guests, 'director'))
    more['/etc/ha.d/ldirectord.cf'] = LDIRECTORD
    # perl takes its time on an emulated processor
    limits = '\n'.join(f'timeout ldirectord {action} 240' for action in ('start', 'stop', 'status'))
    with bed(resources='ldirectord::/etc/ha.d/ldirectord.cf', more=more, extra=limits, start=False) as p:
        for m, host in ((p.a, 13), (p.b, 14)):
            m.sh(f'modprobe -a ip_vs ip_vs_rr && ip addr add 10.77.1.{host}/24 dev eth1 && mkdir -p /www && '
                 f'echo {m.name} >/www/index.html && httpd -p 80 -h /www')

        def listed(m):
            table = m.sh('ipvsadm -Ln')
            virtual = re.search(r'^TCP +10\.77\.0\.100:80 rr', table, re.M) is not None
            return virtual, sorted(re.findall(r'-> 10\.77\.1\.(1[34]):80 +(?:Route|Local) +1 ', table))

        def have(a, b):
            return lambda: (listed(p.a), listed(p.b)) == (a, b)
        full, one, none = (True, ['13', '14']), (True, ['13']), (False, [])
        begin = now()
        for m in p.both():
            p.launch(m)
        first = p.until(have(full, none), 420)
        check(first is not None and p.holder() == 'a', f'tables: {listed(p.a)} {listed(p.b)}')
        page = p.a.sh(f"perl -MSocket -e '{ASK}'")
        check('a' in page.split(), f'nobody answered on the address: {page!r}')
        counted = re.search(r'^TCP +10\.77\.0\.100:80 +([1-9]\d*)', p.a.sh('ipvsadm -Ln --stats'), re.M)
        check(counted, 'the table did not count the connections')
        p.b.sh('killall httpd')
        gone = p.until(have(one, none), 120)
        check(gone is not None, f'a real server that is gone: {listed(p.a)}')
        p.b.sh('httpd -p 80 -h /www')
        back = p.until(have(full, none), 120)
        check(back is not None, f'a real server that is back: {listed(p.a)}')
        begin = now()
        p.a.kill()
        p.gone(p.a, begin)
        took = p.until(lambda: listed(p.b) == (True, ['14']), 300)
        check(took is not None, f'the table after the takeover: {listed(p.b)}')
        yield 'start, real server gone and back, owner without power', {
            'table': round(first, 1), 'a real server gone from it': round(gone, 1), 'back in it': round(back, 1),
            'taken over': round(took, 1)}
