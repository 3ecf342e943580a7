//! The daemon with resources of every kind: agents and scripts start and stop, what can't be run is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::machine::{Machine, skip};
use nix::sys::signal::Signal;

#[test]
fn agents_and_scripts_start_and_stop_with_the_daemon() {
    if !Path::new("/usr/lib/ocf/resource.d/heartbeat/Dummy").exists() {
        return skip("the package resource-agents is not installed");
    }
    let mut machine = Machine::new("timeout ocf:heartbeat:Dummy start 50\n");
    let state = machine.path("dummy");
    fs::create_dir(machine.path("resource.d")).expect("a directory");
    for (name, text) in [
        ("last", "#!/bin/sh\necho $1 >> $0.calls\n"),
        ("windows", "#!/bin/sh\r\nexit 0\r\n"),
    ] {
        let path = machine.path("resource.d").join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }
    machine.write(
        "haresources",
        &format!(
            "here ocf:heartbeat:Dummy::state={} last\nhere windows\nhere ocf:heartbeat:no-such-agent\n",
            state.display()
        ),
    );
    machine.start();
    for line in [
        "haresources line 2, windows: ",
        "/windows has the line ends of Windows, with which its interpreter is not found",
        "haresources line 3, ocf:heartbeat:no-such-agent: Cannot locate resource script",
    ] {
        machine.wait_for_log(line);
    }
    let told = format!(
        "Running /usr/lib/ocf/resource.d/heartbeat/Dummy state={} start",
        state.display()
    );
    machine.wait_for_log(&told);
    machine.wait_for_log("/resource.d/last  start");
    assert!(state.exists());
    machine.signal(Signal::SIGTERM);
    assert_eq!(machine.wait_for_end(), 0);
    assert!(!state.exists());
    let calls = machine.read("resource.d/last.calls");
    assert!(calls.ends_with("start\nstop\n"), "{calls}");
}
