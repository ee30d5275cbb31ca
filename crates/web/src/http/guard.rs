//! Keeps pages of other sites from using the reader's browser against the cluster. A browser sends simple forms to any address
//! without asking, and a name of the attacker's may lead to the loopback address; tools that are no browser are not affected.

use crate::{app::App, http::answer::Refusal};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// Lets a request pass, or refuses it with status 403.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let changes =
        !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) || request.uri().path().ends_with("/yarn-cancel");
    match refusal(request.headers(), changes, app.address.ip(), &app.options.allowed_hosts) {
        None => next.run(request).await,
        Some(message) => Refusal::new(StatusCode::FORBIDDEN, message).into_response(),
    }
}

fn refusal(headers: &HeaderMap, changes: bool, listening: IpAddr, allowed: &[String]) -> Option<String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    let is_allowed = |host: &str| allowed.iter().any(|name| name == host || name == host_name(host));
    if listening.is_loopback() && !host.is_empty() && !names_this_machine(host) && !is_allowed(host) {
        return Some(format!("the host `{host}` is none of this server's; if it is, add it to `rest.allowed-hosts`"));
    }
    if !changes {
        return None;
    }
    match text(header::ORIGIN) {
        Some(origin) => {
            let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
            let same = authority.eq_ignore_ascii_case(host) || is_allowed(authority);
            (!same)
                .then(|| format!("pages of `{origin}` may not change anything here; if they should, add its host to `rest.allowed-hosts`"))
        }
        None => match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
            None | Some(b"same-origin" | b"none") => None,
            Some(_) => Some("pages of other sites may not change anything here".to_owned()),
        },
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

fn names_this_machine(host: &str) -> bool {
    let name = host_name(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn asks(pairs: &[(&'static str, &str)], changes: bool) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        refusal(&headers, changes, Ipv4Addr::LOCALHOST.into(), &["flott.example".to_owned()]).is_none()
    }

    #[test]
    fn a_form_of_another_site_changes_nothing() {
        assert!(!asks(&[("host", "localhost:8081"), ("origin", "http://evil.example")], true));
        assert!(!asks(&[("host", "localhost:8081"), ("origin", "null")], true));
        assert!(!asks(&[("host", "localhost:8081"), ("sec-fetch-site", "cross-site")], true));
        assert!(asks(&[("host", "localhost:8081"), ("origin", "http://evil.example")], false));
    }

    #[test]
    fn own_pages_allowed_hosts_and_tools_pass() {
        assert!(asks(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")], true));
        assert!(asks(&[("host", "127.0.0.1:8081"), ("origin", "https://flott.example")], true));
        assert!(asks(&[("host", "[::1]:8081")], true));
        assert!(asks(&[("host", "flott.example:8081")], true));
        assert!(asks(&[], true));
    }

    #[test]
    fn a_strange_name_for_the_loopback_address_is_refused() {
        assert!(!asks(&[("host", "rebound.example:8081")], false));
        assert!(!asks(&[("host", "localhost.evil.example")], false));
    }
}
