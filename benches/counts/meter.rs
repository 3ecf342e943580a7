//! Which part of a case is counted.

use std::hint::black_box;

/// What a case does, with its size.
pub type Run = fn(&mut Meter, usize);

/// Something to be counted, with what it needs before and what it must have done after.
#[derive(Clone)]
pub struct Case {
    /// As it is called in the file of limits.
    pub name: String,
    run: Run,
    size: usize,
}

impl Case {
    /// One that has no size.
    pub fn new(name: &str, run: Run) -> Self {
        Self::sized(name, run, 0)
    }

    /// One of several that differ by a number: a size, or which of a list it is.
    pub fn sized(name: &str, run: Run, size: usize) -> Self {
        Self {
            name: name.to_owned(),
            run,
            size,
        }
    }

    /// Runs it.
    pub fn run(&self) {
        let mut meter = Meter { measured: false };
        (self.run)(&mut meter, self.size);
        assert!(meter.measured, "{} measures nothing", self.name);
    }
}

/// Handed to a case.
pub struct Meter {
    measured: bool,
}

impl Meter {
    /// Runs the part that is counted. Once in a case.
    pub fn measure<T>(&mut self, part: impl FnOnce() -> T) -> T {
        assert!(!self.measured, "a case has one part that is counted");
        self.measured = true;
        let mut part = Some(part);
        let mut result = None;
        the_part_that_is_counted(&mut || result = part.take().map(|part| part()));
        result.expect("it was run just now")
    }
}

/// Callgrind counts from the beginning to the end of the function of this name.
#[inline(never)]
fn the_part_that_is_counted(part: &mut dyn FnMut()) {
    part();
    black_box(()); // so that the last thing it does is to return, and not to jump into `part`
}
