//! Tells cargo that the embedded migrations change with their folder: `sqlx::migrate!` cannot say so itself.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
