//! The serial lines, in the form of what is told of nodes and links.

use crate::control::{Node, SerialLine};

/// What `hbstatus -v` says of them; nothing where there are none.
pub(super) fn lines(nodes: &[Node]) -> String {
    let links = nodes.iter().flat_map(|node| &node.links);
    let lines: String = links
        .filter_map(|link| Some(line(&link.name, link.serial.as_ref()?)))
        .collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\nserial lines\n{lines}")
    }
}

fn line(name: &str, line: &SerialLine) -> String {
    let flow = match line.flow_control {
        Some(true) => "RTS/CTS",
        Some(false) => "no flow control",
        None => "closed",
    };
    let mut text = format!("\t{name}\t{flow}\tnoise: {} bytes", line.noise);
    if let Some(errors) = line.errors {
        let counts = [
            ("framing", errors.framing),
            ("parity", errors.parity),
            ("overruns", errors.overruns),
            ("breaks", errors.breaks),
        ];
        for (what, count) in counts {
            text.extend([", ", what, ": ", &count.to_string()]);
        }
    }
    text.push('\n');
    if let Some(remedy) = &line.remedy {
        text.extend(["\t\t", remedy, "\n"]);
    }
    text
}
