//! What a failback waits for: a node that holds still, or a command.

use std::time::Duration;

use serde_json::Value;

use crate::lab::machine::here;
use crate::lab::network::Failure;
use crate::lab::{Link, Pair, Setup, claim, eventually, throughout};

impl Pair {
    /// The owner has died and is back, so the second node decides.
    fn lose_and_regain_owner(auto_failback: String) -> Self {
        let mut pair = Self::alone(Setup {
            auto_failback: Some(auto_failback.leak()),
            ..Setup::default()
        });
        pair.serve_on_a();
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        pair.power_on(0);
        pair
    }

    /// What the holder says of the failback that waits.
    fn failback(&self) -> Value {
        let (text, _) = self.b.command("cl_status", &["rscstatus", "--json"]);
        let status: Value = serde_json::from_str(&text).expect("JSON");
        status["groups"][0]["failback"].clone()
    }
}

#[test]
fn a_delayed_failback_is_seen_to_wait_and_begins_anew_when_a_link_dies() {
    claim(|| {
        let mark_of = |pair: &Pair| pair.b.log().mark();
        let pair = Pair::lose_and_regain_owner("delayed 6".into());
        let mark = mark_of(&pair);
        eventually("it waits", || pair.failback() != Value::Null);
        let waits = pair.failback();
        assert_eq!(waits["awaits"], "alpha has been steady for 6 s", "{waits}");
        let [since, until] = ["since", "until"].map(|name| waits[name].as_u64().expect("a time"));
        assert!((5..=6).contains(&(until - since)), "{waits}");
        pair.cut(Link::Eth1, Failure::Silent);
        pair.b.log().expect(mark, "Link alpha:eth1 dead.");
        let mark = mark_of(&pair);
        pair.restore(Link::Eth1);
        pair.b.log().expect(mark, "Link alpha:eth1 up.");
        assert!(
            pair.watch.owners(pair.address()) == [1],
            "it has not gone yet"
        );
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        assert_eq!(pair.failback(), Value::Null);
        let lines = [
            "Resource groups of alpha stay here until alpha has been steady for 6 s (auto_failback).",
            "alpha did not hold still: the time before its resource groups return begins anew (auto_failback).",
            "Resource groups of alpha return to it: alpha has been steady for 6 s (auto_failback).",
            "its preferred node is back (auto_failback)",
        ];
        let log = pair.b.log().text();
        let mut rest = log.as_str();
        for line in lines {
            let (_, after) = rest
                .split_once(line)
                .unwrap_or_else(|| panic!("no `{line}` in {log}"));
            rest = after;
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_failback_that_asks_a_command_comes_when_that_agrees() {
    claim(|| {
        let file = here().join("in-sync");
        let pair = Pair::lose_and_regain_owner(format!("when /usr/bin/test -e {}", file.display()));
        let said_no = format!(
            "/usr/bin/test -e {} says no (exit code 1); it is asked again",
            file.display()
        );
        eventually("it was asked", || pair.b.log().text().contains(&said_no));
        let waits = pair.failback();
        assert_eq!(waits["awaits"], "the command of ha.cf says yes", "{waits}");
        assert_eq!(waits["until"], Value::Null);
        throughout(Duration::from_secs(1), "it stays", || {
            pair.watch.owners(pair.address()) == [1]
        });
        std::fs::write(pair.b.file("in-sync"), "").expect("a file");
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        assert_eq!(
            pair.b.log().text().matches(&said_no).count(),
            1,
            "told once"
        );
        pair.assert_never_two_owners();
    });
}
