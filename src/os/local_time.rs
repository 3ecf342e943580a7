//! Seconds since 1970 in the machine's own time zone, for log lines.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A wall clock reading taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Such as 2026.
    pub year: i32,
    /// 1–12.
    pub month: u8,
    /// 1–31.
    pub day: u8,
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: u8,
    /// 0–60.
    pub second: u8,
}

impl LocalTime {
    /// Takes `seconds` since 1970 apart; 1 January 1970 when the C library can't.
    pub fn from_unix(seconds: u64) -> Self {
        let seconds = libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX);
        let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both pointers are valid for the call; localtime_r writes nothing but `parts`, and an
        // all-zero `tm` is a valid value should it write nothing.
        let parts = unsafe {
            libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
            parts.assume_init()
        };
        let small = |value: libc::c_int| u8::try_from(value).unwrap_or(0);
        Self {
            year: parts.tm_year.saturating_add(1900),
            month: small(parts.tm_mon.saturating_add(1)),
            day: small(parts.tm_mday),
            hour: small(parts.tm_hour),
            minute: small(parts.tm_min),
            second: small(parts.tm_sec),
        }
    }

    /// Seconds since 1970; `None` where there is no such day. Of an hour that comes twice in a night, one of both.
    pub fn to_unix(self) -> Option<u64> {
        let mut parts = libc::tm {
            tm_year: self.year.checked_sub(1900)?,
            tm_mon: libc::c_int::from(self.month).checked_sub(1)?,
            tm_mday: libc::c_int::from(self.day),
            tm_hour: libc::c_int::from(self.hour),
            tm_min: libc::c_int::from(self.minute),
            tm_sec: libc::c_int::from(self.second),
            tm_wday: 0,
            tm_yday: 0,
            tm_isdst: -1,
            tm_gmtoff: 0,
            tm_zone: std::ptr::null(),
        };
        // SAFETY: the pointer is valid for the call, which writes nothing but `parts`.
        let seconds = unsafe { libc::mktime(&raw mut parts) };
        let is_that_day = parts.tm_mday == libc::c_int::from(self.day);
        u64::try_from(seconds).ok().filter(|_| is_that_day)
    }

    /// As the C library's `syslog` writes it: `Nov  5 19:26:35`.
    pub fn syslog(self) -> String {
        let month = MONTHS
            .get(usize::from(self.month).saturating_sub(1))
            .copied()
            .unwrap_or("Jan");
        let Self {
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        format!("{month} {day:2} {hour:02}:{minute:02}:{second:02}")
    }

    /// As the scripts of heartbeat write it: `2026/11/20_18:20:23`.
    pub fn classic(self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        format!("{year}/{month:02}/{day:02}_{hour:02}:{minute:02}:{second:02}")
    }
}

/// Seconds since 1970 in the machine's own time zone: `2026-11-20 18:20:23`.
pub fn second(seconds: u64) -> String {
    let LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = LocalTime::from_unix(seconds);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Milliseconds since 1970 in the machine's own time zone: `2026-11-20 18:20:23.042`.
pub fn moment(millis: u64) -> String {
    format!("{}.{:03}", second(millis / 1000), millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_those_of_the_original() {
        let time = LocalTime {
            year: 2026,
            month: 11,
            day: 5,
            hour: 9,
            minute: 4,
            second: 3,
        };
        assert_eq!(time.syslog(), "Nov  5 09:04:03");
        assert_eq!(time.classic(), "2026/11/05_09:04:03");
    }

    #[test]
    fn a_moment_has_its_milliseconds() {
        let moment = moment(1_795_198_608_042);
        assert!(
            moment.starts_with("2026-1") && moment.ends_with(":48.042"),
            "{moment}"
        );
    }

    #[test]
    fn any_number_of_seconds_is_taken() {
        LocalTime::from_unix(0);
        LocalTime::from_unix(u64::MAX);
        assert!(LocalTime::from_unix(1_795_198_608).year == 2026);
    }
}
