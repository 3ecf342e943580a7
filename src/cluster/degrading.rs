//! Links that carry badly are told once, and once when it is over. Nothing is decided by it.

use super::link_report::LinkReport;
use super::report::Report;
use super::{Cluster, Instant, LinkId};

impl Cluster {
    /// Whether `link` was told to be degraded, and not to have recovered.
    pub fn is_degraded(&self, link: LinkId) -> bool {
        self.degradations.is_degraded(link)
    }

    /// Once in each keepalive.
    pub(super) fn judge_degradation(&mut self, now: Instant) {
        if now < self.degradations.next {
            return;
        }
        let keepalive = self.settings.keepalive;
        self.degradations.next = now + keepalive;
        for link in (0..self.links.count()).map(LinkId) {
            let (is_up, quality) = (self.links.is_up(link), self.qualities.of(link));
            let news = self
                .degradations
                .judge(link, is_up, &quality, keepalive, now);
            let Some(is_degraded) = news else { continue };
            let (node, link) = (self.peer_name(), self.links.name(link).to_owned());
            self.report(Report::Link(if is_degraded {
                LinkReport::Degraded {
                    node,
                    link,
                    missed: quality.missed,
                    expected: quality.expected,
                    jitter: quality.jitter.unwrap_or_default(),
                }
            } else {
                LinkReport::Recovered { node, link }
            }));
        }
    }
}
