//! The system log of a machine: `/dev/log`, and what `tail -f /var/log/messages` would show.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::thread;

use crate::lab::journal::Journal;
use crate::lab::machine::Machine;

/// Writes what is sent to `/dev/log` of a machine into a file, a line each, from now on.
pub fn keep(machine: &Machine) -> Journal {
    // As systemd sets it. By itself the kernel keeps ten lines for a log daemon that is busy, and heartbeat waits for none.
    fs::write("/proc/sys/net/unix/max_dgram_qlen", "512").expect("our own network namespace");
    let socket =
        UnixDatagram::bind(machine.file("dev/log")).expect("a machine has no /dev/log yet");
    let path = machine.file("messages");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .expect("our own file system");
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut buffer) {
            let mut line = buffer[..length].to_vec();
            line.push(b'\n');
            file.write_all(&line).expect("our own file system");
        }
    });
    Journal::new(&path)
}
