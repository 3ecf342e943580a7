//! The quick start, command by command as it stands on the page.

use crate::lab::claim_with;
use crate::machines::{ADDRESS, DEMANDS, Machines};
use crate::page::{Block, Page};

#[test]
fn ten_commands_lead_to_a_tested_failover() {
    claim_with(&DEMANDS, || {
        let page = Page::read("docs/quick-start.md");
        let is_command = |block: &&Block| block.shell().is_some();
        let commands: Vec<_> = page.blocks.iter().filter(is_command).collect();
        assert_eq!(commands.len(), 10, "the page promises ten");
        let mut machines = Machines::new(&["node-a IPaddr::192.168.1.100/24/eth0"]);
        for (at, command) in commands.into_iter().enumerate() {
            match at + 1 {
                8 => {
                    machines.pair.watch.expect_owner(0, ADDRESS);
                    machines.settle();
                    machines.wait_until_all_is_well();
                }
                10 => {
                    machines.pair.watch.expect_owner(1, ADDRESS);
                    machines.pair.power_off(1);
                    machines.pair.watch.expect_owner(0, ADDRESS);
                }
                _ => {}
            }
            let all = machines.play(&page, command);
            if command.text.starts_with("heartbeat check") {
                let whole = page.shown_below(command).last().copied();
                assert!(
                    all.iter().all(|said| said.lines().last() == whole),
                    "{all:?}"
                );
            }
        }
        machines.pair.assert_never_two_owners();
    });
}
