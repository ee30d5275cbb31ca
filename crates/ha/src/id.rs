//! Ids that nobody else has.

use std::{
    hash::{BuildHasher, RandomState},
    time::SystemTime,
};

/// A random number. The standard library's hasher is seeded by the operating system: that is all the randomness an id needs.
pub(crate) fn random_u128() -> u128 {
    let half = || u128::from(RandomState::new().hash_one((SystemTime::now(), std::process::id())));
    (half() << 64) | half()
}

/// A name for this start of this process: 32 hexadecimal digits, different each time.
pub fn incarnation_id() -> String {
    format!("{:032x}", random_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ids_are_the_same() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| incarnation_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
