//! `watchdog` and `watchdog_policy`, as `ha.cf` has them.

use super::WatchdogDevice;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::settings::Settings;
use super::value::{self, Fault, Remark};
use super::watchdog::{DRIVER, IDENTITY};

/// `watchdog DEVICE | driver:NAME | identity:NAME`.
pub(super) fn watchdog(settings: &mut Settings, text: &str) -> Result<Option<Remark>, Fault> {
    let name = |name: &str, what: &str| {
        let fault = || Fault {
            span: 0..text.len(),
            reason: format!("the name of {what} must follow the colon, without a blank"),
        };
        (!name.is_empty())
            .then(|| name.to_owned())
            .ok_or_else(fault)
    };
    let (device, remark) = if let Some(driver) = text.strip_prefix(DRIVER) {
        (WatchdogDevice::Driver(name(driver, "a driver")?), None)
    } else if let Some(identity) = text.strip_prefix(IDENTITY) {
        let identity = name(identity, "a watchdog")?;
        (WatchdogDevice::Identity(identity), None)
    } else {
        let reading = value::path(text);
        (WatchdogDevice::Path(reading.value), reading.remark)
    };
    settings.watchdog = Some(device);
    Ok(remark)
}

/// A policy alone protects nothing.
pub(super) fn advise(settings: &Settings, out: &mut Diagnostics) {
    if let Some(place) = settings.place("watchdog_policy")
        && settings.is_absent("watchdog")
    {
        let warning = Diagnostic::warning(place, "`watchdog_policy` without `watchdog`");
        out.push(
            warning
                .label("it has no effect: no device is named")
                .help("add `watchdog DEVICE`, or remove this line"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(WatchdogDevice, bool), Fault> {
        let mut settings = Settings::default();
        let remark = watchdog(&mut settings, text)?;
        Ok((settings.watchdog.expect("set"), remark.is_some()))
    }

    #[test]
    fn a_path_is_what_it_was_and_two_prefixes_name_what_stays() {
        let path = |path: &str| WatchdogDevice::Path(path.into());
        for (text, device, is_odd) in [
            ("/dev/watchdog", path("/dev/watchdog"), false),
            ("/dev/driver:x", path("/dev/driver:x"), false),
            ("softdog", path("softdog"), true),
            (
                "driver:iTCO_wdt",
                WatchdogDevice::Driver("iTCO_wdt".into()),
                false,
            ),
            (
                "identity:Software_Watchdog",
                WatchdogDevice::Identity("Software_Watchdog".into()),
                false,
            ),
        ] {
            assert_eq!(read(text), Ok((device.clone(), is_odd)));
            assert_eq!(device.to_string(), text);
        }
        for text in ["driver:", "identity:"] {
            let fault = read(text).expect_err("no name");
            assert!(fault.reason.contains("must follow the colon"), "{fault:?}");
        }
    }
}
