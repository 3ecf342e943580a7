//! Files that change on both nodes while they serve.

use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::machine::{Machine, here};
use crate::lab::{Pair, Setup, claim, eventually, files};

const FIRST: &str = "alpha IPaddr::10.77.1.100/24/eth0 disk::data";
/// One address more in the group, one group more on each node.
const ALL: [&str; 3] = [
    "alpha IPaddr::10.77.1.100/24/eth0 disk::data IPaddr::10.77.1.102/24/eth0",
    "alpha IPaddr::10.77.1.103/24/eth0",
    "beta IPaddr::10.77.1.104/24/eth0 disk::more",
];

fn write(machine: &Machine, lines: &[&str]) {
    let text = lines.join("\n") + "\n";
    files::write(&machine.file("ha.d/haresources"), &text, 0o644);
}

#[track_caller]
fn reload(machine: &Machine, lines: &[&str]) -> String {
    write(machine, lines);
    let (said, status) = machine.command("heartbeat", &["reload"]);
    assert_eq!(status, Some(0), "{}: {said}", machine.name);
    said
}

/// A pair that watches all the addresses and serves the first.
fn serving() -> Pair {
    let mut pair = Pair::alone(Setup {
        groups: ALL.map(str::to_owned).to_vec(),
        ..Setup::default()
    });
    for machine in [&pair.a, &pair.b] {
        write(machine, &[FIRST]);
    }
    let file = here().join("recording").display().to_string();
    pair.a.options = vec!["--record".into(), file];
    pair.serve_on_a();
    eventually("the disk runs", || pair.a.file("runs-data").exists());
    pair
}

#[test]
fn an_added_address_and_added_groups_appear_and_nothing_that_runs_is_touched() {
    claim(|| {
        let mut pair = serving();
        let address = |last| std::net::Ipv4Addr::new(10, 77, 1, last);
        // Only one of the nodes knows them: what joins a running group is there, and no group begins.
        reload(&pair.a, &ALL);
        pair.watch.expect_owner(0, address(102));
        eventually("the files are seen to differ", || {
            let lines =
                |machine: &Machine| machine.log().lines_with(Mark::START, "haresources differs");
            !lines(&pair.a).is_empty() && !lines(&pair.b).is_empty()
        });
        for last in [103, 104] {
            assert!(pair.watch.owners(address(last)).is_empty());
        }
        reload(&pair.b, &ALL);
        for (owner, last) in [(0, 103), (1, 104)] {
            pair.watch.expect_owner(owner, address(last));
        }
        eventually("the disk of the added group runs", || {
            pair.b.file("runs-more").exists()
        });
        // And away again, on the other node first.
        reload(&pair.b, &[FIRST]);
        eventually("the group of that node is stopped", || {
            pair.watch.owners(address(104)).is_empty() && !pair.b.file("runs-more").exists()
        });
        assert_eq!(pair.watch.owners(address(103)), [0]);
        reload(&pair.a, &[FIRST]);
        eventually("the others are gone, too", || {
            let gone = |last| pair.watch.owners(address(last)).is_empty();
            gone(102) && gone(103)
        });
        pair.expect_settled();
        assert_eq!(
            pair.watch.moves(pair.address()),
            1,
            "the first address never moved"
        );
        assert_eq!(pair.watch.owners(pair.address()), [0]);
        let of_data = files::journal();
        let of_data = of_data.lines().filter(|line| line.contains(" data "));
        assert_eq!(
            of_data.count(),
            1,
            "the disk was started once and never stopped"
        );
        pair.assert_never_two_owners();
        // And the recording goes on over the reload.
        pair.a.stop();
        let file = here().join("recording").display().to_string();
        let (story, status) = pair.a.command("heartbeat", &["replay", &file]);
        assert_eq!(status, Some(0));
        for line in [
            "< files read again: 3 groups",
            "start IPaddr::10.77.1.103/24/eth0",
            "< files read again: 1 groups; not in the file any more: IPaddr::10.77.1.103/24/eth0",
            "stop IPaddr::10.77.1.103/24/eth0",
        ] {
            assert!(story.contains(line), "{line}: {story}");
        }
    });
}

#[test]
fn files_of_one_node_alone_lose_nothing_that_runs_and_a_takeover_goes_by_its_own() {
    claim(|| {
        let mut pair = serving();
        // The node that serves dies while only the other one has the new file.
        reload(&pair.b, &ALL);
        eventually("the files are seen to differ", || {
            !pair
                .a
                .log()
                .lines_with(Mark::START, "haresources differs")
                .is_empty()
        });
        pair.assert_stays(0, Duration::from_millis(500));
        pair.power_off(0);
        for last in [100, 102, 103, 104] {
            pair.watch
                .expect_owner(1, std::net::Ipv4Addr::new(10, 77, 1, last));
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_mistake_changes_nothing_on_a_node_that_serves() {
    claim(|| {
        let pair = serving();
        let begin = pair.a.log().mark();
        write(&pair.a, &["alpah IPaddr::10.77.1.100/24/eth0", ALL[1]]);
        let (_, status) = pair.a.command("heartbeat", &["reload"]);
        assert_eq!(status, Some(6));
        pair.a.log().expect(begin, "unknown node `alpah`");
        pair.a.log().expect(begin, "everything goes on as before");
        pair.assert_stays(0, pair.long_enough());
        assert_eq!(pair.watch.moves(pair.address()), 1);
        assert!(pair.a.file("runs-data").exists());
    });
}
