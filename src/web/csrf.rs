//! An act must come from a page of ours: same origin, and a token only such a page knows.
//! Not here: who may do it (`guard`).

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use subtle::ConstantTimeEq;

/// The form field that carries the token.
pub const FIELD: &str = "_token";
/// The header that carries it where a script sends the request.
pub const HEADER: &str = "x-skiff-token";
/// Bytes of a token: 128 bits cannot be guessed.
const TOKEN_BYTES: usize = 16;
/// The cookie that holds the token of somebody who has no session yet (sign-in, set-up), over https.
const SECURE_COOKIE: &str = "__Host-form";
/// The same over http on loopback, where the prefix is not allowed.
const PLAIN_COOKIE: &str = "form";

/// A new token.
pub fn token() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// True when both are the same token, and one was given at all. Takes equal time for every wrong guess.
pub fn same(wanted: &str, given: &str) -> bool {
    wanted.len() >= TOKEN_BYTES && bool::from(wanted.as_bytes().ct_eq(given.as_bytes()))
}

/// True when the request was sent by a page of the same origin: the browser says so in `Sec-Fetch-Site`, or (older ones)
/// names the page's origin. A request that says neither is not from a browser's form.
pub fn same_origin(headers: &HeaderMap, scheme: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://") == Some((scheme, host)),
        _ => false,
    }
}

/// The token of somebody without a session, from the cookie.
pub fn cookie_token(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie(headers, if secure { SECURE_COOKIE } else { PLAIN_COOKIE })
}

/// The value of the `Set-Cookie` header that gives somebody without a session a token.
pub fn set_cookie(token: &str, secure: bool) -> String {
    match secure {
        true => [SECURE_COOKIE, "=", token, "; Path=/; HttpOnly; SameSite=Lax; Secure"].concat(),
        false => [PLAIN_COOKIE, "=", token, "; Path=/; HttpOnly; SameSite=Lax"].concat(),
    }
}

/// A cookie's value.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// The token in a form's body.
pub fn form_token(body: &[u8]) -> Option<String> {
    url::form_urlencoded::parse(body).find(|(name, _)| name == FIELD).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_pages_of_the_same_origin_may_act() {
        assert!(same_origin(&headers(&[("sec-fetch-site", "same-origin")]), "https"));
        assert!(!same_origin(&headers(&[("sec-fetch-site", "same-site")]), "https"));
        assert!(!same_origin(
            &headers(&[("sec-fetch-site", "cross-site"), ("host", "a"), ("origin", "https://a")]),
            "https"
        ));
        assert!(same_origin(&headers(&[("host", "a:70"), ("origin", "https://a:70")]), "https"));
        assert!(
            !same_origin(&headers(&[("host", "a"), ("origin", "http://a")]), "https"),
            "another scheme is another origin"
        );
        assert!(!same_origin(&headers(&[("host", "a"), ("origin", "null")]), "https"));
        assert!(!same_origin(&headers(&[("host", "a")]), "https"), "silence is not consent");
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let token = token();
        assert!(same(&token, &token) && !same(&token, "") && !same("", "") && !same(&token, &super::token()));
    }
}
