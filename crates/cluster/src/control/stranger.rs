//! Processes that introduce themselves in a way that this version does not know.

use super::connection::decode;
use flott_rpc::control::refusal;
use serde::Deserialize;

/// What an introduction says in every version.
#[derive(Deserialize)]
struct Introduction {
    protocol: u32,
    version: String,
}

/// Why a process is refused whose introduction, `body`, was not understood for this `reason`.
pub(crate) fn refusal_of_stranger(body: &[u8], reason: &str) -> String {
    let of_protocol = decode::<Introduction>(body).ok().and_then(|who| refusal(who.protocol, &who.version));
    of_protocol.unwrap_or_else(|| {
        format!(
            "Flott {} does not understand how it introduces itself ({reason}): was it built with another version?",
            env!("CARGO_PKG_VERSION")
        )
    })
}
