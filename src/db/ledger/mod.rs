//! The ledger: what Skiff made on which host. A row is written before the object is made, and closed only after its
//! removal was observed; a container with our label that is not here is not ours.

pub mod backends;
pub mod images;
pub mod instances;
pub mod left;
pub mod locks;
pub mod networks;
pub mod peers;
pub mod volumes;
