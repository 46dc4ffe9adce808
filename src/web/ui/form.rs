//! Forms: fields with their hints and refusals, in groups of which some are folded. What was typed stays, the first wrong
//! field has the cursor. Not here: what the fields mean (the action says so).

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;

use super::{SafeUrl, Shape};
use crate::actions::FieldError;
use crate::domain::help::Topic;
use crate::web::error::Problem;

/// How a field is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One line.
    Text,
    /// One line of something exact: an address, a path, an id.
    Code,
    /// An e-mail address.
    Email,
    /// A password; the word tells password managers which (`current-password`, `new-password`, `off`).
    Password(&'static str),
    /// A whole or decimal number.
    Number,
    /// Several lines.
    Area,
    /// A whole text of a file.
    Tall,
    /// One of a few, all visible.
    Radio(Vec<Choice>),
    /// Any of a few, each ticked or not.
    Checks(Vec<(Choice, bool)>),
    /// One of many.
    Select(Vec<Choice>),
    /// Rows of a name and a value; the second text names the value, the flag hides it.
    Rows {
        /// What stands over the first column.
        first: &'static str,
        /// What stands over the second.
        second: &'static str,
        /// The second column's name after the field's.
        secret: bool,
        /// What was typed.
        rows: Vec<(String, String)>,
    },
    /// A number for each of several things: how many where.
    Counts(Vec<Count>),
    /// Not shown.
    Hidden,
}

/// One of several things that each have a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// What is sent beside the number.
    pub key: String,
    /// What is read.
    pub label: String,
    /// More words to it.
    pub hint: String,
    /// The number, as typed.
    pub number: String,
}

/// One of several values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// More words to it.
    pub hint: String,
}

impl Choice {
    /// A value, its word, and more words to it.
    pub fn new(value: impl Into<String>, label: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), hint: hint.into() }
    }
}

/// A field of a form.
#[derive(Clone, Debug, Template)]
#[template(path = "ui/_field.html")]
pub struct Field {
    /// Its name, as in the action's input.
    pub name: &'static str,
    /// What it is called.
    pub label: String,
    /// How it is entered.
    pub input: Input,
    /// What is in it.
    pub value: String,
    /// What an empty one means.
    pub placeholder: String,
    /// What to write, or what it does.
    pub hint: String,
    /// The unit after it.
    pub unit: &'static str,
    /// Why it was refused.
    pub error: String,
    /// Which of its rows is the wrong one, where it is one of them.
    pub wrong_row: Option<usize>,
    /// Shown only while another field has this value: "from=git".
    pub when: &'static str,
    /// Has the cursor when the page opens.
    pub focus: bool,
    /// Must be typed exactly, or the button stays off.
    pub exactly: String,
}

impl HtmlSafe for Field {}

impl Field {
    fn new(input: Input, name: &'static str, label: impl Into<String>) -> Self {
        Self {
            name,
            label: label.into(),
            input,
            value: String::new(),
            placeholder: String::new(),
            hint: String::new(),
            unit: "",
            error: String::new(),
            wrong_row: None,
            when: "",
            focus: false,
            exactly: String::new(),
        }
    }

    /// A field of this kind.
    pub fn of(input: Input, name: &'static str, label: impl Into<String>) -> Self {
        Self::new(input, name, label)
    }

    /// One line.
    pub fn text(name: &'static str, label: impl Into<String>) -> Self {
        Self::new(Input::Text, name, label)
    }

    /// One line of something exact.
    pub fn code(name: &'static str, label: impl Into<String>) -> Self {
        Self::new(Input::Code, name, label)
    }

    /// A number with its unit.
    pub fn number(name: &'static str, label: impl Into<String>, unit: &'static str) -> Self {
        Self { unit, ..Self::new(Input::Number, name, label) }
    }

    /// A value that is sent along.
    pub fn hidden(name: &'static str, value: impl Into<String>) -> Self {
        Self::new(Input::Hidden, name, "").value(value)
    }

    /// What is in it.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// What to write, or what it does.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// What an empty one means.
    pub fn empty(mut self, placeholder: impl Into<String>) -> Self {
        self.placeholder = placeholder.into();
        self
    }

    /// Shown only while another field has this value.
    pub fn when(mut self, when: &'static str) -> Self {
        self.when = when;
        self
    }

