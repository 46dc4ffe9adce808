//! What every HTTP door has: connections with limits, an id for each request, bodies that end, the client's address, seats for
//! what stays open. Not here: what is answered; each door has its own routes, guard and words.

pub mod body;
pub mod client;
pub mod request_id;
pub mod seats;
pub mod server;
mod stall;
