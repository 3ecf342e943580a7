//! `carrier_loss`: when a lost carrier is a reason to move.

use std::time::Duration;

use super::settings::Settings;
use super::value::{self, Fault};

/// The kernel may tell of one loss on two machines as much as a second apart. What both have lost must be known to both
/// before either acts on it.
const SHORTEST: Duration = Duration::from_secs(2);
/// Whoever waits longer does not mean to move.
const LONGEST: Duration = Duration::from_secs(3600);

/// `carrier_loss TIME | off`.
pub(super) fn carrier_loss(settings: &mut Settings, text: &str) -> Result<(), Fault> {
    let fault = |reason: String| Fault {
        span: 0..text.len(),
        reason,
    };
    settings.carrier_loss = if text.eq_ignore_ascii_case("off") {
        None
    } else {
        let time = value::time(text, true).map_err(|fault| Fault {
            reason: "`off` is expected, or a time such as `5`".into(),
            ..fault
        })?;
        if time.value < SHORTEST {
            return Err(fault(
                "at least 2 seconds, so that both machines know of what both have lost; or `off`"
                    .into(),
            ));
        }
        if time.value > LONGEST {
            return Err(fault("at most an hour; or `off`".into()));
        }
        Some(time.value)
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_between_two_seconds_and_an_hour_or_off() {
        for (text, expected) in [
            ("off", Ok(None)),
            ("OFF", Ok(None)),
            ("2", Ok(Some(2000))),
            ("2500ms", Ok(Some(2500))),
            ("1h", Err("`off` is expected, or a time such as `5`")),
            ("60min", Ok(Some(3_600_000))),
            (
                "1999ms",
                Err(
                    "at least 2 seconds, so that both machines know of what both have lost; or `off`",
                ),
            ),
            (
                "0",
                Err(
                    "at least 2 seconds, so that both machines know of what both have lost; or `off`",
                ),
            ),
            ("3601", Err("at most an hour; or `off`")),
            ("never", Err("`off` is expected, or a time such as `5`")),
        ] {
            let mut settings = Settings::default();
            settings.carrier_loss = Some(Duration::from_secs(5));
            let read = carrier_loss(&mut settings, text);
            let read = read.map(|()| settings.carrier_loss.map(|time| time.as_millis()));
            assert_eq!(
                read.map_err(|fault| fault.reason),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }
}
