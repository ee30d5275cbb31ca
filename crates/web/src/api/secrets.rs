//! Values that are not shown: those of secret options, of what is no option, and of what looks like a secret by its name.

use crate::model::Setting;
use flott_core::{
    config::{Origin, options},
    secret::HIDDEN,
};
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

/// Those of `settings` that someone has given, without secrets.
pub(crate) fn shown_map(settings: &[Setting]) -> BTreeMap<&str, &str> {
    let given = settings.iter().filter(|setting| setting.origin != Origin::Default);
    given.map(|setting| (setting.key.as_str(), shown(&setting.key, &setting.value))).collect()
}

/// Where `setting` was given. An argument repeats the value.
pub(crate) fn shown_origin(setting: &Setting) -> String {
    match &setting.origin {
        Origin::Argument(_) if shown(&setting.key, &setting.value) == HIDDEN => format!("argument `-D{}={HIDDEN}`", setting.key),
        origin => origin.to_string(),
    }
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

    #[test]
    fn an_origin_tells_no_secret() {
        let given = |key: &str, value: &str| Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: Origin::Argument(format!("-D{key}={value}")),
        };
        assert_eq!(shown_origin(&given("s3.access-key", "canary")), "argument `-Ds3.access-key=******`");
        assert_eq!(shown_origin(&given("parallelism.default", "2")), "argument `-Dparallelism.default=2`");
        let default = Setting { origin: Origin::Default, ..given("pipeline.name", "") };
        let all = [given("parallelism.default", "2"), default];
        assert_eq!(shown_map(&all), BTreeMap::from([("parallelism.default", "2")]));
    }
}
