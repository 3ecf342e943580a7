//! Fencing devices that are not there, and words of operators that come too early.

use crate::machine::Machine;

#[test]
fn a_device_whose_program_is_missing_keeps_heartbeat_from_starting() {
    let machine = Machine::new("stonith_host * fence_that_nobody_has ip=192.0.2.1 password=hush\n");
    for arguments in [&["check"][..], &["-f"]] {
        let refused = machine.heartbeat(arguments);
        assert_eq!(refused.exit, 6, "{arguments:?}: {refused:?}");
        let text = "no fence agent `fence_that_nobody_has` on this machine";
        assert!(refused.err.contains(text), "{refused:?}");
        assert!(!refused.err.contains("hush"), "{refused:?}");
    }
}

#[test]
fn nobody_is_declared_dead_by_hand_where_nothing_waits_for_that() {
    let mut machine = Machine::new("");
    let confirm = |machine: &Machine, node: &str| machine.heartbeat(&["confirm-dead", node]);
    let stopped = confirm(&machine, "there");
    assert_eq!(stopped.exit, 3, "{stopped:?}");
    machine.start();
    for (node, reason) in [
        ("there", "refused: there: nothing waits for it to be reset"),
        ("here", "refused: the other node is there, not here"),
    ] {
        let refused = confirm(&machine, node);
        assert_eq!(refused.exit, 1, "{refused:?}");
        assert!(refused.err.contains(reason), "{refused:?}");
    }
}
