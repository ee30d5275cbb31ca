//! Where etcd is, and how to talk to it.

use flott_core::{
    Error,
    config::{Configuration, options},
    secret::Secret,
};
use flott_ha::cluster_id;
use std::{path::PathBuf, time::Duration};

/// Where etcd is, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// The members: `http://host:port` or `https://host:port`.
    pub endpoints: Vec<String>,
    /// What all keys begin with, such as `/flott/default/`.
    pub prefix: String,
    /// Name and password, if etcd asks for them.
    pub user: Option<(String, Secret)>,
    /// The certificates (PEM) of the authority that etcd's certificate comes from; none: those that browsers know.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key (PEM), if etcd asks for them.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How long a call of one member may take.
    pub timeout: Duration,
}

impl EtcdSettings {
    /// The settings for `endpoints`, plain and without a user.
    pub fn new(endpoints: Vec<String>) -> Self {
        EtcdSettings {
            endpoints,
            prefix: "/flott/default/".to_owned(),
            user: None,
            ca: None,
            identity: None,
            timeout: Duration::from_secs(1),
        }
    }

    /// The settings that a configuration gives: the options `high-availability.etcd.`. A call takes at most a third of the lease's
    /// duration, so that a renewal can be tried again.
    ///
    /// # Errors
    /// An option has a wrong value, or two do not fit together.
    pub fn from_configuration(configuration: &Configuration) -> Result<Self, Error> {
        let endpoints = configuration.get(&options::HIGH_AVAILABILITY_ETCD_ENDPOINTS)?;
        let endpoints: Vec<String> = endpoints.split([';', ',']).map(|one| one.trim().trim_end_matches('/').to_owned()).collect();
        if let Some(wrong) = endpoints.iter().find(|one| !one.starts_with("http://") && !one.starts_with("https://")) {
            let key = options::HIGH_AVAILABILITY_ETCD_ENDPOINTS.key();
            return Err(Error::invalid(format!("`{wrong}` in `{key}` is no address such as `http://host:2379`")));
        }
        let user = configuration.get(&options::HIGH_AVAILABILITY_ETCD_USER)?;
        let password = configuration.get(&options::HIGH_AVAILABILITY_ETCD_PASSWORD)?;
        let certificate = configuration.get(&options::HIGH_AVAILABILITY_ETCD_CERT)?;
        let key = configuration.get(&options::HIGH_AVAILABILITY_ETCD_KEY)?;
        let lease = configuration.get(&options::HIGH_AVAILABILITY_LEASE_DURATION)?;
        Ok(EtcdSettings {
            endpoints,
            prefix: format!("/flott/{}/", cluster_id(configuration)?),
            user: both(user, password, "high-availability.etcd.user", "high-availability.etcd.password")?,
            ca: configuration.get(&options::HIGH_AVAILABILITY_ETCD_CA)?.map(PathBuf::from),
            identity: both(certificate, key, "high-availability.etcd.tls.cert", "high-availability.etcd.tls.key")?
                .map(|(certificate, key)| (certificate.into(), key.into())),
            timeout: (lease / 3).clamp(Duration::from_millis(100), Duration::from_secs(5)),
        })
    }
}

fn both<T>(first: Option<String>, second: Option<T>, one: &str, other: &str) -> Result<Option<(String, T)>, Error> {
    match (first, second) {
        (Some(first), Some(second)) => Ok(Some((first, second))),
        (None, None) => Ok(None),
        _ => Err(Error::invalid(format!("of `{one}` and `{other}` only one is given: give both or none"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::config::Origin;

    fn settings(values: &[(&str, &str)]) -> Result<EtcdSettings, Error> {
        let mut configuration = Configuration::new();
        for (key, value) in values {
            configuration.set_raw(key, value, Origin::Variable("TEST".to_owned())).unwrap();
        }
        EtcdSettings::from_configuration(&configuration)
    }

    #[test]
    fn all_of_it_comes_from_the_configuration() {
        let given = [
            ("high-availability.etcd.endpoints", "http://a:2379; https://b:2379/"),
            ("high-availability.cluster-id", "blue"),
            ("high-availability.etcd.user", "u"),
            ("high-availability.etcd.password", "secret"),
        ];
        let settings = settings(&given).unwrap();
        assert_eq!(settings.endpoints, ["http://a:2379", "https://b:2379"]);
        assert_eq!(settings.prefix, "/flott/blue/");
        assert_eq!(settings.user, Some(("u".to_owned(), Secret::new("secret"))));
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_option_to_change() {
        let refused = |values: &[(&str, &str)]| settings(values).unwrap_err().to_string();
        assert!(refused(&[("high-availability.etcd.endpoints", "a:2379")]).contains("`a:2379`"));
        assert!(refused(&[("high-availability.etcd.user", "u")]).contains("password"));
        assert!(refused(&[("high-availability.etcd.tls.key", "k")]).contains("tls.cert"));
    }
}
