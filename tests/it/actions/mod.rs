//! What actors may ask for, against a real database.

mod accounts;
mod apps;
mod deploys;
mod dockerfiles;
mod hostile;
mod hosts;
pub mod instances;
mod kept;
mod members;
mod parts;
mod placement;
mod removal;
mod rights;
mod routes;
mod secrets;
mod setup;
mod upkeep;

use skiff::actions::Refused;

/// The fields a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(refused: Result<T, Refused>) -> Vec<&'static str> {
    match refused {
        Err(Refused::Fields(wrong)) => {
            assert!(wrong.iter().all(|error| error.sentence.ends_with('.')), "each is a sentence: {wrong:?}");
            wrong.into_iter().map(|error| error.field).collect()
        }
        other => panic!("no field was refused: {other:?}"),
    }
}

/// The sentence of a conflict.
pub(crate) fn conflict<T: std::fmt::Debug>(refused: Result<T, Refused>) -> String {
    match refused {
        Err(Refused::Conflict(sentence)) => sentence,
        other => panic!("no conflict: {other:?}"),
    }
}
