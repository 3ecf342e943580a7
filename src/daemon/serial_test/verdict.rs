//! What a line is good for, in words. A value: no descriptor, no clock.

use std::fmt;

use super::super::media::line_errors::Errors;
use super::findings::{Findings, Wires};
use crate::os::tty::ModemLines;

/// So many of a hundred bytes that are no text come of another rate, not of a disturbance.
const RUBBISH: u64 = 20;
/// So often do the wires change by themselves when another test moves them.
const MOVED: u32 = 3;
/// So many probes without an answer show that nobody hears us.
const UNANSWERED: u64 = 3;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well; whether the handshake wires could be seen.
    Fine {
        /// They could.
        with_wires: bool,
    },
    /// Data both ways, no handshake wires at all.
    ThreeWire,
    /// Data both ways, some of the handshake wires.
    Handshake {
        /// What is missing, in words.
        missing: String,
    },
    /// Lines are lost or damaged.
    Noisy {
        /// How many of the other end's lines are missing.
        lost: u64,
        /// Of how many.
        of: u64,
        /// They arrive damaged, rather than not at all.
        is_damage: bool,
        /// Bytes came faster than they were fetched.
        overruns: bool,
    },
    /// The other test is heard and does not hear us.
    OneWay,
    /// The other test was over before it could answer.
    TooShort,
    /// The other end runs heartbeat.
    Heartbeat {
        /// The node that it says it is.
        node: Option<String>,
    },
    /// Something there asks for a login.
    Login,
    /// Something there answers as a modem.
    Modem,
    /// What we say comes back.
    Loopback,
    /// The other end sends at another rate.
    Rates {
        /// At this one, where that was found out.
        theirs: Option<u32>,
    },
    /// Something else talks there.
    Stranger {
        /// What it said last.
        text: String,
    },
    /// The handshake wires lead to another test, and the data wires do not.
    DataWires,
    /// The other end's handshake wires are up and nobody answers.
    NoAnswer {
        /// RTS and CTS are joined in the plug, so that nothing follows from them.
        is_joined: bool,
    },
    /// Nothing at all.
    Nothing {
        /// The port has handshake wires, and they are down.
        with_wires: bool,
    },
}

impl Verdict {
    /// The verdict on what was found.
    pub fn of(found: &Findings) -> Self {
        let ear = &found.ear;
        if found.heard > 0 {
            return of_two_tests(found);
        }
        if ear.messages > 0 {
            let node = ear.node.clone();
            return Self::Heartbeat { node };
        }
        if ear.login {
            return Self::Login;
        }
        if ear.modem {
            return Self::Modem;
        }
        if found.echoes > 0 {
            return Self::Loopback;
        }
        let bad = |errors: Errors| errors.frame > 0 || errors.parity > 0;
        if found.their_rate.is_some()
            || (ear.bytes > 0 && (ear.odd_percent() >= RUBBISH || found.errors.is_some_and(bad)))
        {
            let theirs = found.their_rate;
            return Self::Rates { theirs };
        }
        if ear.bytes > 0 && (!ear.text.is_empty() || ear.damaged > 0) {
            let text = ear.text.clone();
            return Self::Stranger { text };
        }
        of_silence(found.wires)
    }

    /// One word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Fine { .. } => "fine",
            Self::ThreeWire => "three-wire",
            Self::Handshake { .. } => "handshake-missing",
            Self::Noisy { .. } => "noisy",
            Self::OneWay => "one-way",
            Self::TooShort => "too-short",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Login => "login",
            Self::Modem => "modem",
            Self::Loopback => "loopback",
            Self::Rates { .. } => "rates-differ",
            Self::Stranger { .. } => "stranger",
            Self::DataWires => "data-wires",
            Self::NoAnswer { .. } => "no-answer",
            Self::Nothing { .. } => "nothing",
        }
    }

    /// Whether heartbeat can use the line as it is.
    pub const fn is_usable(&self) -> bool {
        matches!(
            self,
            Self::Fine { .. } | Self::ThreeWire | Self::Handshake { .. }
        )
    }
}

