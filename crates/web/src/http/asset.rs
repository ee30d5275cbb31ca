//! Files of the dashboard: compressed, cached by browsers, and not able to load or send anything elsewhere.

use crate::server::Asset;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use std::io::Read;

/// Scripts, styles, pictures and calls come from this server alone; nothing may put the dashboard into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The answer to a request with `headers` for `asset`.
pub(crate) fn answer(asset: Asset, headers: &HeaderMap) -> Response {
    // A file whose name changes with its content is never asked for again.
    let caching = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, caching),
        (header::VARY, "accept-encoding"),
    ];
    let tag = asset.tag.map(HeaderValue::from_static);
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|seen| seen.to_str().ok());
    let fresh = asset.tag.is_some_and(|tag| seen.is_some_and(|seen| seen.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)));
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else if !asset.gzip {
        Response::new(Body::from(asset.body))
    } else if takes_gzip(headers) {
        let mut response = Response::new(Body::from(asset.body));
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        match decompressed(&asset.body) {
            Ok(body) => Response::new(Body::from(body)),
            Err(error) => {
                tracing::error!("a file of the dashboard is damaged: {error}");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        }
    };
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    encodings.flat_map(|value| value.split(',')).any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        let gzip = matches!(parts.next(), Some("gzip" | "*"));
        gzip && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    })
}

fn decompressed(body: &[u8]) -> std::io::Result<Bytes> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn asset() -> Asset {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, b"hello").unwrap();
        Asset { content_type: "text/plain", body: gzip.finish().unwrap().into(), gzip: true, tag: Some("\"1\""), immutable: true }
    }

    #[test]
    fn a_browser_gets_it_compressed_and_others_as_it_is() {
        let compressed = answer(asset(), &asked(&[(header::ACCEPT_ENCODING, "deflate, gzip;q=0.8, br")]));
        assert_eq!(compressed.headers()[header::CONTENT_ENCODING], "gzip");
        for encodings in ["identity", "gzip;q=0", "br"] {
            let plain = answer(asset(), &asked(&[(header::ACCEPT_ENCODING, encodings)]));
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING), "{encodings}");
        }
        assert_eq!(decompressed(&asset().body).unwrap(), "hello");
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let same = answer(asset(), &asked(&[(header::IF_NONE_MATCH, "\"0\", W/\"1\"")]));
        assert_eq!((same.status(), &same.headers()[header::ETAG]), (StatusCode::NOT_MODIFIED, &HeaderValue::from_static("\"1\"")));
        assert_eq!(answer(asset(), &asked(&[(header::IF_NONE_MATCH, "\"2\"")])).status(), StatusCode::OK);
    }

    #[test]
    fn scripts_come_from_here_alone() {
        let policy = answer(asset(), &HeaderMap::new()).headers()[header::CONTENT_SECURITY_POLICY].clone();
        let policy = policy.to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }
}
