//! Planned moves between the control socket and the core, each in its own words.

use super::clock;
use super::core::Core;
use crate::cluster::{self, Cluster, Event, MoveRequest};
use crate::control::{Answer, Direction, MoveProgress, Movement, Selection};

/// Has the core begin a move, unless it refuses. `generation` is the one under which this run began.
pub fn begin(
    cluster: &mut Core,
    direction: Direction,
    selection: Selection,
    generation: u64,
) -> Answer {
    let request = request(direction, selection);
    if let Some(refusal) = cluster.refuses(request) {
        let command = match direction {
            Direction::Standby => "hb_standby",
            Direction::Takeover => "hb_takeover",
        };
        ::log::info!("{command} [{selection}] refused: {refusal}");
        return Answer::Error(refusal.to_string());
    }
    let warnings = warnings(cluster, request);
    let last = cluster.movement().map(|movement| movement.number);
    cluster.handle(clock::now(), Event::MoveRequested(request));
    match movement(cluster, generation) {
        Some(movement) if Some(movement.number) != last => Answer::Movement(Movement {
            warnings,
            ..movement
        }),
        // Between question and event the core found that time had passed, as after a suspend.
        _ => Answer::Error("things changed just now; try again in a moment".into()),
    }
}

/// A node that is not ready may do it all the same: who asks for the move knows more.
fn warnings(cluster: &Cluster, request: MoveRequest) -> Vec<String> {
    let (selection, there) = match request {
        MoveRequest::Standby(selection) => (selection, true),
        MoveRequest::Takeover(selection) => (selection, false),
    };
    let (node, place) = if there {
        ("the other", "there")
    } else {
        ("this", "here")
    };
    let unready = cluster.unready_for(selection, there).into_iter();
    let unready = unready.map(|key| {
        format!(
            "{node} node is not ready to run {key}; `cl_status rscstatus --json` {place} tells why"
        )
    });
    let lost = cluster.without_carrier_for(selection, there).into_iter();
    let lost = lost.map(|key| {
        format!(
            "the interface of {key} has no carrier {place}, or not for long: nobody may reach it"
        )
    });
    unready.chain(lost).collect()
}

fn request(direction: Direction, selection: Selection) -> MoveRequest {
    let selection = match selection {
        Selection::All => cluster::Selection::All,
        Selection::Local => cluster::Selection::Local,
        Selection::Foreign => cluster::Selection::Foreign,
    };
    match direction {
        Direction::Standby => MoveRequest::Standby(selection),
        Direction::Takeover => MoveRequest::Takeover(selection),
    }
}

/// The move that is under way, or the last one.
pub fn movement(cluster: &Cluster, generation: u64) -> Option<Movement> {
    let movement = cluster.movement()?;
    let (request, selection) = parts(movement.request);
    let (progress, reason) = match movement.progress {
        cluster::MoveProgress::Asked => (MoveProgress::Asked, None),
        cluster::MoveProgress::Releasing => (MoveProgress::Releasing, None),
        cluster::MoveProgress::Acquiring => (MoveProgress::Acquiring, None),
        cluster::MoveProgress::Done => (MoveProgress::Done, None),
        cluster::MoveProgress::Failed(failure) => (MoveProgress::Failed, Some(failure.to_string())),
    };
    Some(Movement {
        generation,
        number: movement.number,
        request,
        selection,
        progress,
        reason,
        warnings: Vec::new(),
    })
}

fn parts(request: MoveRequest) -> (Direction, Selection) {
    let (direction, selection) = match request {
        MoveRequest::Standby(selection) => (Direction::Standby, selection),
        MoveRequest::Takeover(selection) => (Direction::Takeover, selection),
    };
    let selection = match selection {
        cluster::Selection::All => Selection::All,
        cluster::Selection::Local => Selection::Local,
        cluster::Selection::Foreign => Selection::Foreign,
    };
    (direction, selection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_comes_back_as_it_was_asked() {
        for direction in [Direction::Standby, Direction::Takeover] {
            for selection in [Selection::All, Selection::Local, Selection::Foreign] {
                assert_eq!(parts(request(direction, selection)), (direction, selection));
            }
        }
    }
}