    /// Has the cursor when the page opens.
    pub fn focus(mut self) -> Self {
        self.focus = true;
        self
    }

    /// Must be typed exactly.
    pub fn exactly(mut self, text: impl Into<String>) -> Self {
        self.exactly = text.into();
        self
    }

    fn is_tall(&self) -> bool {
        self.input == Input::Tall
    }

    fn is_code(&self) -> bool {
        self.input == Input::Code
    }

    /// Rows whose first column is the longer one: a domain before its path.
    fn wide_first(&self) -> bool {
        self.name == "routes"
    }

    /// Whether this row is to be mended: the named one, or all where none is named.
    fn row_is_wrong(&self, row: &usize) -> bool {
        !self.error.is_empty() && self.wrong_row.is_none_or(|wrong| wrong == *row)
    }

    /// Whether this row gets the cursor.
    fn row_has_focus(&self, row: &usize) -> bool {
        self.focus && self.wrong_row.unwrap_or(0) == *row
    }

    /// Whether somebody has put something in.
    fn is_filled(&self) -> bool {
        match &self.input {
            Input::Rows { rows, .. } => rows.iter().any(|row| !row.0.is_empty() || !row.1.is_empty()),
            Input::Checks(all) => all.iter().any(|(_, ticked)| *ticked),
            Input::Radio(_) | Input::Select(_) | Input::Hidden => false,
            _ => !self.value.is_empty(),
        }
    }

    fn described(&self) -> bool {
        !self.hint.is_empty() || !self.error.is_empty()
    }
}

/// Fields that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is called; empty for the first.
    pub title: String,
    /// What is in it, while it is folded.
    pub hint: String,
    /// Whether it can be folded away.
    pub folds: bool,
    /// Whether it is open.
    pub open: bool,
    /// Shown only while another field has this value.
    pub when: &'static str,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A form.
#[derive(Clone, Debug, Template)]
#[template(path = "ui/_form.html")]
pub struct Form {
    /// Where it is sent.
    pub action: SafeUrl,
    /// The session's token.
    pub token: String,
    /// Its fields.
    pub groups: Vec<Group>,
    /// The verb on its button.
    pub verb: String,
    /// The style of its button: "primary", "plain", "danger".
    pub style: &'static str,
    /// Another button: the field it sends as "yes", and its words.
    pub also: Option<(&'static str, &'static str)>,
    /// Where "Cancel" leads; no such link where there is none.
    pub back: Option<SafeUrl>,
    /// Why the whole was refused.
    pub refused: String,
    /// Where the docs say more, once something was refused.
    pub help: Option<SafeUrl>,
    /// True for a short form in a line.
    pub inline: bool,
}

impl HtmlSafe for Form {}

impl Form {
    /// A form with one open group.
    pub fn new(action: SafeUrl, token: &str, verb: impl Into<String>, fields: Vec<Field>) -> Self {
        let first = Group { title: String::new(), hint: String::new(), folds: false, open: true, when: "", fields };
        Self {
            action,
            token: token.to_owned(),
            groups: vec![first],
            verb: verb.into(),
            style: "primary",
            also: None,
            back: None,
            refused: String::new(),
            help: None,
            inline: false,
        }
    }

    /// An act without fields: one button.
    pub fn act(action: SafeUrl, token: &str, verb: impl Into<String>, style: &'static str) -> Self {
        Self { style, inline: true, ..Self::new(action, token, verb, Vec::new()) }
    }

    /// A group that is always open.
    pub fn group(mut self, title: &str, fields: Vec<Field>) -> Self {
        self.groups.push(Group {
            title: title.to_owned(),
            hint: String::new(),
            folds: false,
            open: true,
            when: "",
            fields,
        });
        self
    }

    /// A group that is folded until it is wanted.
    pub fn folded(mut self, title: &str, hint: &str, when: &'static str, fields: Vec<Field>) -> Self {
        self.groups.push(Group {
            title: title.to_owned(),
            hint: hint.to_owned(),
            folds: true,
            open: false,
            when,
            fields,
        });
        self
    }

    /// The style of its button.
    pub fn style(mut self, style: &'static str) -> Self {
        self.style = style;
        self
    }

    /// Another button beside the first, which sends this field as "yes".
    pub fn also(mut self, field: &'static str, words: &'static str) -> Self {
        self.also = Some((field, words));
        self
    }

