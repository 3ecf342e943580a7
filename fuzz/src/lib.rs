//! What the targets run. It lies with the tests, which run it over the kept inputs in the usual toolchain.

#[path = "../../tests/fuzz_corpora/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/simulation/main.rs"]
#[allow(dead_code, unused_imports)] // most of it is for tests
mod simulation;

/// Gives an input to the target of this name.
pub fn run(target: &str, input: &[u8]) {
    match target {
        "events" => simulation::events::events(input),
        name => bodies::named(name)(input),
    }
}
