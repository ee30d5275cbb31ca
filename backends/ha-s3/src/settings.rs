//! Where the bucket is, and who asks.

use flott_core::{
    Error,
    config::{Configuration, options},
    secret::Secret,
};
use flott_ha::cluster_id;
use std::{env, time::Duration};

/// Where the bucket is, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The address of the server: `http://host:port` or `https://host`.
    pub endpoint: String,
    /// The region, which is part of signatures.
    pub region: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// What all keys begin with; empty, or with `/` at its end.
    pub prefix: String,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: Secret,
    /// The token of temporary access keys.
    pub session_token: Option<Secret>,
    /// Whether the bucket is in the path of addresses rather than in their host name.
    pub path_style: bool,
    /// How long a call may take.
    pub timeout: Duration,
}

impl S3Settings {
    /// The settings that a configuration gives: `high-availability.s3.path`, and the options `s3.`. A call takes at most a third of
    /// the lease's duration, so that a renewal can be tried again.
    ///
    /// # Errors
    /// An option has a wrong value or is missing.
    pub fn from_configuration(configuration: &Configuration) -> Result<Self, Error> {
        let given = configuration.get(&options::HIGH_AVAILABILITY_S3_PATH)?.unwrap_or_default();
        let (bucket, path) = match given.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((bucket, path)) if is_bucket(bucket) => (bucket.to_owned(), path.trim_matches('/')),
            _ => {
                let text = "`high-availability.type: s3` needs `high-availability.s3.path: s3://bucket/path`";
                return Err(Error::invalid(format!("{text}, not `{given}`")));
            }
        };
        let region = configuration.get(&options::S3_REGION)?;
        let endpoint = configuration.get(&options::S3_ENDPOINT)?.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(Error::invalid(format!("`s3.endpoint: {endpoint}` is no address such as `http://host:9000`")));
        }
        let of_environment = |variable: &str| env::var(variable).ok().filter(|value| !value.is_empty());
        let secret_of_environment = |variable: &str| of_environment(variable).map(Secret::new);
        let missing = |key: &str, variable: &str| Error::invalid(format!("neither `{key}` nor the variable `{variable}` is set"));
        let access_key = configuration.get(&options::S3_ACCESS_KEY)?.or_else(|| of_environment("AWS_ACCESS_KEY_ID"));
        let secret_key = configuration.get(&options::S3_SECRET_KEY)?.or_else(|| secret_of_environment("AWS_SECRET_ACCESS_KEY"));
        let lease = configuration.get(&options::HIGH_AVAILABILITY_LEASE_DURATION)?;
        let cluster = cluster_id(configuration)?;
        Ok(S3Settings {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            region,
            bucket,
            prefix: if path.is_empty() { format!("{cluster}/") } else { format!("{path}/{cluster}/") },
            access_key: access_key.ok_or_else(|| missing("s3.access-key", "AWS_ACCESS_KEY_ID"))?,
            secret_key: secret_key.ok_or_else(|| missing("s3.secret-key", "AWS_SECRET_ACCESS_KEY"))?,
            session_token: configuration.get(&options::S3_SESSION_TOKEN)?.or_else(|| secret_of_environment("AWS_SESSION_TOKEN")),
            path_style: configuration.get(&options::S3_PATH_STYLE_ACCESS)?,
            timeout: (lease / 3).clamp(Duration::from_millis(100), Duration::from_secs(10)),
        })
    }

    /// The address of the bucket, without a `/` at its end, and the host in it.
    pub(crate) fn bucket_address(&self) -> (String, String) {
        let (scheme, host) = self.endpoint.split_once("://").unwrap_or(("https", &self.endpoint));
        if self.path_style {
            return (format!("{}/{}", self.endpoint, self.bucket), host.to_owned());
        }
        let host = format!("{}.{host}", self.bucket);
        (format!("{scheme}://{host}"), host)
    }
}

/// Whether `name` may be a bucket's, and so part of an address.
fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::config::Origin;

    fn settings(values: &[(&str, &str)]) -> Result<S3Settings, Error> {
        let mut configuration = Configuration::new();
        for (key, value) in values {
            configuration.set_raw(key, value, Origin::Variable("TEST".to_owned())).unwrap();
        }
        S3Settings::from_configuration(&configuration)
    }

    #[test]
    fn all_of_it_comes_from_the_configuration() {
        let given = [
            ("high-availability.s3.path", "s3://bucket/some/path/"),
            ("high-availability.cluster-id", "blue"),
            ("s3.region", "eu-north-1"),
            ("s3.access-key", "id"),
            ("s3.secret-key", "hush"),
        ];
        let mut settings = settings(&given).unwrap();
        assert_eq!((settings.bucket.as_str(), settings.prefix.as_str()), ("bucket", "some/path/blue/"));
        assert_eq!(settings.bucket_address().0, "https://s3.eu-north-1.amazonaws.com/bucket");
        settings.path_style = false;
        assert_eq!(settings.bucket_address().0, "https://bucket.s3.eu-north-1.amazonaws.com");
        assert_eq!(settings.bucket_address().1, "bucket.s3.eu-north-1.amazonaws.com");
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_option_to_change() {
        let refused = |values: &[(&str, &str)]| settings(values).unwrap_err().to_string();
        assert!(refused(&[]).contains("high-availability.s3.path"));
        assert!(refused(&[("high-availability.s3.path", "/tmp")]).contains("`/tmp`"));
        assert!(refused(&[("high-availability.s3.path", "s3://a?b/c")]).contains("s3://a?b/c"));
        let bucket = ("high-availability.s3.path", "s3://bucket");
        assert!(refused(&[bucket, ("s3.endpoint", "host:9000")]).contains("host:9000"));
    }
}
