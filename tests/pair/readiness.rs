//! Whether the node that does not hold a group could run it: looked for, shown on both nodes, and no reason to refuse.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Link, Pair, Setup, claim, eventually};

const GROUP: &str = "IPaddr::10.77.1.100/24/eth0";

fn group(machine: &Machine) -> Value {
    let (text, _) = machine.command("cl_status", &["rscstatus", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap_or_default();
    status["groups"][0].clone()
}

#[test]
fn a_standby_that_is_not_ready_is_seen_on_both_nodes_and_can_be_given_a_group() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.cut(Link::Eth0, Failure::Unplugged); // at the second node
        pair.serve_on_a();
        let why = "eth0 of 10.77.1.100 has no carrier";
        let not_ready = format!("This node is not ready to run resource group {GROUP}: {why}");
        let told = format!("beta is not ready to run resource group {GROUP}: its log");
        pair.b.log().expect(Mark::START, &not_ready);
        pair.a.log().expect(Mark::START, &told);
        assert_eq!(group(&pair.b)["readiness"], why);
        assert_eq!(group(&pair.a)["readiness"], Value::Null, "it runs there");
        assert_eq!(group(&pair.a)["peer-ready"], false);

        let marks = pair.marks();
        pair.restore(Link::Eth0);
        eventually("it is looked for again when the files are", || {
            pair.b.signal(Signal::SIGHUP);
            group(&pair.b)["readiness"] == "ready"
        });
        pair.b.log().expect(
            marks[1],
            &format!("This node is ready to run resource group {GROUP}"),
        );
        pair.a.log().expect(
            marks[0],
            &format!("beta is ready to run resource group {GROUP}."),
        );
        eventually("the other one knows", || {
            group(&pair.a)["peer-ready"] == true
        });

        pair.cut(Link::Eth0, Failure::Unplugged);
        eventually("it is not ready again", || {
            pair.b.signal(Signal::SIGHUP);
            group(&pair.a)["peer-ready"] == false
        });
        let (said, exit) = pair.a.complaint("hb_standby", &[]);
        assert_eq!(exit, Some(0), "{said}");
        let warning = format!("hb_standby: WARNING: the other node is not ready to run {GROUP}; ");
        assert!(said.starts_with(&warning), "{said}");
        pair.a.log().expect(
            Mark::START,
            &format!(
                "beta is not ready to run resource group {GROUP}, which goes there all the same."
            ),
        );
        pair.watch.expect_owner(1, pair.address());
        eventually("who gave it is ready", || {
            group(&pair.a)["readiness"] == "ready"
        });
        pair.assert_never_two_owners();
    });
}
