//! Anything that can sign: `X-Skiff-Signature: sha256=…` over the body, and `X-Skiff-Delivery` where the same request may be
//! sent again.

use super::{Forge, Proof, header, id, payload};
use crate::domain::hook::{Event, Headers};

/// A script, a CI, a registry.
pub struct Generic;

impl Forge for Generic {
    fn proof(&self, headers: &Headers) -> Option<Proof> {
        Proof::of_hex(header(headers, "x-skiff-signature").strip_prefix("sha256=")?)
    }

    fn delivery(&self, headers: &Headers) -> Option<String> {
        id(headers, "x-skiff-delivery")
    }

    fn event(&self, _: &Headers) -> String {
        "deploy".to_owned()
    }

    fn read(&self, _: &Headers, body: &[u8]) -> Event {
        payload::said(body)
    }
}
