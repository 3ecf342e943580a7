//! Whether both nodes have equal what they must: as the core has found out, and for `heartbeat check --peer`, which compares the
//! files on the disk of this node with what the other one goes by.

use std::fmt::Write as _;

use super::exit_status;
use super::exit_status::{DONE, FAILED, NOT_RUNNING};
use super::settings;
use crate::client;
use crate::cluster::{AgreementState, Cluster, Difference, differences};
use crate::config::{Config, Term};
use crate::control::{self, Places, Terms};

/// For the status.
pub fn view(config: &Config, cluster: &Cluster) -> control::Agreement {
    let view = cluster.agreement();
    let told = |difference: &Difference| control::Difference {
        topic: difference.topic().to_owned(),
        here: difference.here.as_ref().map(line),
        there: difference.there.as_ref().map(line),
        words: difference.told(&config.peer_node).to_string(),
    };
    control::Agreement {
        state: word(view.state).into(),
        differences: view.differences.iter().map(told).collect(),
        more: view.more,
    }
}

/// What each has.
pub fn terms(config: &Config, cluster: &Cluster) -> Terms {
    let view = cluster.agreement();
    let (here, there) = cluster.terms();
    let all = |terms: Vec<Term>| terms.into_iter().map(sent).collect();
    Terms {
        state: word(view.state).into(),
        peer: config.peer_node.clone(),
        here: all(here),
        there: all(there),
        more: view.more,
    }
}

fn word(state: AgreementState) -> &'static str {
    match state {
        AgreementState::Apart => "apart",
        AgreementState::Classic => "3.0.6",
        AgreementState::Asking => "asking",
        AgreementState::Silent => "silent",
        AgreementState::Equal => "equal",
        AgreementState::Differs => "differs",
    }
}

fn line(term: &Term) -> control::Line {
    control::Line {
        text: term.text.clone(),
        place: term.place.clone(),
    }
}

fn sent(term: Term) -> control::Term {
    let Term {
        topic,
        text,
        place,
        digest,
    } = term;
    control::Term {
        topic,
        text,
        place,
        digest,
    }
}

fn received(term: &control::Term) -> Term {
    Term {
        digest: term.digest,
        ..Term::new(&term.topic, &term.text, &term.place)
    }
}

/// What `heartbeat check --peer` says of files that are sound, and its exit status: 0 when all is equal, 1 when it is not,
/// 3 when that can't be told.
pub fn compare(config: &Config, places: &Places) -> (String, u8) {
    let peer = &config.peer_node;
    match client::terms(&places.control_socket()) {
        Ok(terms) => judge(config, terms),
        Err(client::Error::Stopped(_)) => (
            format!("no heartbeat runs here, so {peer} can't be asked what it goes by\n"),
            NOT_RUNNING,
        ),
        Err(error) => {
            let exit = match &error {
                client::Error::Unreachable(error) => exit_status::of(error),
                _ => FAILED,
            };
            (format!("{peer} can't be asked: {error}\n"), exit)
        }
    }
}

fn judge(config: &Config, terms: Terms) -> (String, u8) {
    let Terms {
        state,
        peer,
        there,
        more,
        ..
    } = terms;
    let why = match state.as_str() {
        "equal" | "differs" => {
            let there: Vec<Term> = there.iter().map(received).collect();
            return tell(&settings::terms(config), &there, &peer, more);
        }
        "3.0.6" => "it runs heartbeat 3.0.6. Compare the files by hand",
        "silent" => "its version of heartbeat-rs does not tell. Compare the files by hand",
        "asking" => "the nodes are just telling each other; ask again in a minute",
        _ => "it is not heard, or does not hear this node",
    };
    let text = format!("what {peer} goes by is not known: {why}\n");
    (text, NOT_RUNNING)
}

fn tell(here: &[Term], there: &[Term], peer: &str, more: usize) -> (String, u8) {
    let mut found = differences(here, there);
    if more > 0 {
        // The other side of these may be among what is not known.
        found.retain(|difference| difference.there.is_some());
    }
    let mut text = String::new();
    for difference in &found {
        let _ = writeln!(text, "{}", difference.told(peer)); // into a string, which can't fail
    }
    if more > 0 {
        let _ = writeln!(
            text,
            "{more} more line(s) of {peer} differ from what this node runs with"
        );
    }
    if text.is_empty() {
        let equal = format!("{peer} goes by the same as these files\n");
        return (equal, DONE);
    }
    let _ = writeln!(text, "these files are not what {peer} goes by");
    (text, FAILED)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn term(topic: &str, text: &str) -> Term {
        Term::new(topic, text, "ha.cf:7")
    }

    #[test]
    fn what_differs_is_told_with_both_lines_and_decides_the_exit_status() {
        let (one, other) = (term("deadtime", "10s"), term("deadtime", "30s"));
        let (equal, exit) = tell(from_ref(&one), from_ref(&one), "beta", 0);
        assert_eq!(
            (equal.as_str(), exit),
            ("beta goes by the same as these files\n", DONE)
        );
        let (text, exit) = tell(from_ref(&one), &[other, term("ping a", "a")], "beta", 0);
        let expected = "deadtime differs: here `10s` (ha.cf:7), on beta `30s` (ha.cf:7)\n\
            ping a: only on beta, `a` (ha.cf:7); this node does not have it\n\
            these files are not what beta goes by\n";
        assert_eq!((text.as_str(), exit), (expected, FAILED));
        let (text, exit) = tell(&[one], &[], "beta", 9);
        let expected = "9 more line(s) of beta differ from what this node runs with\n\
            these files are not what beta goes by\n";
        assert_eq!((text.as_str(), exit), (expected, FAILED));
    }

    #[test]
    fn a_line_that_was_cut_off_on_its_way_is_compared_uncut() {
        let here = term("group a", &"x".repeat(300));
        let cut = control::Term {
            text: "xxx…".into(),
            ..sent(here.clone())
        };
        assert_eq!(tell(&[here], &[received(&cut)], "beta", 0).1, DONE);
    }
}
