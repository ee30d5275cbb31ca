//! Options of authentication and encryption: `security.`.

use super::{ConfigOption, OptionInfo};
use crate::secret::Secret;

options! {
    SSL_INTERNAL_ENABLED: bool = "security.ssl.internal.enabled", "false",
        "Whether JobManager, TaskManagers, workers and clients speak TLS 1.3 with each other, and processes show each other certificates.";
    SSL_INTERNAL_AUTHORITY: Option<String> = "security.ssl.internal.authority", "",
        "The certificate of the cluster's authority, a PEM file: who is signed by it belongs to the cluster.";
    SSL_INTERNAL_CERTIFICATE: Option<String> = "security.ssl.internal.certificate", "",
        "The certificate that the cluster's processes show each other, a PEM file. Clients need none.";
    SSL_INTERNAL_KEY: Option<String> = "security.ssl.internal.key", "",
        "The private key to that certificate, a PEM file that only its owner may read.";
    SSL_REST_ENABLED: bool = "security.ssl.rest.enabled", "false",
        "Whether the REST server speaks HTTPS (TLS 1.3).";
    SSL_REST_CERTIFICATE: Option<String> = "security.ssl.rest.certificate", "",
        "The certificate of the REST server and those between it and its authority, a PEM file. The internal one if there is none.";
    SSL_REST_KEY: Option<String> = "security.ssl.rest.key", "",
        "The private key to the certificate of the REST server, a PEM file that only its owner may read.";
    SECURITY_TOKENS_FILE: Option<String> = "security.tokens.file", "",
        "The hashes of the tokens by which the JobManager knows its clients, as `flott security` writes them. If it is set, a call \
         without a token is refused.";
    SECURITY_TOKEN: Option<Secret> = "security.token", "",
        "The token that this program shows the JobManager. Best in the environment variable, or in `security.token.file` instead.";
    SECURITY_TOKEN_FILE: Option<String> = "security.token.file", "",
        "A file that only its owner may read, with the token that this program shows the JobManager.";
}
