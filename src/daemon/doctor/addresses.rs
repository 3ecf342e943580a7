//! What to make of who has the floating addresses.

use super::finding::Finding;
use super::network::Seen;

/// Where a group runs, as its daemon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// On this node.
    Here,
    /// On the other node.
    There,
    /// On neither.
    Nobody,
    /// It is just starting, stopping or moving, or nobody knows.
    Unsettled,
}

/// The other node.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its Ethernet addresses, where it has told them.
    pub ethernet: &'a [String],
}

impl Peer<'_> {
    fn is_its(&self, answer: &String) -> bool {
        self.ethernet.contains(answer)
    }

    /// Who answers, in words.
    fn who(&self, answer: &String) -> String {
        if self.is_its(answer) {
            format!("{} ({answer})", self.name)
        } else if self.ethernet.is_empty() {
            format!("a machine ({answer})")
        } else {
            format!("a stranger ({answer})")
        }
    }
}

/// One address.
pub fn judge(seen: &Seen, owner: Owner, peer: Peer<'_>) -> Finding {
    let address = seen.address;
    let item = format!("address {address}");
    let others: Vec<String> = seen.answers.iter().map(|answer| peer.who(answer)).collect();
    let others = others.join(" and ");
    let strangers = seen.answers.iter().filter(|answer| !peer.is_its(answer));
    let has_stranger = !peer.ethernet.is_empty() && strangers.count() > 0;
    let is_one_machine =
        seen.answers.len() < 2 || seen.answers.iter().all(|answer| peer.is_its(answer));
    let away = format!("take {address} away from it; `cl_status rscstatus --json` tells more");
    match (&seen.here, owner) {
        (Some(interface), _) if !seen.answers.is_empty() => Finding::problem(
            &item,
            format!("this node has it on {interface}, and {others} answers for it too"),
            away,
        ),
        _ if !is_one_machine => Finding::problem(&item, format!("{others} answer for it"), away),
        (Some(interface), Owner::Here) => {
            let words = match &seen.unasked {
                None => format!("here, on {interface}; nobody else answers for it"),
                Some(why) => {
                    format!("here, on {interface}; whether anybody else has it is not known: {why}")
                }
            };
            Finding::ok(&item, words)
        }
        (Some(interface), Owner::There | Owner::Nobody) => Finding::problem(
            &item,
            format!("this node has it on {interface} although its group does not run here"),
            format!(
                "`ip address del` it here, unless somebody added it on purpose: `ip address show {interface}`"
            ),
        ),
        (Some(interface), Owner::Unsettled) => Finding::ok(&item, format!("here, on {interface}")),
        (None, Owner::Here) => Finding::problem(
            &item,
            "its group runs here, and no interface of this node has it",
            "somebody removed it; `monitor` in ha.cf brings back what is lost, hb_standby moves the group",
        ),
        (None, _) if seen.unasked.is_some() => {
            let why = seen.unasked.as_deref().unwrap_or_default();
            Finding::unknown(
                &item,
                format!("not here; who has it is not known: {why}"),
                "",
            )
        }
        (None, Owner::There) if has_stranger => Finding::problem(
            &item,
            format!("{others} answers for it, and {} should have it", peer.name),
            away,
        ),
        (None, Owner::There) if others.is_empty() => Finding::warning(
            &item,
            format!(
                "nobody answers for it on this network, and {} should have it",
                peer.name
            ),
            format!(
                "look on {}: `ip address show`; and at the network between",
                peer.name
            ),
        ),
        (None, Owner::Nobody) if !others.is_empty() => Finding::problem(
            &item,
            format!("{others} answers for it although neither node runs its group"),
            away,
        ),
        (None, Owner::Nobody) => {
            Finding::ok(&item, "nobody has it, as its group runs on neither node")
        }
        (None, _) if others.is_empty() => Finding::warning(&item, "nobody answers for it", ""),
        (None, _) => Finding::ok(&item, format!("{others} answers for it")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn who_has_an_address_is_compared_with_who_should() {
        let known = ["02:00:00:00:00:02".to_owned()];
        let beta = "02:00:00:00:00:02";
        let stranger = "02:00:00:00:00:66";
        for (here, answers, owner, verdict, words) in [
            (
                true,
                &[][..],
                Owner::Here,
                Verdict::Ok,
                "here, on eth0; nobody else answers for it",
            ),
            (
                true,
                &[beta][..],
                Owner::Here,
                Verdict::Problem,
                "this node has it on eth0, and beta (02:00:00:00:00:02) answers for it too",
            ),
            (
                true,
                &[],
                Owner::There,
                Verdict::Problem,
                "this node has it on eth0 although its group does not run here",
            ),
            (
                false,
                &[],
                Owner::Here,
                Verdict::Problem,
                "its group runs here, and no interface of this node has it",
            ),
            (
                false,
                &[beta],
                Owner::There,
                Verdict::Ok,
                "beta (02:00:00:00:00:02) answers for it",
            ),
            (
                false,
                &[],
                Owner::There,
                Verdict::Warning,
                "nobody answers for it on this network, and beta should have it",
            ),
            (
                false,
                &[stranger],
                Owner::There,
                Verdict::Problem,
                "a stranger (02:00:00:00:00:66) answers for it, and beta should have it",
            ),
            (
                false,
                &[beta, stranger],
                Owner::There,
                Verdict::Problem,
                "beta (02:00:00:00:00:02) and a stranger (02:00:00:00:00:66) answer for it",
            ),
            (
                false,
                &[stranger],
                Owner::Nobody,
                Verdict::Problem,
                "a stranger (02:00:00:00:00:66) answers for it although neither node runs its group",
            ),
            (
                false,
                &[],
                Owner::Nobody,
                Verdict::Ok,
                "nobody has it, as its group runs on neither node",
            ),
            (
                false,
                &[beta],
                Owner::Unsettled,
                Verdict::Ok,
                "beta (02:00:00:00:00:02) answers for it",
            ),
            (
                false,
                &[],
                Owner::Unsettled,
                Verdict::Warning,
                "nobody answers for it",
            ),
        ] {
            let seen = Seen {
                address: [10, 0, 0, 9].into(),
                here: here.then(|| "eth0".to_owned()),
                answers: answers.iter().map(ToString::to_string).collect(),
                unasked: None,
            };
            let peer = Peer {
                name: "beta",
                ethernet: &known,
            };
            let found = judge(&seen, owner, peer);
            assert_eq!((found.verdict, found.words.as_str()), (verdict, words));
            assert_eq!(found.item, "address 10.0.0.9");
        }
    }

    #[test]
    fn two_cards_of_the_other_node_are_one_machine_and_what_was_not_asked_is_not_known() {
        let known = ["a".to_owned(), "b".to_owned()];
        let peer = Peer {
            name: "beta",
            ethernet: &known,
        };
        let mut seen = Seen {
            address: [10, 0, 0, 9].into(),
            here: None,
            answers: known.to_vec(),
            unasked: None,
        };
        assert_eq!(judge(&seen, Owner::There, peer).verdict, Verdict::Ok);
        seen.answers.clear();
        seen.unasked = Some("only root may ask the network".into());
        let found = judge(&seen, Owner::There, peer);
        assert_eq!(found.verdict, Verdict::Unknown);
        assert_eq!(
            found.words,
            "not here; who has it is not known: only root may ask the network"
        );
    }
}
