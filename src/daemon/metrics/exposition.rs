//! Metrics as text: `OpenMetrics` 1.0, or the older format that `node_exporter` reads from files.

use std::fmt::{Display, Write as _};

/// What a family of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only grows while the daemon runs; its samples end in `_total`.
    Counter,
    /// How often something took how long.
    Histogram,
    /// A text, in labels; its sample ends in `_info`.
    Info,
}

/// A family of samples, declared once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Without the ending that the samples of its kind have.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// `seconds`, `bytes`, or empty; the name ends with it.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// The two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4, whose parser refuses types that it does not know.
    Text,
}

impl Form {
    /// For the head of an answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A text that grows family by family.
#[derive(Debug)]
pub struct Exposition {
    form: Form,
    text: String,
}

/// Names and values of labels.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Exposition {
    /// Nothing yet.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            text: String::with_capacity(16 * 1024),
        }
    }

    /// All samples of a family; its head is written with the first one.
    pub fn family(&mut self, family: &'static Family) -> Samples<'_> {
        Samples {
            exposition: self,
            family,
            has_head: false,
        }
    }

    /// One sample without labels.
    pub fn single(&mut self, family: &'static Family, value: impl Display) {
        self.family(family).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.form == Form::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn head(&mut self, family: &Family) {
        let Family {
            name,
            kind,
            unit,
            help,
        } = family;
        let (ending, word) = match (self.form, kind) {
            (_, Kind::Gauge) => ("", "gauge"),
            (_, Kind::Histogram) => ("", "histogram"),
            (Form::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Form::OpenMetrics, Kind::Info) => ("", "info"),
            (Form::Text, Kind::Counter) => ("_total", "counter"),
            (Form::Text, Kind::Info) => ("_info", "gauge"),
        };
        let text = &mut self.text;
        // Writing into a String does not fail.
        let _ = writeln!(text, "# TYPE {name}{ending} {word}");
        if !unit.is_empty() && self.form == Form::OpenMetrics {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(text, "# HELP {name}{ending} {help}");
    }

    fn line(&mut self, name: &str, ending: &str, labels: Labels<'_>, value: impl Display) {
        let text = &mut self.text;
        text.push_str(name);
        text.push_str(ending);
        for (index, (label, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(label);
            text.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' => text.push_str("\\\\"),
                    '"' => text.push_str("\\\""),
                    '\n' => text.push_str("\\n"),
                    other => text.push(other),
                }
            }
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

/// The samples of one family.
#[derive(Debug)]
pub struct Samples<'a> {
    exposition: &'a mut Exposition,
    family: &'static Family,
    has_head: bool,
}

impl Samples<'_> {
    /// One more.
    pub fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        let ending = match self.family.kind {
            Kind::Gauge | Kind::Histogram => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        };
        self.head();
        self.exposition
            .line(self.family.name, ending, labels, value);
    }

    /// One for which a truth is 1.
    pub fn truth(&mut self, labels: Labels<'_>, is_so: bool) {
        self.sample(labels, u8::from(is_so));
    }

    /// A histogram: how many were at most so long, in ascending order, how many there were in all, and their sum in seconds.
    pub fn histogram<'b>(
        &mut self,
        buckets: impl Iterator<Item = (&'b str, u64)>,
        count: u64,
        sum: f64,
    ) {
        self.head();
        let name = self.family.name;
        for (limit, count) in buckets {
            self.exposition
                .line(name, "_bucket", &[("le", limit)], count);
        }
        self.exposition
            .line(name, "_bucket", &[("le", "+Inf")], count);
        self.exposition.line(name, "_count", &[], count);
        self.exposition.line(name, "_sum", &[], sum);
    }

    fn head(&mut self) {
        if !std::mem::replace(&mut self.has_head, true) {
            self.exposition.head(self.family);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static COUNTER: Family = Family {
        name: "x_bytes",
        kind: Kind::Counter,
        unit: "bytes",
        help: "Some.",
    };
    static INFO: Family = Family {
        name: "x_build",
        kind: Kind::Info,
        unit: "",
        help: "What.",
    };

    #[test]
    fn each_form_has_the_names_and_types_that_its_readers_know() {
        for (form, expected) in [
            (
                Form::OpenMetrics,
                "# TYPE x_bytes counter\n# UNIT x_bytes bytes\n# HELP x_bytes Some.\n\
                 x_bytes_total{of=\"a\\\"\\\\\\n\"} 3\n\
                 # TYPE x_build info\n# HELP x_build What.\nx_build_info{v=\"1\"} 1\n# EOF\n",
            ),
            (
                Form::Text,
                "# TYPE x_bytes_total counter\n# HELP x_bytes_total Some.\n\
                 x_bytes_total{of=\"a\\\"\\\\\\n\"} 3\n\
                 # TYPE x_build_info gauge\n# HELP x_build_info What.\nx_build_info{v=\"1\"} 1\n",
            ),
        ] {
            let mut out = Exposition::new(form);
            out.family(&COUNTER).sample(&[("of", "a\"\\\n")], 3);
            out.family(&INFO).truth(&[("v", "1")], true);
            assert_eq!(out.finish(), expected);
        }
    }
}
