//! The way of a packet through the core: authentic, complete, from the peer, new, for us — in this order.
//! What fails a step changes nothing but a counter (S4).

use super::claims::{self, hex};
use super::ethernet;
use super::former_run::FormerRun;
use super::incident;
use super::incoming::{Arrival, Incoming};
use super::maintenance_words;
use super::quality::Heard;
use super::refusals::RefusalKind;
use super::report::Report;
use super::terms;
use super::{Cluster, Instant, LinkId, NodeStatus};
use crate::message::{self, Message, Rejection, Short};

/// What every message carries.
struct Header<'a> {
    kind: &'a str,
    source: &'a str,
    generation: Option<u64>,
    number: Option<u64>,
}

impl Cluster {
    pub(super) fn receive(&mut self, link: LinkId, bytes: &[u8], now: Instant) {
        if message::is_short(bytes) && self.links.is_serial(link) {
            return self.receive_short(link, bytes, now);
        }
        let mut message = std::mem::take(&mut self.inbox);
        match message::open(bytes, &self.settings.keys, &mut message) {
            Ok(opened) => {
                if let Err(kind) = self.admit(link, opened.key, &message, None, now) {
                    let is_unheeded = matches!(
                        kind,
                        RefusalKind::Incomplete | RefusalKind::UnknownNode | RefusalKind::Replay
                    );
                    self.unheeded += u64::from(is_unheeded);
                    let source = message.text("src").unwrap_or_default();
                    self.refuse(kind, link, format_args!("src={source:.99}"), now);
                }
            }
            Err(rejection) => {
                let kind = match rejection {
                    Rejection::NotAMessage
                    | Rejection::TooLarge
                    | Rejection::Malformed(_)
                    | Rejection::Inflate(_) => RefusalKind::Malformed,
                    Rejection::NoSignature
                    | Rejection::UnknownKey(_)
                    | Rejection::WeakKey
                    | Rejection::WrongSignature => RefusalKind::NotAuthentic,
                };
                self.unheeded += 1;
                self.refuse(kind, link, format_args!("{rejection}"), now);
            }
        }
        self.inbox = message;
    }

    /// `short` is what came where the message is what that stands for.
    pub(super) fn admit(
        &mut self,
        link: LinkId,
        key: u8,
        message: &Message,
        short: Option<&Short>,
        now: Instant,
    ) -> Result<(), RefusalKind> {
        let header = header(message).ok_or(RefusalKind::Incomplete)?;
        if header
            .source
            .eq_ignore_ascii_case(&self.settings.local_node)
        {
            return self.own_echo(message, &header, now);
        }
        if !header.source.eq_ignore_ascii_case(&self.settings.peer_node) {
            return Err(RefusalKind::UnknownNode);
        }
        let Some(number) = header.number else {
            return self.unnumbered(message, &header, now);
        };
        if !self.is_of_current_run(message, &header, now)? {
            return Ok(());
        }
        let run = self.peer.generation;
        if self.peer.incoming.is_jump(number) {
            self.leave_track(run, number, now);
        } else if number <= self.peer.incoming.highest() && header.kind == "status" {
            self.returns_to_former(run, number, now);
        }
        let (fresh, delay) = (self.peer.deadtime, self.settings.max_rexmit_delay);
        let missing_before = self.peer.incoming.missing();
        let was_asked = self.peer.incoming.was_asked(number);
        let arrival = self
            .peer
            .incoming
            .arrive(number, link, fresh, delay, &mut self.jitter, now);
        let is_first_here = matches!(arrival, Arrival::New | Arrival::Copy);
        if is_first_here {
            self.note_link(link, now);
            let heard = Heard {
                number,
                is_heartbeat: header.kind == "status",
                is_copy: arrival == Arrival::Copy,
                was_asked,
            };
            self.qualities.hear(link, heard, now);
        }
        let mut is_heeded = arrival != Arrival::Old;
        if header.kind == "status" {
            let copy = (number, short.is_some());
            is_heeded |= self.copy_heard(is_first_here.then_some(link), message, copy, now);
        }
        self.unheeded += u64::from(!is_heeded);
        match arrival {
            Arrival::New => {
                self.note_life(now);
                self.forget_former_run(now);
                if let Some(run) = &mut self.peer.former {
                    run.doubt();
                }
                self.peer.key = Some(key); // a recording does not say which key is used today
                self.peer.heard_in_this_run = true;
                self.peer.uuid = message
                    .binary("srcuuid")
                    .and_then(|uuid| uuid.try_into().ok())
                    .or(self.peer.uuid);
            }
            Arrival::Late => {}
            Arrival::Copy | Arrival::Old => return Ok(()),
        }
        let mut outcome = Ok(());
        if header.kind == "status" {
            if let Some(short) = short {
                self.peer.incoming.supersede(short.since, number);
            }
            self.heartbeat_heard(message, number, now);
            if short.is_none() {
                self.state_heard(message, number);
            }
        } else if self.is_for_us(message) {
            let fits = self.dispatch(header.kind, message, number, now);
            outcome = if fits {
                Ok(())
            } else {
                Err(RefusalKind::OutOfPlace)
            };
        }
        self.tell_about_gaps(missing_before);
        if let Some(number) = self.peer.incoming.acknowledgement() {
            self.send_acknowledgement(number);
        }
        outcome
    }

