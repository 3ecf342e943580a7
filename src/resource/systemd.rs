//! Services of systemd as resources.

use std::path::PathBuf;

use super::{Action, Invocation, Standing};

/// How `systemctl` is called for a unit.
pub fn invocation(unit: &str, action: Action) -> Invocation {
    let verb = if action == Action::Status {
        "is-active"
    } else {
        action.word()
    };
    Invocation::new(
        PathBuf::from("systemctl"),
        vec![verb.to_owned(), unit.to_owned()],
    )
}

/// What `systemctl is-active` printed. A unit on its way up or down is neither: starting it waits for the
/// job at hand, but it must not be taken for stopped. Without a word (no connection to systemd) nothing is
/// known.
pub fn standing(output: &[u8]) -> Standing {
    match output.trim_ascii() {
        b"active" | b"reloading" | b"refreshing" => Standing::Running,
        b"inactive" | b"failed" | b"unknown" => Standing::Stopped,
        _ => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_between_states_is_neither_running_nor_stopped() {
        assert_eq!(standing(b"active\n"), Standing::Running);
        assert_eq!(standing(b"inactive\n"), Standing::Stopped);
        assert_eq!(standing(b"failed\n"), Standing::Stopped);
        for word in ["activating\n", "deactivating\n", "maintenance\n", ""] {
            assert_eq!(standing(word.as_bytes()), Standing::Unknown, "{word:?}");
        }
    }

    #[test]
    fn a_unit_is_called_through_systemctl() {
        assert_eq!(
            invocation("nginx.service", Action::Start).to_string(),
            "systemctl start nginx.service"
        );
        assert_eq!(
            invocation("nginx.service", Action::Status).to_string(),
            "systemctl is-active nginx.service"
        );
    }
}
