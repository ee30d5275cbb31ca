//! Certificates and keys as texts, and where they come from.

use crate::files;
use flott_core::{
    Error,
    config::{ConfigOption, Configuration, options},
    secret::Secret,
};
use std::path::Path;

/// What a process shows others.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    /// Its certificate, and those between it and the authority's; PEM.
    pub certificate: String,
    /// The private key to it; PEM.
    pub key: Secret,
}

/// What a process believes, and what it shows.
#[derive(Debug, Clone)]
pub struct TlsMaterial {
    /// The certificate of the authority of the cluster; PEM.
    pub authority: String,
    /// What it shows. Clients have none.
    pub identity: Option<TlsIdentity>,
}

/// The value of an option that must be set because another one is.
fn needed(config: &Configuration, option: &ConfigOption<Option<String>>, because: &str) -> Result<String, Error> {
    config.get(option)?.ok_or_else(|| {
        Error::invalid(format!("`{because}` needs `{}` as well; `flott security init` makes the files and prints the lines", option.key()))
    })
}

impl TlsMaterial {
    /// Reads the files that the configuration names; `None` if connections between processes are to be in clear.
    ///
    /// # Errors
    /// A setting is missing, or a file cannot be read.
    pub fn of_process(config: &Configuration) -> Result<Option<Self>, Error> {
        let Some(TlsMaterial { authority, .. }) = TlsMaterial::of_client(config)? else { return Ok(None) };
        let enabled = options::SSL_INTERNAL_ENABLED.key();
        let certificate = needed(config, &options::SSL_INTERNAL_CERTIFICATE, enabled)?;
        let key = needed(config, &options::SSL_INTERNAL_KEY, enabled)?;
        let identity = TlsIdentity {
            certificate: files::read(Path::new(&certificate), options::SSL_INTERNAL_CERTIFICATE.key())?,
            key: Secret::new(files::read_private(Path::new(&key), options::SSL_INTERNAL_KEY.key())?),
        };
        Ok(Some(TlsMaterial { authority, identity: Some(identity) }))
    }

    /// As [`of_process`](Self::of_process), without certificate and key.
    ///
    /// # Errors
    /// A setting is missing, or a file cannot be read.
    pub fn of_client(config: &Configuration) -> Result<Option<Self>, Error> {
        if !config.get(&options::SSL_INTERNAL_ENABLED)? {
            return Ok(None);
        }
        let path = needed(config, &options::SSL_INTERNAL_AUTHORITY, options::SSL_INTERNAL_ENABLED.key())?;
        Ok(Some(TlsMaterial { authority: files::read(Path::new(&path), options::SSL_INTERNAL_AUTHORITY.key())?, identity: None }))
    }
}

impl TlsIdentity {
    /// What the REST server shows; `None` if it is to speak in clear.
    ///
    /// # Errors
    /// A setting is missing, or a file cannot be read.
    pub fn of_rest(config: &Configuration) -> Result<Option<Self>, Error> {
        if !config.get(&options::SSL_REST_ENABLED)? {
            return Ok(None);
        }
        let own = config.get(&options::SSL_REST_CERTIFICATE)?.is_some();
        let (certificate_option, key_option) = match own {
            true => (options::SSL_REST_CERTIFICATE, options::SSL_REST_KEY),
            false => (options::SSL_INTERNAL_CERTIFICATE, options::SSL_INTERNAL_KEY),
        };
        let enabled = if own { options::SSL_REST_CERTIFICATE.key() } else { options::SSL_REST_ENABLED.key() };
        let (certificate, key) = (needed(config, &certificate_option, enabled)?, needed(config, &key_option, enabled)?);
        Ok(Some(TlsIdentity {
            certificate: files::read(Path::new(&certificate), certificate_option.key())?,
            key: Secret::new(files::read_private(Path::new(&key), key_option.key())?),
        }))
    }
}
