//! How the story is told: plain lines with the time since the curtain rose, and what the client sees.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::journal::{Journal, Mark};
use crate::lab::web::{Answer, Client};

/// Prints what happens, each line with its time.
#[derive(Clone)]
pub struct Teller {
    began: Instant,
    one_at_a_time: Arc<Mutex<()>>,
}

impl Teller {
    /// The story begins now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            one_at_a_time: Arc::default(),
        }
    }

    /// A heading.
    pub fn chapter(&self, title: &str) {
        self.print(&format!("\n== {title}"));
    }

    /// Text between the events.
    pub fn explain(&self, text: &str) {
        self.print(text);
    }

    /// Something that happened.
    pub fn event(&self, text: &str) {
        let time = self.began.elapsed().as_secs_f64();
        self.print(&format!("{time:6.2} s  {text}"));
    }

    /// Lines of a daemon's log that contain one of these texts, without their prefix.
    pub fn quote(&self, node: &str, log: &Journal, mark: Mark, texts: &[&str]) {
        for line in log.since(mark) {
            if texts.iter().any(|text| line.contains(text)) {
                let said = line.split_once(": ").map_or("", |(_prefix, rest)| rest);
                let said = said
                    .find("info: ")
                    .or(said.find("WARN: "))
                    .map_or(said, |at| &said[at..]);
                self.event(&format!("    {node} logs: {said}"));
            }
        }
    }

    /// Time to read.
    pub fn pause() {
        thread::sleep(Duration::from_millis(1500));
    }

    /// From now on tells whenever somebody else answers the client, or nobody does.
    pub fn follow(&self, client: &Client) {
        let (teller, client) = (self.clone(), client.clone());
        thread::spawn(move || {
            let mut told = client.answers().len().saturating_sub(1);
            let mut last: Option<Option<String>> = None;
            loop {
                let answers = client.answers();
                for answer in answers.iter().skip(told) {
                    if last.as_ref() != Some(&answer.page) {
                        teller.tell_change(answer);
                        last = Some(answer.page.clone());
                    }
                }
                told = answers.len();
                thread::sleep(Duration::from_millis(20));
            }
        });
    }

    fn tell_change(&self, answer: &Answer) {
        self.event(&match &answer.page {
            Some(page) => format!("    CLIENT: \"{page}\""),
            None => "    CLIENT: no answer".to_owned(),
        });
    }

    fn print(&self, text: &str) {
        let _turn = self
            .one_at_a_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        println!("{text}");
    }
}
