//! Makes the authority of a cluster, and certificates that it signs.

use crate::tls::PROCESS_NAME;
use flott_core::{Error, ErrorKind, secret::Secret};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// How long an authority is believed, days.
const AUTHORITY_DAYS: u64 = 3650;
/// How long a certificate is believed, days.
const CERTIFICATE_DAYS: u64 = 825;

/// An authority: who is signed by it belongs to its cluster.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM. Whoever has it decides who belongs to the cluster.
    pub key: Secret,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key to it, PEM.
    pub key: Secret,
}

fn failed(error: rcgen::Error) -> Error {
    Error::new(ErrorKind::Internal, "a certificate could not be made").with_source(error)
}

fn valid(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let start = date_time_ymd(1970, 1, 1);
    // Clocks differ a little.
    params.not_before = start + std::time::Duration::from_secs(now.saturating_sub(3600));
    params.not_after = start + std::time::Duration::from_secs(now + days * 24 * 3600);
}

/// What an authority says of itself. The same each time, so that its key is all that is needed to sign.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Flott cluster authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn create() -> Result<Self, Error> {
        let mut params = authority();
        valid(&mut params, AUTHORITY_DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Authority { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }

    /// Signs a certificate for the processes of the cluster on machines with these names and addresses; `localhost` is among them.
    ///
    /// # Errors
    /// The authority is damaged, or a name is none.
    pub fn sign(&self, hosts: &[String]) -> Result<Signed, Error> {
        let mut names = vec![PROCESS_NAME.to_owned()];
        for host in ["localhost", "127.0.0.1", "::1"].into_iter().chain(hosts.iter().map(String::as_str)) {
            if !names.iter().any(|name| name == host) {
                names.push(host.to_owned());
            }
        }
        self.sign_names(names)
    }

    /// Signs a certificate with these names alone.
    ///
    /// # Errors
    /// The authority is damaged, or a name is none.
    pub fn sign_names(&self, names: Vec<String>) -> Result<Signed, Error> {
        // What the parser says of a key is kept out of the error: it could be the key.
        let own = KeyPair::from_pem(self.key.expose()).map_err(|_| Error::invalid("the key of the authority is damaged"))?;
        let mut params = CertificateParams::new(names).map_err(|error| Error::invalid(format!("a host's name is none: {error}")))?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Flott");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, CERTIFICATE_DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &Issuer::new(authority(), own)).map_err(failed)?;
        Ok(Signed { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }
}