    /// The peer is heard on this link.
    pub(super) fn note_link(&mut self, link: LinkId, now: Instant) {
        if self.links.heard(link, now) {
            let link = self.links.name(link).to_owned();
            self.report(Report::LinkUp {
                node: self.peer_name(),
                link,
            });
        }
    }

    /// A copy of what we sent ourselves comes back on broadcast and multicast links. Anything else in our
    /// name is somebody else's.
    fn own_echo(
        &mut self,
        message: &Message,
        header: &Header<'_>,
        now: Instant,
    ) -> Result<(), RefusalKind> {
        let said = (header.generation.unwrap_or(0), header.number.unwrap_or(0));
        let is_ours = said <= (self.settings.generation, self.outgoing.last())
            && message
                .binary("srcuuid")
                .is_none_or(|uuid| uuid == self.settings.uuid.as_slice());
        if is_ours {
            return Ok(());
        }
        // A recording of it says nothing of now: each message counts once.
        if said > self.namesake_said {
            (self.namesake_said, self.namesake_heard) = (said, Some(now));
        }
        Err(RefusalKind::OurName)
    }

    /// Types that begin with `NS_` carry no number, so a recording can't be told from the original: they
    /// prove no life, and what they may cause is bounded.
    fn unnumbered(
        &mut self,
        message: &Message,
        header: &Header<'_>,
        now: Instant,
    ) -> Result<(), RefusalKind> {
        if !header.kind.starts_with("NS_") {
            return Err(RefusalKind::Incomplete);
        }
        let generation = header.generation.ok_or(RefusalKind::Incomplete)?;
        if generation != self.peer.generation {
            // The first word of a new run may overtake its first heartbeat; nothing is done about it.
            let is_early = generation > self.peer.highest_generation;
            return if is_early || self.is_leftover(generation, now) {
                Ok(())
            } else {
                Err(RefusalKind::Replay)
            };
        }
        if !self.is_for_us(message) || self.peer.status == NodeStatus::Dead {
            return Ok(());
        }
        let decimal = |name| message.text(name).and_then(|text| text.parse::<u64>().ok());
        match header.kind {
            "NS_ackmsg" => {
                if let Some(number) = message
                    .text("ackseq")
                    .and_then(hex)
                    .filter(|n| *n <= self.outgoing.last())
                {
                    self.peer.acknowledged = self.peer.acknowledged.max(number);
                }
            }
            "NS_rexmit" => {
                if let (Some(first), Some(last)) = (decimal("firstseq"), decimal("lastseq"))
                    && 0 < first
                    && first <= last
                {
                    self.answer_retransmission((first, last), now);
                }
            }
            "NS_nak_rexmit" => {
                if let Some(number) = message.text("firstseq").and_then(hex)
                    && self.peer.incoming.give_up(number)
                    && let Some(count) = self.told.irretrievable.count(now)
                {
                    self.report(Report::IrretrievablyLost {
                        node: self.peer_name(),
                        number,
                        count,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A lower generation is a recording. A higher one is a new run, which a heartbeat must begin.
    fn is_of_current_run(
        &mut self,
        message: &Message,
        header: &Header<'_>,
        now: Instant,
    ) -> Result<bool, RefusalKind> {
        let generation = header.generation.ok_or(RefusalKind::Incomplete)?;
        if generation != self.peer.generation {
            let is_heartbeat = header.kind == "status";
            let is_higher = generation > self.peer.highest_generation;
            let is_new = is_higher || (is_heartbeat && self.answers_us_now(message));
            let number = header.number.unwrap_or(0);
            if !is_new {
                return if is_heartbeat && self.returns_to_former(generation, number, now) {
                    Ok(true)
                } else if self.is_leftover(generation, now) {
                    Ok(false)
                } else {
                    Err(RefusalKind::Replay)
                };
            }
            if !is_heartbeat {
                return Ok(false);
            }
            self.leave_track(generation, number, now);
            self.peer.generation = generation;
            self.peer.highest_generation = generation.max(self.peer.highest_generation);
            self.peer.incoming = Incoming::new(0, &mut self.jitter);
            self.peer_runs_anew();
        }
        Ok(true)
    }

    /// This message leaves the track of the peer's stream; what it leaves stays in sight. A track that is itself in
    /// doubt is not worth that. Back to one with which we did not become a member leads no way: that may have been a
    /// recording itself.
    fn leave_track(&mut self, generation: u64, number: u64, now: Instant) {
        self.forget_former_run(now);
        let is_member = self.status == NodeStatus::Active && self.peer.status == NodeStatus::Active;
        let former = self.peer.former.as_ref();
        let is_in_doubt = former.is_some_and(FormerRun::has_gone_on);
        if !is_in_doubt {
            let may_return = is_member && self.peer.incoming.has_begun();
            let left_by = (generation, number);
            let incoming = self.peer.incoming.clone();
            let former = FormerRun::new(self.peer.generation, incoming, left_by, may_return, now);
            self.peer.former = Some(former);
        }
    }

    /// What has ended is not taken up again.
    fn forget_former_run(&mut self, now: Instant) {
        let deadtime = self.peer.deadtime;
        let former = self.peer.former.take();
        self.peer.former = former.filter(|run| now.since(run.heard_at()) < deadtime);
    }

    /// Where nothing is heard of the present track, and this message goes on with the former, that becomes the present
    /// one again; then the answer is true.
    fn returns_to_former(&mut self, generation: u64, number: u64, now: Instant) -> bool {
        self.forget_former_run(now);
        let is_silent = now.since(self.peer.last_heard) >= self.peer.deadtime / 2;
        let former = self.peer.former.as_mut();
        if !former.is_some_and(|run| run.hear(generation, number, now)) || !is_silent {
            return false;
        }
        if let Some(run) = self.peer.former.take() {
            self.refusals.count(RefusalKind::OutOfPlace, now);
            self.report(Report::Stray {
                node: self.peer_name(),
                generation: run.left_by.0,
                number: run.left_by.1,
            });
            self.peer.generation = run.generation;
            self.peer.highest_generation = run.generation;
            self.peer.incoming = run.incoming;
            self.peer_runs_anew();
        }
        true
    }

    /// Whether a message of this generation is what the run before sent last: it may come after the first words of the
    /// next.
    pub(super) fn is_leftover(&self, generation: u64, now: Instant) -> bool {
        let former = self.peer.former.as_ref();
        former.is_some_and(|run| {
            run.generation == generation && now.since(run.heard_at()) < self.peer.deadtime
        })
    }

    /// Whether a heartbeat answers our current epoch. No recording of an earlier run of the peer can: each new
    /// run of it begins a new epoch of ours.
    fn answers_us_now(&mut self, message: &Message) -> bool {
        let heading = message
            .text(claims::FIELD)
            .and_then(|text| claims::parse(text, &mut self.heard_states));
        heading.is_some_and(|heading| {
            heading.answering == Some((self.settings.generation, self.epoch))
        })
    }

    fn is_for_us(&self, message: &Message) -> bool {
        match (message.text("dest"), message.binary("destuuid")) {
            (Some(name), _) => name.eq_ignore_ascii_case(&self.settings.local_node),
            (None, Some(uuid)) => {
                uuid == self.settings.uuid.as_slice() || uuid.iter().all(|byte| *byte == 0)
            }
            (None, None) => true,
        }
    }

    /// False when the message can't be made sense of where we are now.
    fn dispatch(&mut self, kind: &str, message: &Message, number: u64, now: Instant) -> bool {
        match kind {
            "reqnodes" => self.send_node_list(),
            "repnodes" => self.node_list_heard(message),
            "starting" => self.starting_heard(),
            "resource" => return self.holdings_heard(message, number),
            "ask_resources" => return self.standby_heard(message, number, now),
            "hb_takeover" => return self.takeover_heard(message, now),
            "ip-request" => return self.group_request_heard(message, number),
            "ip-request-resp" => return self.group_answer_heard(message, number),
            "stonith" => self.obituary_heard(message, number),
            "num_ping_nodes" | "you_are_dead" | "abort_giveup" => {
                return self.ipfail_heard(kind, message, number, now);
            }
            "hbapi-clstat" => self.client_heard(message, now),
            "query-cstatus" => self.answer_client_query(message),
            "shutdone" => self.peer_left(),
            ethernet::KIND => return self.hardware_heard(message, number),
            terms::KIND => return self.terms_heard(message, number, now),
            maintenance_words::KIND => return self.maintenance_heard(message, now),
            incident::KIND => return self.incident_heard(message, number, now),
            _ => return self.script_message_heard(kind, message),
        }
        true
    }

    fn tell_about_gaps(&mut self, before: usize) {
        if self.peer.incoming.take_lost_many() {
            if self.told.lost_many.count(self.now).is_some() {
                self.report(Report::LostMany {
                    node: self.peer_name(),
                });
            }
        } else if before > 0
            && self.peer.incoming.missing() == 0
            && std::mem::take(&mut self.told.missing)
        {
            self.report(Report::NothingMissing {
                node: self.peer_name(),
            });
        }
    }

    /// Counts a refused packet, and tells of it once in a while.
    pub(super) fn refuse(
        &mut self,
        kind: RefusalKind,
        link: LinkId,
        detail: std::fmt::Arguments<'_>,
        now: Instant,
    ) {
        let Some(count) = self.refusals.count(kind, now) else {
            return;
        };
        if self.settings.log_badpack {
            let link = self.links.name(link).to_owned();
            self.report(Report::Refused {
                kind,
                count,
                link,
                detail: detail.to_string(),
            });
        }
    }
}

fn header(message: &Message) -> Option<Header<'_>> {
    let kind = message.text("t")?;
    let source = message.text("src")?;
    message
        .text("ts")
        .and_then(hex)
        .filter(|seconds| *seconds != 0)?;
    let number = match message.text("seq") {
        Some(text) => Some(hex(text).filter(|number| *number != 0)?),
        None => None,
    };
    Some(Header {
        kind,
        source,
        generation: message.text("hg").and_then(hex),
        number,
    })
}
