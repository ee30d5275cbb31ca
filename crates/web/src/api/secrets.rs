//! Values that are not shown.

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

/// What stands in place of a secret.
const HIDDEN: &str = "******";

/// `value`, unless `key` says that it is a secret.
pub(crate) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    let key = key.to_ascii_lowercase();
    if SECRET_PARTS.iter().any(|part| key.contains(part)) { HIDDEN } else { value }
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
        assert_eq!(shown("security.ssl.KeyStore-Password", "abc"), HIDDEN);
        assert_eq!(shown("parallelism.default", "2"), "2");
    }
}
