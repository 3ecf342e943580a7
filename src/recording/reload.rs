//! What a reload brought, in the lines of a header, as one word of an event.

use super::error::Problem;
use super::header::{
    FAILBACK, Lines, failback, group, needed, once, parse, seconds, write_carrier_loss,
    write_failback, write_group,
};
use super::text::{Blanks, Seconds, escape, unescape_text};
use crate::cluster::{GroupPlace, Reload};

/// Appends it on one line.
pub(super) fn write(reload: &Reload, out: &mut String) {
    // Whoever adds something is told here that it has to be recorded.
    let Reload {
        keepalive,
        deadtime,
        warntime,
        initdead,
        deadping,
        max_rexmit_delay,
        auto_failback,
        failback,
        carrier_loss,
        log_badpack,
        groups,
    } = reload;
    let mut lines = Lines::default();
    for (name, time) in [
        ("keepalive", keepalive),
        ("deadtime", deadtime),
        ("warntime", warntime),
        ("initdead", initdead),
        ("deadping", deadping),
        ("max_rexmit_delay", max_rexmit_delay),
    ] {
        lines.plain(name, &Seconds(*time));
    }
    let known = FAILBACK.iter().find(|(_, known)| known == auto_failback);
    lines.plain("auto_failback", &known.map_or("unknown", |(name, _)| name));
    write_failback(&mut lines, *failback);
    write_carrier_loss(&mut lines, *carrier_loss);
    lines.plain("log_badpack", log_badpack);
    for GroupPlace { group, is_removed } in groups {
        let name = if *is_removed { "removed" } else { "group" };
        write_group(&mut lines, name, group);
    }
    escape(lines.text_of_all().as_bytes(), Blanks::Kept, out);
}

/// What such a text says.
pub(super) fn read(text: &str) -> Result<Reload, Problem> {
    let [
        mut keepalive,
        mut deadtime,
        mut warntime,
        mut initdead,
        mut deadping,
        mut delay,
        mut carrier_loss,
    ] = [const { None }; 7];
    let (mut auto_failback, mut condition, mut log_badpack) = (None, None, None);
    let mut groups = Vec::new();
    for line in unescape_text(text)?.lines() {
        let (name, value) = line.split_once(' ').ok_or(Problem::Value)?;
        let time = match name {
            "keepalive" => &mut keepalive,
            "deadtime" => &mut deadtime,
            "warntime" => &mut warntime,
            "initdead" => &mut initdead,
            "deadping" => &mut deadping,
            "max_rexmit_delay" => &mut delay,
            "carrier_loss" => &mut carrier_loss,
            "auto_failback" => {
                let known = FAILBACK.iter().find(|(known, _)| *known == value);
                let &(_, meant) = known.ok_or(Problem::Value)?;
                once(&mut auto_failback, name, meant)?;
                continue;
            }
            "failback" => {
                once(&mut condition, name, failback(value)?)?;
                continue;
            }
            "log_badpack" => {
                once(&mut log_badpack, name, parse(value)?)?;
                continue;
            }
            "group" | "removed" => {
                groups.push(GroupPlace {
                    group: group(value)?,
                    is_removed: name == "removed",
                });
                continue;
            }
            unknown => return Err(Problem::Setting(unknown.to_owned())),
        };
        once(time, name, seconds(value)?)?;
    }
    let missing = |_| Problem::Value;
    Ok(Reload {
        keepalive: needed(keepalive, "keepalive").map_err(missing)?,
        deadtime: needed(deadtime, "deadtime").map_err(missing)?,
        warntime: needed(warntime, "warntime").map_err(missing)?,
        initdead: needed(initdead, "initdead").map_err(missing)?,
        deadping: needed(deadping, "deadping").map_err(missing)?,
        max_rexmit_delay: needed(delay, "max_rexmit_delay").map_err(missing)?,
        auto_failback: needed(auto_failback, "auto_failback").map_err(missing)?,
        failback: condition.unwrap_or_default(),
        carrier_loss,
        log_badpack: needed(log_badpack, "log_badpack").map_err(missing)?,
        groups,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::header::tests::settings;
    use super::*;
    use crate::cluster::FailbackCondition;
    use crate::config::AutoFailback;

    /// A reload of which no two values are the same by accident.
    pub fn sample() -> Reload {
        let groups = settings().groups.into_iter().zip([false, true]);
        Reload {
            keepalive: Duration::from_millis(300),
            deadtime: Duration::from_secs(4),
            warntime: Duration::from_nanos(2_500_000_001),
            initdead: Duration::from_secs(61),
            deadping: Duration::from_secs(5),
            max_rexmit_delay: Duration::from_millis(260),
            auto_failback: AutoFailback::Off,
            failback: FailbackCondition::Steady(Duration::from_millis(90_500)),
            carrier_loss: Some(Duration::from_millis(7500)),
            log_badpack: true,
            groups: groups
                .map(|(group, is_removed)| GroupPlace { group, is_removed })
                .collect(),
        }
    }

    #[test]
    fn a_reload_comes_back_and_damage_is_refused() {
        let mut text = String::new();
        write(&sample(), &mut text);
        assert!(
            text.starts_with("keepalive 0.300000\\ndeadtime 4.000000\\n"),
            "{text}"
        );
        assert_eq!(read(&text), Ok(sample()));
        for damaged in [
            "",
            "keepalive",
            &text.replace("deadtime 4.0", "deadtime soon"),
            &text.replace("deadtime 4.0", "deadtime 4\\ndeadtime 4.0"),
            &text.replace("warntime", "waittime"),
            &text.replace("group local", "group somewhere"),
            &text.replace("log_badpack true\\n", ""),
        ] {
            assert!(read(damaged).is_err(), "{damaged}");
        }
    }
}