fn of_two_tests(found: &Findings) -> Verdict {
    if found.answered == 0 {
        // It ends at once only when it has heard us.
        return if found.has_ended || found.unanswered < UNANSWERED {
            Verdict::TooShort
        } else {
            Verdict::OneWay
        };
    }
    let of = found.heard.saturating_add(found.lost);
    if found.lost >= 2 && found.lost.saturating_mul(100) > of {
        return Verdict::Noisy {
            lost: found.lost,
            of,
            is_damage: found.ear.damaged.saturating_mul(2) >= found.lost,
            overruns: found.errors.is_some_and(|errors| errors.overrun > 0),
        };
    }
    let Some(wires) = found.wires else {
        return Verdict::Fine { with_wires: false };
    };
    if !is_any_up(wires.here) && !is_any_up(wires.there) {
        return Verdict::ThreeWire;
    }
    let mut missing = Vec::new();
    if wires.cts_own.is_shown() && !wires.cts_here.is_shown() {
        missing.push("CTS is joined to RTS in the plug here");
    } else if wires.cts_here.is_known() && !wires.cts_here.is_shown() {
        missing.push("CTS here does not follow RTS there");
    }
    if wires.cts_there.is_known() && !wires.cts_there.is_shown() {
        missing.push("CTS there does not follow RTS here");
    }
    let is_untried =
        wires.there_known && !(wires.cts_here.is_known() && wires.cts_there.is_known());
    if missing.is_empty() && is_untried {
        return Verdict::TooShort;
    }
    if missing.is_empty() {
        return Verdict::Fine {
            with_wires: wires.there_known,
        };
    }
    Verdict::Handshake {
        missing: missing.join(", "),
    }
}

fn of_silence(wires: Option<Wires>) -> Verdict {
    let Some(wires) = wires else {
        return Verdict::Nothing { with_wires: false };
    };
    let is_joined = wires.cts_own.is_shown();
    if wires.moved >= MOVED {
        return Verdict::DataWires;
    }
    if is_any_up(wires.here) {
        return Verdict::NoAnswer { is_joined };
    }
    Verdict::Nothing { with_wires: true }
}

