//! Serial lines as a whole: what is wrong on them, and what is shown of them.

use super::Media;
use super::device::SerialLine;
use super::report::{MediaReport, name};

impl Media {
    /// What is known of each serial line, with its link.
    pub fn serial_lines(&self) -> impl Iterator<Item = (&str, SerialLine)> {
        self.devices.iter().filter_map(|device| {
            let line = device.serial_line()?;
            Some((device.medium.link.as_str(), line))
        })
    }

    /// Tells of errors and strangers on a serial line.
    pub(super) fn look_at_line(&mut self, index: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let (errors, stranger) = device.look_at_line(now);
        let name = || name(&device.medium);
        let errors = errors.map(|errors| MediaReport::LineErrors {
            name: name(),
            errors,
        });
        let stranger = stranger.map(|stranger| MediaReport::Stranger {
            name: name(),
            stranger,
        });
        for report in [errors, stranger].into_iter().flatten() {
            self.report(report);
        }
    }
}
