#!/bin/sh
# install.sh [--root DIR] [--remove]: see README. Enables, starts, stops and restarts nothing.
set -eu
umask 022

usage() {
    echo "usage: install.sh [--root DIR] [--remove]" >&2
    exit 1
}

refuse() { # WHY…
    printf 'install.sh: %s\n' "$@" >&2
    exit 1
}

root=
action=add
while [ $# -gt 0 ]; do
    case $1 in
        --root)
            if [ $# -lt 2 ] || [ ! -d "$2" ]; then refuse "--root: which directory?"; fi
            root=${2%/}
            shift
            ;;
        --remove) action=remove ;;
        *) usage ;;
    esac
    shift
done
files=$(cd "$(dirname "$0")" && pwd)/files
# what this script has put there, a path a line
list=$root/usr/share/heartbeat/files

runs() {
    pid=$(tr -d ' ' 2>/dev/null </run/heartbeat.pid) && [ -n "$pid" ] && [ -d "/proc/$pid" ]
}

# Writing over the files of a package would last until its next upgrade.
look_for_packages() {
    [ -z "$root" ] || return 0
    for file in /usr/sbin/heartbeat /usr/libexec/heartbeat/heartbeat /usr/bin/cl_status; do
        [ -e "$file" ] || continue
        owner=$(dpkg -S "$file" 2>/dev/null || rpm -qf "$file" 2>/dev/null) || continue
        refuse "$file belongs to a package ($owner)." "Remove that first; /etc/ha.d stays."
    done
}

# Whole or not at all: a daemon that runs keeps the file that it was started from.
put() { # PATH
    case $1 in
        # the operator's, once it is there
        /etc/logrotate.d/*) [ ! -e "$root$1" ] || return 0 ;;
        # where there are init scripts
        /etc/init.d/*) [ -d "$root/etc/init.d" ] || return 0 ;;
    esac
    mkdir -p "$root${1%/*}"
    cp -P "$files$1" "$root${1%/*}/.heartbeat-rs.new"
    if [ ! -L "$files$1" ]; then
        chmod "$(mode "$1")" "$root${1%/*}/.heartbeat-rs.new"
    fi
    mv -fT "$root${1%/*}/.heartbeat-rs.new" "$root$1"
}

# Whatever the rights of the files here have become on their way.
mode() { # PATH
    case $1 in
        /usr/share/doc/heartbeat-rs/authkeys) echo 600 ;;
        /usr/sbin/* | /usr/bin/* | /usr/libexec/* | /usr/share/heartbeat/ResourceManager | /etc/init.d/*) echo 755 ;;
        *) echo 644 ;;
    esac
}

account() {
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers heartbeat.conf
    elif ! grep -q '^hacluster:' /etc/passwd; then
        grep -q '^haclient:' /etc/group || groupadd --system haclient
        useradd --system --gid haclient --no-create-home --home-dir /var/lib/heartbeat --shell /sbin/nologin hacluster
    fi
    if command -v systemd-tmpfiles >/dev/null; then
        systemd-tmpfiles --create heartbeat.conf
    else
        mkdir -p /run/heartbeat
        chgrp haclient /run/heartbeat
    fi
}

reload_systemd() {
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
}

add() {
    [ -d "$files" ] || refuse "$files is not there: unpack the whole tarball."
    look_for_packages
    new=$(cd "$files" && find . ! -type d | sed 's,^\.,,' | sort)
    echo "$new" | while IFS= read -r path; do put "$path"; done
    if [ -e "$list" ]; then
        # what an older version had
        echo "$new" | grep -vxF -f - "$list" | while IFS= read -r path; do rm -f "$root$path"; done
    fi
    mkdir -p "$root/etc/ha.d/resource.d" "$root/etc/ha.d/rc.d" "$root/var/lib/heartbeat" "${list%/*}"
    echo "$new" >"$list"
    if [ ! -e "$root/etc/ha.d/shellfuncs" ]; then
        cp "$files/usr/share/heartbeat/shellfuncs.etc" "$root/etc/ha.d/shellfuncs"
    fi
    [ -z "$root" ] || return 0
    account
    reload_systemd
    if runs; then
        echo "heartbeat: the version from before is still running. To change over when it suits you,"
        echo "heartbeat: one machine after the other: service heartbeat restart (this moves its resources)."
    elif [ ! -e /etc/ha.d/ha.cf ]; then
        echo "heartbeat: not configured yet; samples are in /usr/share/doc/heartbeat-rs."
    fi
}

remove() {
    [ -e "$list" ] || refuse "$list is not there: nothing was installed from a tarball."
    if [ -z "$root" ] && runs; then
        refuse "heartbeat is running. Stop it first (service heartbeat stop; its resources move)."
    fi
    if cmp -s "$root/usr/share/heartbeat/shellfuncs.etc" "$root/etc/ha.d/shellfuncs"; then
        rm -f "$root/etc/ha.d/shellfuncs"
    fi
    # configuration stays
    grep -v '^/etc/logrotate.d/' "$list" | while IFS= read -r path; do rm -f "$root$path"; done
    rm -f "$list"
    for directory in /usr/share/doc/heartbeat-rs/docs /usr/share/doc/heartbeat-rs /usr/share/heartbeat /usr/libexec/heartbeat \
        /usr/lib/heartbeat /usr/lib64/heartbeat; do
        rmdir "$root$directory" 2>/dev/null || true
    done
    reload_systemd
}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || refuse "only root can do this."
$action
