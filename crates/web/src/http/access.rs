//! Who calls, whether they may, and a line in the log for everything that was changed.

use crate::{app::App, http::answer::Refusal, listen::Peer, routes::Route};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use flott_core::secret::Secret;
use flott_security::{Caller, Role};
use std::sync::Arc;

/// What whoever shows no token or an unknown one is told: the same, so that nobody learns which.
const UNKNOWN: &str = "a token is needed: send `Authorization: Bearer TOKEN`";

/// Lets a call pass whose caller has the role that its route needs.
pub(crate) async fn access(State((app, route)): State<(Arc<App>, &'static Route)>, mut request: Request, next: Next) -> Response {
    let needed = route.needs;
    let caller = match &app.options.tokens {
        None => Ok(Caller::anyone()),
        Some(tokens) => bearer(request.headers()).and_then(|token| tokens.authenticate(&token)).ok_or(()),
    };
    // Queries and bodies may hold what is nobody else's business.
    let what = format!("{} {}", request.method(), request.uri().path());
    let from = request.extensions().get::<ConnectInfo<Peer>>().map(|peer| peer.0.0.to_string()).unwrap_or_default();
    let (who, response) = match caller {
        Err(()) => ("nobody known".to_owned(), unknown()),
        Ok(caller) if caller.role < needed => (caller.to_string(), forbidden(needed)),
        Ok(caller) => {
            let who = caller.to_string();
            request.extensions_mut().insert(caller);
            (who, next.run(request).await)
        }
    };
    if (needed > Role::Viewer && !route.quiet) || matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let result = response.status().as_u16();
        tracing::info!(target: "flott::audit", who, from, what, result, "asked by REST");
    }
    response
}

fn unknown() -> Response {
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, UNKNOWN).into_response();
    let headers = response.headers_mut();
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"flott\""));
    // Browsers ask their user only for this kind.
    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"flott\", charset=\"UTF-8\""));
    response
}

fn forbidden(needed: Role) -> Response {
    let message = match needed {
        Role::Viewer | Role::Operator => "this needs a token with the role `operator`",
        Role::Deployer => "this needs a token with the role `deployer`",
        Role::Admin => "this needs a token with the role `admin`",
    };
    Refusal::new(StatusCode::FORBIDDEN, message).into_response()
}

/// The token that a call shows: as `Bearer TOKEN`, or as the password of `Basic`, which browsers and `curl -u` send.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(rest));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(base64(rest)?).ok()?;
        return decoded.split_once(':').map(|(_, password)| Secret::new(password));
    }
    None
}

/// Decodes base 64; `None` if it is none.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        bearer(&headers).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_a_password() {
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer  abc ").as_deref(), Some("abc"));
        // anna:flott_1
        assert_eq!(token("Basic YW5uYTpmbG90dF8x").as_deref(), Some("flott_1"));
        for other in ["", "abc", "Digest abc", "Basic !", "Basic YW5uYQ=="] {
            assert_eq!(token(other), None, "{other}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn base_64_is_decoded() {
        for (text, expected) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("Zm9vYg==", b"foob"), ("+/+/", &[0xfb, 0xff, 0xbf])]
        {
            assert_eq!(base64(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["Z", "Zm9vY", "Z=g=", "====", "Zm 9"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }
}
