//! As much of HTTP as a scraper speaks: the head of a request in, an answer and a closed connection out.

use super::exposition::Form;

/// The longest head that is read, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The metrics; without their text where only the head is wanted.
    Metrics {
        /// In which form.
        form: Form,
        /// `HEAD`
        head_only: bool,
    },
    /// Something that is not there.
    Refusal(Refusal),
}

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This is no request.
    Malformed,
    /// Nothing but `GET` and `HEAD`.
    Method,
    /// Nothing but `/metrics`.
    Path,
    /// Whoever asks may not.
    Rights,
    /// Its head is too long.
    TooLong,
}

impl Refusal {
    fn status(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("400 Bad Request", "this is no request of HTTP/1\n"),
            Self::Method => ("405 Method Not Allowed", "only GET and HEAD\n"),
            Self::Path => ("404 Not Found", "there is only /metrics\n"),
            Self::Rights => (
                "403 Forbidden",
                "permission denied: apiauth anon in ha.cf says who may ask\n",
            ),
            Self::TooLong => ("431 Request Header Fields Too Large", "too long\n"),
        }
    }
}

/// The end of a head, if it is there.
pub fn is_complete(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"\r\n\r\n") || bytes.windows(2).any(|two| two == b"\n\n")
}

/// What a complete head asks for.
pub fn read(head: &[u8]) -> Wanted {
    let refuse = Wanted::Refusal;
    let Ok(text) = std::str::from_utf8(head) else {
        return refuse(Refusal::Malformed);
    };
    let mut lines = text.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else {
        return refuse(Refusal::Malformed);
    };
    if !version.starts_with("HTTP/1.") {
        return refuse(Refusal::Malformed);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return refuse(Refusal::Method),
    };
    if target.split('?').next() != Some("/metrics") {
        return refuse(Refusal::Path);
    }
    let accepted = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then_some(value)
    });
    // Who wants nothing in particular gets what says most.
    let form = match accepted {
        Some(value) if value.contains("application/openmetrics-text") => Form::OpenMetrics,
        Some(value) if value.contains("text/plain") => Form::Text,
        _ => Form::OpenMetrics,
    };
    Wanted::Metrics { form, head_only }
}

/// The head before a text of this many bytes.
pub fn head(form: Form, length: usize) -> Vec<u8> {
    answer("200 OK", form.content_type(), length)
}

/// The whole answer to what is refused.
pub fn refusal(refusal: Refusal) -> Vec<u8> {
    let (status, text) = refusal.status();
    let mut bytes = answer(status, "text/plain; charset=utf-8", text.len());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn answer(status: &str, content_type: &str, length: usize) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

    #[test]
    fn a_scraper_gets_the_form_that_it_reads() {
        let metrics = |form, head_only| Wanted::Metrics { form, head_only };
        for (request, expected) in [
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\n",
                metrics(Form::OpenMetrics, false),
            ),
            (
                &format!("GET /metrics?a=b HTTP/1.1\r\n{OPEN}"),
                metrics(Form::OpenMetrics, false),
            ),
            (
                "GET /metrics HTTP/1.0\r\naccept: text/plain;version=0.0.4\r\n",
                metrics(Form::Text, false),
            ),
            (
                "GET /metrics HTTP/1.1\r\nAccept: */*\r\n",
                metrics(Form::OpenMetrics, false),
            ),
            (
                "HEAD /metrics HTTP/1.1\r\n",
                metrics(Form::OpenMetrics, true),
            ),
            (
                "POST /metrics HTTP/1.1\r\n",
                Wanted::Refusal(Refusal::Method),
            ),
            ("GET / HTTP/1.1\r\n", Wanted::Refusal(Refusal::Path)),
            ("GET /metrics\r\n", Wanted::Refusal(Refusal::Malformed)),
            (
                "GET /metrics HTTP/2\r\n",
                Wanted::Refusal(Refusal::Malformed),
            ),
            ("\u{0}\r\n", Wanted::Refusal(Refusal::Malformed)),
        ] {
            assert!(!is_complete(request.as_bytes()));
            let whole = format!("{request}\r\n");
            assert!(is_complete(whole.as_bytes()));
            assert_eq!(read(whole.as_bytes()), expected, "{request}");
        }
        assert_eq!(
            read(b"\xff /metrics HTTP/1.1\r\n\r\n"),
            Wanted::Refusal(Refusal::Malformed)
        );
    }
}
