//! The way from nothing to a running app, shown on every page of it. Not here: where one is on it (the actions know).

use askama::Template;
use askama::filters::HtmlSafe;

/// One step of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is done in it.
    pub word: &'static str,
    /// True for the present one.
    pub here: bool,
    /// True for those behind.
    pub done: bool,
}

/// The way.
#[derive(Clone, Debug, Template)]
#[template(path = "ui/_way.html")]
pub struct Way {
    /// Its steps.
    pub steps: Vec<Step>,
}

impl HtmlSafe for Way {}

impl Way {
    /// The words of the steps.
    const WORDS: [&str; 5] = ["Owner", "Host", "App", "Deploy", "Open"];

    /// The way, seen from step `at`, counted from 0.
    pub fn new(at: usize) -> Self {
        let step = |(index, word): (usize, &'static str)| Step { word, here: index == at, done: index < at };
        Self { steps: Self::WORDS.into_iter().enumerate().map(step).collect() }
    }
}
