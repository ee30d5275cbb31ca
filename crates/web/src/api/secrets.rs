//! Values that are not shown: those of secret options, of what is no option, and of what looks like a secret by its name.

use flott_core::{config::options, secret::HIDDEN};
use std::collections::BTreeMap;

/// Parts of the keys of options whose values are secrets.
const SECRET_PARTS: [&str; 12] = [
    "password",
    "secret",
    "token",
    "apikey",
    "api-key",
    "access-key",
    "account.key",
    "service-key",
    "auth-params",
    "basic-auth",
    "jaas.config",
    "http-headers",
];

/// `value`, if `key` says that it is no secret.
pub(crate) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    let is_plain = options::find(key).is_some_and(|option| !option.is_secret());
    let key = key.to_ascii_lowercase();
    if !is_plain || SECRET_PARTS.iter().any(|part| key.contains(part)) { HIDDEN } else { value }
}

/// `options` without secrets.
pub(crate) fn shown_map(options: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    options.iter().map(|(key, value)| (key.as_str(), shown(key, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_keys() {
        assert_eq!(shown("s3.secret-key", "abc"), HIDDEN);
        assert_eq!(shown("s3.access-key", "abc"), HIDDEN);
        assert_eq!(shown("security.token", "abc"), HIDDEN);
        assert_eq!(shown("nobody.knows", "abc"), HIDDEN);
        assert_eq!(shown("parallelism.default", "2"), "2");
    }
}
