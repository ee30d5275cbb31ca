//! Which processes of other versions of Flott can work together.
//!
//! A program is built once and may run for years, while its cluster is renewed. So a process joins a cluster of its own
//! [protocol](PROTOCOL) or of a later one, as far back as [`OLDEST_PROTOCOL`]; one of a later protocol than the cluster's is refused,
//! since the cluster cannot know what it would have to be told.
//!
//! Within one protocol, fields may be added that have a default, and so may requests that are answered. The number goes up with
//! whatever an older process would misunderstand: the JobManager then says to an older process only what that one knows.
//! The bytes of each protocol's messages are kept in `crates/cluster/tests/messages`.

/// The protocol of this build.
pub const PROTOCOL: u32 = 1;

/// The oldest protocol that a cluster of this build still speaks.
pub const OLDEST_PROTOCOL: u32 = 1;

/// Why a process of this protocol, built with this version of Flott, cannot join a cluster of this build, and what to do about it;
/// `None` if it can.
pub fn refusal(protocol: u32, version: &str) -> Option<String> {
    refusal_by(protocol, version, (OLDEST_PROTOCOL, PROTOCOL), env!("CARGO_PKG_VERSION"))
}

fn refusal_by(protocol: u32, version: &str, (oldest, newest): (u32, u32), own: &str) -> Option<String> {
    let its = format!("it was built with Flott {version} (protocol {protocol})");
    if protocol > newest {
        let text =
            format!("{its}, which is newer than this cluster's {own} (protocol {newest}): renew the cluster first, or build it with {own}");
        Some(text)
    } else if protocol < oldest {
        let spoken = if oldest == newest { format!("protocol {newest}") } else { format!("protocols {oldest} to {newest}") };
        Some(format!("{its}, which this cluster's {own} ({spoken}) no longer understands: build it with Flott {own}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_protocols_join_as_far_as_they_are_spoken_and_newer_ones_do_not() {
        let joins = |protocol| refusal_by(protocol, "x", (3, 5), "y").is_none();
        assert_eq!([1, 2, 3, 4, 5, 6].map(joins), [false, false, true, true, true, false]);
        assert_eq!(refusal(PROTOCOL, "x"), None);
        assert_eq!(refusal(OLDEST_PROTOCOL, "x"), None);
    }

    #[test]
    fn a_refusal_says_which_side_to_renew() {
        let newer = refusal_by(6, "0.9.0", (3, 5), "0.8.0").unwrap();
        assert!(newer.contains("Flott 0.9.0 (protocol 6)") && newer.contains("renew the cluster first"), "{newer}");
        let older = refusal_by(2, "0.2.0", (3, 5), "0.8.0").unwrap();
        assert!(older.contains("protocols 3 to 5") && older.contains("build it with Flott 0.8.0"), "{older}");
    }
}
