//! Help: errors lead to places in the docs that are there, the docs say what is true of the program, the doctor finds what is broken, and a
//! support bundle has no secret.

mod acts;
mod bundle;
mod docs;
mod doctor;
mod sentences;
mod shell;