fn is_any_up(lines: ModemLines) -> bool {
    lines.cts || lines.dsr || lines.dcd
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fine { with_wires: true } => f.write_str(
                "fine: data and handshake wires work both ways",
            ),
            Self::Fine { with_wires: false } => f.write_str(
                "fine: data pass both ways; this port has no handshake wires that could be looked at",
            ),
            Self::ThreeWire => f.write_str(
                "three wires: data pass both ways, there are no handshake wires. heartbeat copes with that by itself \
                 (serial_flow in ha.cf)",
            ),
            Self::Handshake { missing } => write!(
                f,
                "handshake wires are missing: data pass both ways, but {missing}. heartbeat copes with that by itself; \
                 if a wire is joined to another in the plug, say `serial_flow none` in ha.cf"
            ),
            Self::Noisy { lost, of, is_damage, overruns } => {
                write!(f, "noisy: {lost} of {of} lines of the other end did not arrive whole. ")?;
                f.write_str(match (overruns, is_damage) {
                    (true, _) => "Bytes came faster than this machine fetched them: use a lower rate",
                    (false, true) => {
                        "They are damaged on their way: a longer cable than the rate allows, a bad contact, a source of \
                         noise, or rates that are not quite the same; try a lower rate, then another cable"
                    }
                    (false, false) => "They vanish: look for a loose contact",
                })
            }
            Self::OneWay => f.write_str(
                "one way only: the other end is heard and does not hear us: the wire from our TxD (pin 3) to its RxD (pin \
                 2) is broken, or our port does not send",
            ),
            Self::TooShort => f.write_str(
                "the test was too short: the other end was heard for a moment only. Start it again at both ends, or with \
                 more --seconds",
            ),
            Self::Heartbeat { node } => {
                f.write_str("the other end runs heartbeat")?;
                if let Some(node) = node {
                    write!(f, " (node {node})")?;
                }
                f.write_str(
                    ": what it sends arrives. Whether it hears us was not tried; start heartbeat here and see its link, or \
                     stop it there and run this test at both ends",
                )
            }
            Self::Login => f.write_str(
                "a login prompt is at the other end: another machine's console, or logins are wanted on its port (there, \
                 `systemctl mask --now serial-getty@PORT.service` ends that)",
            ),
            Self::Modem => f.write_str(
                "a modem is at the other end: it answers to AT. heartbeat wants a null-modem cable to the other machine",
            ),
            Self::Loopback => f.write_str(
                "a loopback: what this port sends comes back to it. There is a loopback plug, or TxD and RxD (pins 2 and 3) \
                 touch",
            ),
            Self::Rates { theirs } => {
                f.write_str("the rates differ: bytes come and make no sense at this one. ")?;
                match theirs {
                    Some(rate) => write!(f, "The other end sends at {rate} baud"),
                    None => f.write_str(
                        "Say the same --baud at both ends (`baud` in ha.cf); if they are the same, one port has other \
                         character settings",
                    ),
                }
            }
            Self::Stranger { text } => {
                f.write_str("something else is at the other end")?;
                if !text.is_empty() {
                    write!(f, ", it said: {text}")?;
                }
                Ok(())
            }
            Self::DataWires => f.write_str(
                "the data wires are not crossed or broken: the handshake wires follow a test at the other end, but no byte \
                 comes. A straight-through cable, or one whose pins 2 and 3 are not crossed",
            ),
            Self::NoAnswer { is_joined: true } => f.write_str(
                "no answer: nobody is heard. CTS is joined to RTS in the plug, so there is a plug, and whether the other \
                 end is on can't be seen. Run this test at both ends at the same time",
            ),
            Self::NoAnswer { is_joined: false } => f.write_str(
                "no answer: the other end's handshake wires are up, so the cable is there and the port at its other end \
                 is open or set up, but nobody answers. Run this test at both ends at the same time",
            ),
            Self::Nothing { with_wires } => {
                f.write_str("nothing is connected, as far as can be seen: nobody is heard")?;
                if *with_wires {
                    f.write_str(" and no handshake wire is up")?;
                }
                f.write_str(
                    ". There is no cable, or a straight-through one where a null-modem cable is wanted, or it is in \
                     another port, or the other machine is off or nobody has its port open. Run this test at both ends \
                     at the same time",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Follows;
    use super::*;

    const UP: ModemLines = ModemLines {
        cts: true,
        dsr: true,
        dcd: true,
    };
    const DOWN: ModemLines = ModemLines {
        cts: false,
        dsr: false,
        dcd: false,
    };

    fn shown() -> Follows {
        let mut follows = Follows::default();
        (0..8).for_each(|number| follows.note(number % 2 == 0, number % 2 == 0));
        follows
    }

    fn stuck() -> Follows {
        let mut follows = Follows::default();
        (0..8).for_each(|number| follows.note(true, number % 2 == 0));
        follows
    }

    fn full() -> Wires {
        Wires {
            at_rest: UP,
            here: UP,
            there: UP,
            there_known: true,
            cts_here: shown(),
            cts_there: shown(),
            cts_own: stuck(),
            moved: 20,
        }
    }

    /// Two tests that hear each other well.
    fn talk(wires: Option<Wires>) -> Findings {
        Findings {
            asked: 30,
            answered: 30,
            heard: 100,
            wires,
            ..Findings::default()
        }
    }

    fn heard(bytes: &[u8]) -> Findings {
        let mut found = Findings {
            wires: Some(Wires {
                here: UP,
                ..Wires::default()
            }),
            ..Findings::default()
        };
        found.ear.push(bytes, |_, _| {});
        found
    }

    fn silent(wires: Option<Wires>) -> Findings {
        Findings {
            asked: 20,
            wires,
            ..Findings::default()
        }
    }

    fn cases() -> Vec<(&'static str, bool, Findings)> {
        let none = Wires::default();
        let partly = |change: fn(&mut Wires)| {
            let mut wires = full();
            change(&mut wires);
            talk(Some(wires))
        };
        let frame = Errors {
            frame: 9,
            ..Errors::default()
        };
        vec![
            ("fine", true, talk(Some(full()))),
            ("fine", true, talk(None)),
            (
                "fine",
                true,
                Findings {
                    lost: 1,
                    ..talk(Some(full()))
                },
            ),
            (
                "three-wire",
                true,
                talk(Some(Wires {
                    there_known: true,
                    ..none
                })),
            ),
            (
                "handshake-missing",
                true,
                partly(|wires| wires.cts_here = stuck()),
            ),
            (
                "handshake-missing",
                true,
                partly(|wires| wires.cts_there = stuck()),
            ),
            (
                "handshake-missing",
                true,
                partly(|wires| (wires.cts_here, wires.cts_own) = (stuck(), shown())),
            ),
            (
                "too-short",
                false,
                partly(|wires| wires.cts_here = Follows::default()),
            ),
            (
                "noisy",
                false,
                Findings {
                    lost: 5,
                    ..talk(Some(full()))
                },
            ),
            (
                "one-way",
                false,
                Findings {
                    answered: 0,
                    unanswered: 9,
                    ..talk(Some(none))
                },
            ),
            (
                "too-short",
                false,
                Findings {
                    answered: 0,
                    has_ended: true,
                    ..talk(None)
                },
            ),
            ("heartbeat", false, heard(b">>>\nt=status\nsrc=beta\n<<<\n")),
            ("login", false, heard(b"\r\nbeta login: ")),
            ("modem", false, heard(b"AT\r\r\nOK\r\n")),
            (
                "loopback",
                false,
                Findings {
                    echoes: 9,
                    ..silent(Some(none))
                },
            ),
            (
                "rates-differ",
                false,
                heard(&[0xf8, 0x80, 0x00, 0xfe, 0x1c, 0xe0]),
            ),
            (
                "rates-differ",
                false,
                Findings {
                    errors: Some(frame),
                    ..heard(b"xyzzy")
                },
            ),
            ("stranger", false, heard(b"$GPGGA,123519\r\n")),
            ("data-wires", false, silent(Some(full()))),
            ("no-answer", false, silent(Some(Wires { here: UP, ..none }))),
            (
                "no-answer",
                false,
                silent(Some(Wires {
                    here: UP,
                    cts_own: shown(),
                    ..none
                })),
            ),
            (
                "nothing",
                false,
                silent(Some(Wires {
                    at_rest: DOWN,
                    ..none
                })),
            ),
            ("nothing", false, silent(None)),
        ]
    }

    #[test]
    fn every_line_gets_its_verdict() {
        for (word, is_usable, found) in cases() {
            let verdict = Verdict::of(&found);
            assert_eq!(
                (verdict.word(), verdict.is_usable()),
                (word, is_usable),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_verdict_says_what_is_wrong_and_where_to_look() {
        for (found, part) in [
            (
                Findings {
                    lost: 9,
                    ..talk(None)
                },
                "They vanish",
            ),
            (
                Findings {
                    lost: 9,
                    errors: Some(Errors {
                        overrun: 4,
                        ..Errors::default()
                    }),
                    ..talk(None)
                },
                "use a lower rate",
            ),
            (heard(b">>>\nt=status\nsrc=beta\n<<<\n"), "(node beta)"),
            (
                Findings {
                    their_rate: Some(9600),
                    ..heard(&[0x80; 20])
                },
                "The other end sends at 9600 baud",
            ),
            (
                talk(Some(Wires {
                    cts_here: shown(),
                    cts_there: stuck(),
                    ..full()
                })),
                "but CTS there does not follow RTS here.",
            ),
        ] {
            let words = Verdict::of(&found).to_string();
            assert!(words.contains(part), "{words}");
        }
    }
}
