//! AWS Signature Version 4: what shows that a request comes from who has the secret key.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A request, as far as it is signed.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Encoded, from the `/` behind the host.
    pub(crate) path: &'a str,
    /// Encoded, with names in order.
    pub(crate) query: &'a str,
    /// Names in lower case and in order; the date and the host are among them.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// The SHA-256 of the body.
    pub(crate) body_hash: &'a str,
}

/// Who signs.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
    pub(crate) region: &'a str,
    /// As [`Clock::now`](crate::clock::Clock::now) writes it.
    pub(crate) date: &'a str,
}

impl Signer<'_> {
    /// The value of the header `Authorization`.
    pub(crate) fn authorization(&self, request: &Request<'_>) -> String {
        let headers: String = request.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let Request { method, path, query, body_hash, .. } = request;
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body_hash}");
        let day = self.date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", self.date, sha256(canonical.as_bytes()));
        let first = format!("AWS4{}", self.secret_key).into_bytes();
        let key = [day, self.region, "s3", "aws4_request"].iter().fold(first, |key, part| hmac(&key, part));
        let signature = hex(&hmac(&key, &text));
        format!("AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}", self.access_key)
    }
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `text` as part of an address: what is neither a letter, a digit, nor one of `-._~` becomes `%` and two digits; `/` stays if `slash`.
pub(crate) fn encode(text: &str, slash: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slash && byte == b'/') {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of a GET in the documentation of S3.
    #[test]
    fn a_request_is_signed_as_the_documentation_does_it() {
        let body_hash = sha256(b"");
        let request = Request {
            method: "GET",
            path: "/test.txt",
            query: "",
            headers: &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", &body_hash),
                ("x-amz-date", "20130524T000000Z"),
            ],
            body_hash: &body_hash,
        };
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            date: "20130524T000000Z",
        };
        let expected = "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
                        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert_eq!(signer.authorization(&request), format!("AWS4-HMAC-SHA256 {expected}"));
    }

    #[test]
    fn what_is_special_in_an_address_is_encoded() {
        assert_eq!(encode("a/b c+ä~", true), "a/b%20c%2B%C3%A4~");
        assert_eq!(encode("a/b", false), "a%2Fb");
    }
}
