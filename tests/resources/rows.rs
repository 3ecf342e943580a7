//! Many addresses in a row, and many groups of one: what is done at once, and what goes wrong in the middle of it.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use crate::addresses::{Ear, addresses};
use crate::bench::{Bench, Directory, logged};
use crate::namespace::{in_namespace, ip};
use heartbeat::cluster::{GroupId, GroupOutcome};
use heartbeat::daemon::resources::Resources;

/// So many addresses, each with its interface, one behind the other.
fn row(third: u8, number: u8) -> String {
    let words = (1..=number).map(|last| format!("10.0.{third}.{last}/16/vm3"));
    words.collect::<Vec<_>>().join(" ")
}

fn cable() {
    ip("link add vm3 type veth peer name vm4");
    ip("link set vm3 up");
    ip("link set vm4 up");
}

#[test]
fn rows_of_addresses_come_left_to_right_with_scripts_between_them() {
    in_namespace(
        "rows::rows_of_addresses_come_left_to_right_with_scripts_between_them",
        || {
            cable();
            let (first, second) = (row(1, 100), row(2, 200));
            let directory = Directory::new()
                .script(
                    "count",
                    "case $1 in\n\
                     status) [ -e $journal.runs ] && echo running || echo stopped; exit 0 ;;\n\
                     start) : > $journal.runs ;;\n\
                     stop) rm -f $journal.runs ;;\n\
                     esac\n\
                     note $1 with $(ip -o addr show dev vm3 scope global | wc -l)",
                )
                .group(&format!("{first} count {second}"));
            let mut bench = Bench::new(&directory);
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert_eq!(addresses("vm3").len(), 300);
            assert_eq!(bench.start(0), GroupOutcome::Started, "a second time");
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(addresses("vm3"), [""; 0]);
            assert_eq!(directory.journal(), "start with 100, stop with 100");
            assert_eq!(bench.stop(0), GroupOutcome::Stopped, "a second time");

            // A row is told by its first and its last one.
            let told = |word: &str, what: &str| {
                let lines = logged(word).into_iter();
                let lines = lines.filter(|line| !line.contains(" DEBUG "));
                lines.filter(|line| line.contains(what)).count()
            };
            assert_eq!(
                told("10.0.1.1/16/vm3 start", "the first of 100 addresses"),
                1
            );
            assert_eq!(
                told("10.0.2.200/16/vm3 stop", "the first of 200 addresses"),
                2
            );
            assert_eq!(
                told("10.0.2.200/16/vm3", "200 addresses in a row are added"),
                1
            );
            assert_eq!(told("10.0.1.77", "Adding"), 0);
            assert_eq!(
                logged("Adding inet address 10.0.1.77/16").len(),
                1,
                "for the debug log"
            );
        },
    );
}

#[test]
fn of_two_hundred_addresses_that_one_is_told_that_the_kernel_refuses() {
    in_namespace(
        "rows::of_two_hundred_addresses_that_one_is_told_that_the_kernel_refuses",
        || {
            cable();
            // Then it takes no address of IPv6.
            fs::write("/proc/sys/net/ipv6/conf/vm3/disable_ipv6", "1").expect("set");
            let refused = "IPv6addr::fd00::9/64/vm3";
            let directory = Directory::new()
                .group(&format!("{} {refused} {}", row(1, 100), row(2, 100)))
                .group("10.0.3.1/16/vm3");
            let mut bench = Bench::new(&directory);
            assert_eq!(bench.start(1), GroupOutcome::Started);
            assert_eq!(bench.start(0), GroupOutcome::StartFailed);
            assert_eq!(addresses("vm3").len(), 1, "that of the other group");
            let errors: Vec<String> = logged(" ERROR ")
                .into_iter()
                .filter(|line| line.contains("vm3"))
                .collect();
            assert_eq!(errors.len(), 2, "{errors:?}");
            assert!(
                errors[0].contains("cannot add fd00::9/64 to vm3: "),
                "{errors:?}"
            );
            assert!(
                errors[1].contains("Giving up resources due to failure of"),
                "{errors:?}"
            );
            assert!(errors[1].contains(refused), "{errors:?}");
            fs::write("/proc/sys/net/ipv6/conf/vm3/disable_ipv6", "0").expect("set");
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert_eq!(addresses("vm3").len(), 202);
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(addresses("vm3").len(), 1);
        },
    );
}

