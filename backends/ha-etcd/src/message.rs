//! What goes over the gateway, as far as it is used. Bytes are base64; numbers of 64 bits are texts.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

/// `/v3/kv/range`.
#[derive(Debug, Serialize)]
pub(crate) struct RangeRequest {
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) range_end: Option<String>,
    pub(crate) keys_only: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RangeResponse {
    #[serde(default)]
    pub(crate) kvs: Vec<KeyValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
    pub(crate) mod_revision: String,
}

/// `/v3/kv/txn`: `success` happens if `compare` holds.
#[derive(Debug, Serialize)]
pub(crate) struct TxnRequest {
    pub(crate) compare: [Compare; 1],
    pub(crate) success: [RequestOp; 1],
}

/// That a key was last changed in a revision; 0: that it is not there.
#[derive(Debug, Serialize)]
pub(crate) struct Compare {
    pub(crate) key: String,
    pub(crate) target: &'static str,
    pub(crate) result: &'static str,
    pub(crate) mod_revision: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestOp {
    RequestPut { key: String, value: String },
    RequestDeleteRange { key: String },
}

#[derive(Debug, Deserialize)]
pub(crate) struct TxnResponse {
    pub(crate) header: ResponseHeader,
    /// Left out if it is false.
    #[serde(default)]
    pub(crate) succeeded: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ResponseHeader {
    pub(crate) revision: String,
}

/// `/v3/auth/authenticate`.
#[derive(Serialize)]
pub(crate) struct AuthenticateRequest<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct AuthenticateResponse {
    pub(crate) token: String,
}

/// What comes with any status but 200. Which of the two has the text depends on etcd's release.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorResponse {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    pub(crate) code: u32,
}

impl ErrorResponse {
    pub(crate) fn text(&self) -> &str {
        [self.message.as_str(), &self.error, "no message"].into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}