    /// Opens the folded groups that have something in them.
    pub fn open_filled(mut self) -> Self {
        for group in self.groups.iter_mut().filter(|group| group.folds) {
            group.open = group.fields.iter().any(Field::is_filled);
        }
        self
    }

    /// Where "Cancel" leads.
    pub fn back(mut self, back: SafeUrl) -> Self {
        self.back = Some(back);
        self
    }

    /// In one line.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// What was typed into a field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        for field in self.groups.iter_mut().flat_map(|group| &mut group.fields).filter(|field| field.name == name) {
            value.clone_into(&mut field.value);
        }
        self
    }

    /// Of a form that was only looked at, or refused for something else: what it was made from stays as it was, so that what others
    /// change meanwhile is not replaced unseen. One that was refused for just that is made from what is there now.
    pub fn made_from(self, as_of: &str, errors: &[FieldError]) -> Self {
        const FIELD: &str = "as_of";
        let stale = as_of.is_empty() || errors.iter().any(|error| error.field == FIELD);
        if stale { self } else { self.with(FIELD, as_of) }
    }

    fn is_act(&self) -> bool {
        self.inline && self.groups.iter().flat_map(|group| &group.fields).all(|field| field.input == Input::Hidden)
    }

    /// Puts the refusals beside their fields, opens their groups, sets the cursor into the first. A refusal of a field
    /// that is not in the form stands over it.
    pub fn refuse(mut self, errors: &[FieldError]) -> Self {
        let mut homeless: Vec<&str> = Vec::new();
        let mut fields: Vec<&mut Field> = Vec::new();
        for group in &mut self.groups {
            if group.fields.iter().any(|field| errors.iter().any(|error| error.field == field.name)) {
                group.open = true;
            }
            fields.extend(group.fields.iter_mut());
        }
        for field in &mut fields {
            field.focus = false;
        }
        for error in errors {
            match fields.iter_mut().find(|field| field.name == error.field && field.input != Input::Hidden) {
                Some(field) => {
                    field.error = error.sentence.clone();
                    field.wrong_row = error.entry;
                }
                None => homeless.push(&error.sentence),
            }
        }
        if let Some(first) = fields.iter_mut().find(|field| !field.error.is_empty()) {
            first.focus = true;
        }
        self.refused = homeless.join(" ");
        self.help = more();
        self
    }

    /// Where the docs say more, while something is refused.
    fn more(&self) -> Option<&SafeUrl> {
        let mut fields = self.groups.iter().flat_map(|group| &group.fields);
        self.help.as_ref().filter(|_| !self.refused.is_empty() || fields.any(|field| !field.error.is_empty()))
    }

    /// Says over the form why the whole was refused.
    pub fn refuse_whole(mut self, sentence: impl Into<String>) -> Self {
        self.refused = sentence.into();
        self.help = more();
        self
    }
}

tokio::task_local! {
    /// What the act is about that is being answered.
    static ABOUT: Topic;
}

/// Answers an act that is about this: forms that are refused meanwhile lead there.
pub async fn about<T>(topic: Topic, answer: impl Future<Output = T>) -> T {
    ABOUT.scope(topic, answer).await
}

/// Where the docs say more about what is being answered.
fn more() -> Option<SafeUrl> {
    ABOUT.try_with(|topic| SafeUrl::help(*topic)).ok()
}

/// What a form sent: names and values, as typed. The guard has read, bounded and checked it.
#[derive(Clone, Default)]
pub struct Sent(Vec<(String, String)>);

impl Sent {
    /// The value of a field; empty where it was not sent. Line ends are as on every system of ours, not as browsers send.
    pub fn get(&self, name: &str) -> String {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// All values of a field that may be sent several times.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// The rows of a field: its two columns, side by side.
    pub fn rows(&self, name: &str) -> Vec<(String, String)> {
        let column = |suffix: &str| {
            let key = [name, suffix].concat();
            self.0.iter().filter(move |(sent, _)| *sent == key).map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        column(".1").into_iter().zip(column(".2")).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = request.into_body().collect().await.map_err(Problem::fault)?.to_bytes();
        let pairs = url::form_urlencoded::parse(&body);
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n"))).collect()))
    }
}
