//! What a service manager hears.

use std::os::unix::net::UnixDatagram;

use crate::machine::{Machine, wait_for};

#[test]
fn it_hears_of_readiness_life_and_the_stop() {
    let mut machine = Machine::new("");
    let socket = UnixDatagram::bind(machine.path("notify")).expect("binds");
    socket.set_nonblocking(true).expect("non-blocking");
    let wait = |text: &str| {
        wait_for(text, || {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).ok()?;
            String::from_utf8_lossy(&buffer[..length])
                .contains(text)
                .then_some(())
        });
    };
    let mut command = machine.command(&["-f"]);
    command
        .env("NOTIFY_SOCKET", machine.path("notify"))
        .env("WATCHDOG_USEC", "400000");
    machine.start_with(command);
    wait("READY=1");
    wait("WATCHDOG=1");
    wait("WATCHDOG=1");
    // Read while it stops: the queue holds few.
    let mut stop = machine.command(&["-k"]).spawn().expect("started");
    wait("STOPPING=1");
    assert!(stop.wait().expect("a child").success());
    assert_eq!(machine.wait_for_end(), 0);
}

#[test]
fn one_that_does_not_read_delays_nothing() {
    let mut machine = Machine::new("");
    let _socket = UnixDatagram::bind(machine.path("notify")).expect("binds");
    let mut command = machine.command(&["-f"]);
    command
        .env("NOTIFY_SOCKET", machine.path("notify"))
        .env("WATCHDOG_USEC", "2000");
    machine.start_with(command);
    // A sign of life each millisecond fills any queue.
    for _ in 0..5 {
        machine.wait_for_heartbeat();
    }
    assert!(machine.answers());
}
