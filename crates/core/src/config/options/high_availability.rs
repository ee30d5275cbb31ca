//! Options of several JobManagers that stand in for each other: `high-availability.`, and where their store is.

use super::{super::enums::HighAvailabilityType, ConfigOption, OptionInfo};
use crate::secret::Secret;
use std::time::Duration;

options! {
    HIGH_AVAILABILITY_TYPE: HighAvailabilityType = "high-availability.type", "none",
        "Where JobManagers agree on who leads, and keep the jobs that the next leader takes over: a directory (`file`), etcd, S3.";
    HIGH_AVAILABILITY_STORAGE_DIR: Option<String> = "high-availability.storageDir", "",
        "The directory that all JobManagers reach: a path or a `file://` address.";
    HIGH_AVAILABILITY_CLUSTER_ID: String = "high-availability.cluster-id", "default",
        "The cluster's name of letters, digits, `-` and `_`: several clusters may share a store.";
    HIGH_AVAILABILITY_JOBMANAGERS: Option<String> = "high-availability.jobmanagers", "",
        "The JobManagers, each `host:port`, with commas between them: whoever looks for the leader asks all of them. None: \
         `jobmanager.rpc.address` and `jobmanager.rpc.port`.";
    HIGH_AVAILABILITY_LEASE_DURATION: Duration = "high-availability.lease-duration", "1 s",
        "How long the other JobManagers wait for a sign of life of the leader before one of them takes over. The leader gives three in that \
         time; each is a write to the store, so that a store that is slow or that charges for requests wants more, such as `10 s`.",
        between(100, 600000);
    HIGH_AVAILABILITY_ETCD_ENDPOINTS: String = "high-availability.etcd.endpoints", "http://localhost:2379",
        "The addresses of etcd's members, with `;` between them; `https://` for TLS.";
    HIGH_AVAILABILITY_ETCD_USER: Option<String> = "high-availability.etcd.user", "",
        "The user of etcd, if it asks for one.";
    HIGH_AVAILABILITY_ETCD_PASSWORD: Option<Secret> = "high-availability.etcd.password", "",
        "That user's password.";
    HIGH_AVAILABILITY_ETCD_CA: Option<String> = "high-availability.etcd.tls.ca", "",
        "The file with the authority's certificates (PEM) that etcd's certificate must come from.";
    HIGH_AVAILABILITY_ETCD_CERT: Option<String> = "high-availability.etcd.tls.cert", "",
        "The file with the certificate (PEM) that is shown to etcd, if it asks for one.";
    HIGH_AVAILABILITY_ETCD_KEY: Option<String> = "high-availability.etcd.tls.key", "",
        "The file with the key (PEM) of that certificate.";
    HIGH_AVAILABILITY_S3_PATH: Option<String> = "high-availability.s3.path", "",
        "Where in S3 JobManagers agree on who leads, and keep the jobs: `s3://bucket/path`.";
    S3_ENDPOINT: Option<String> = "s3.endpoint", "",
        "The address of what speaks the protocol of S3, such as `http://localhost:9000`. None: that of AWS for the region.";
    S3_REGION: String = "s3.region", "us-east-1",
        "The region of the bucket.";
    S3_ACCESS_KEY: Option<String> = "s3.access-key", "",
        "The id of the access key. None: `AWS_ACCESS_KEY_ID` of the environment.";
    S3_SECRET_KEY: Option<Secret> = "s3.secret-key", "",
        "The secret of the access key. None: `AWS_SECRET_ACCESS_KEY` of the environment.";
    S3_SESSION_TOKEN: Option<Secret> = "s3.session-token", "",
        "The token of temporary access keys. None: `AWS_SESSION_TOKEN` of the environment.";
    S3_PATH_STYLE_ACCESS: bool = "s3.path.style.access", "true",
        "Whether the bucket is in the path of addresses rather than in their host name.";
}