#[test]
fn an_address_without_a_place_in_the_middle_of_a_row_fails_its_group_and_no_other() {
    in_namespace(
        "rows::an_address_without_a_place_in_the_middle_of_a_row_fails_its_group_and_no_other",
        || {
            cable();
            let nowhere = "10.0.9.9/16/vm9";
            let directory = Directory::new()
                .group(&format!("{} {nowhere} {}", row(1, 100), row(2, 100)))
                .group(&row(3, 100));
            let mut bench = Bench::new(&directory);
            for group in [0, 1] {
                bench.resources.start(GroupId(group));
            }
            let mut outcomes = BTreeSet::new();
            for _ in 0..2 {
                let (group, outcome) = bench.until("an outcome", Resources::next_outcome);
                outcomes.insert((group.0, format!("{outcome:?}")));
            }
            let expected = [(0, "StartFailed"), (1, "Started")];
            assert_eq!(
                outcomes,
                expected
                    .map(|(group, outcome)| (group, outcome.to_owned()))
                    .into()
            );
            assert_eq!(addresses("vm3").len(), 100);
            assert_eq!(logged("there is no interface vm9").len(), 1);
        },
    );
}

#[test]
fn what_others_added_in_the_middle_of_a_row_counts_as_there_and_leaves_with_it() {
    in_namespace(
        "rows::what_others_added_in_the_middle_of_a_row_counts_as_there_and_leaves_with_it",
        || {
            cable();
            ip("addr add 10.0.1.50/24 dev vm3");
            let mut bench = Bench::new(&Directory::new().group(&row(1, 100)));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let all = addresses("vm3");
            assert_eq!(all.len(), 100);
            assert_eq!(all[0], "10.0.1.50/24 scope global vm3", "as it was");
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(addresses("vm3"), [""; 0]);
        },
    );
}

#[test]
fn a_row_whose_interface_vanishes_is_stopped_all_the_same() {
    in_namespace(
        "rows::a_row_whose_interface_vanishes_is_stopped_all_the_same",
        || {
            cable();
            let mut bench = Bench::new(&Directory::new().group(&row(1, 200)));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            ip("link del vm3");
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            cable();
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert_eq!(addresses("vm3").len(), 200);
            // It vanishes while the row is on its way.
            bench.resources.stop(GroupId(0));
            ip("link del vm3");
            assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
        },
    );
}

#[test]
fn every_address_of_a_row_and_of_many_groups_is_announced_in_both_forms() {
    in_namespace(
        "rows::every_address_of_a_row_and_of_many_groups_is_announced_in_both_forms",
        || {
            cable();
            let mut directory = Directory::new().group(&row(1, 200));
            for last in 1..=200 {
                directory = directory.group(&format!("10.0.2.{last}/16/vm3"));
            }
            let mut bench = Bench::new(&directory);
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());
            for group in 0..=200 {
                bench.resources.start(GroupId(group));
            }
            let mut heard = BTreeSet::new();
            bench.until("all announcements", |_| {
                while let Some(frame) = ear.next() {
                    let sender = frame
                        .get(28..32)
                        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
                    if let (Some([8, 6]), Some(sender)) = (frame.get(12..14), sender) {
                        heard.insert((Ipv4Addr::from(sender), frame[21]));
                    }
                }
                (heard.len() >= 800).then_some(())
            });
            assert_eq!(heard.len(), 800);
        },
    );
}

#[test]
fn an_address_that_the_kernel_lists_still_is_not_stopped() {
    in_namespace(
        "rows::an_address_that_the_kernel_lists_still_is_not_stopped",
        || {
            cable();
            // Whoever asks for its removal without its peer is told that there is no such address.
            ip("address add 10.0.1.1 peer 10.0.2.1/32 dev vm3");
            let mut bench = Bench::new(&Directory::new().group("10.0.1.1/32/vm3"));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            bench.resources.stop(GroupId(0));
            bench.until("word of it", |_| {
                (!logged("and lists it").is_empty()).then_some(())
            });
            assert_eq!(addresses("vm3").len(), 1);
            ip("address del 10.0.1.1 peer 10.0.2.1/32 dev vm3");
            assert_eq!(bench.outcome(0), GroupOutcome::Stopped);
        },
    );
}

#[test]
fn an_address_goes_where_the_one_before_it_opens_a_narrower_network() {
    in_namespace(
        "rows::an_address_goes_where_the_one_before_it_opens_a_narrower_network",
        || {
            cable();
            ip("link add vm5 type veth peer name vm6");
            ip("link set vm5 up");
            ip("link set vm6 up");
            ip("address add 10.0.0.9/8 dev vm5");
            let row = "10.9.0.1/24/vm3 10.9.0.2 10.9.0.3 10.8.0.1";
            let mut bench = Bench::new(&Directory::new().group(row));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            assert_eq!(addresses("vm3").len(), 3);
            assert_eq!(addresses("vm5").len(), 2);
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(addresses("vm3"), [""; 0]);
        },
    );
}
