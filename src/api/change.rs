//! A field of a change: left as it is, set back to its default, or set. Not here: which fields there are.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// What a change says of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Set<T> {
    /// It is not there: as it is.
    #[default]
    Keep,
    /// `null`: the default.
    Default,
    /// A value.
    To(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(from)?.map_or(Self::Default, Self::To))
    }
}

impl<T: JsonSchema> JsonSchema for Set<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

impl<T> Set<T> {
    /// Changes a form's field; empty is its default.
    pub fn with(self, field: &mut String, text: impl FnOnce(T) -> String) {
        match self {
            Self::Keep => {}
            Self::Default => field.clear(),
            Self::To(value) => *field = text(value),
        }
    }
}

impl Set<String> {
    /// Changes a text.
    pub fn text(self, field: &mut String) {
        self.with(field, |text| text);
    }
}

impl<T: std::fmt::Display> Set<T> {
    /// Changes a number.
    pub fn shown(self, field: &mut String) {
        self.with(field, |value| value.to_string());
    }
}
