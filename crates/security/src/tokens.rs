//! Tokens by which clients are known. Only their hashes are kept.
//!
//! A token has 256 random bits, so that a plain hash of it cannot be turned round, and no slow one is needed.

use crate::{
    files,
    role::{Caller, Role},
};
use flott_core::{
    Error, ErrorKind,
    secret::{Secret, same},
};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    fs, io,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What every token begins with, so that people and scanners of leaks know one when they see it.
const PREFIX: &str = "flott_";

const OPTION: &str = "security.tokens.file";

const HEAD: &str = "# Name, role and SHA-256 of each token. Written by `flott security`; changes hold at once.\n";

type Hash = [u8; 32];

/// A token, as far as it may be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its name, unique in the file.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    hash: Hash,
}

fn hash(token: &Secret) -> Hash {
    Sha256::digest(token.expose().as_bytes()).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn random_token() -> Result<Secret, Error> {
    let mut bytes = [0; 32];
    let no_chance = |error: io::Error| Error::new(ErrorKind::Unavailable, "the system gives no random numbers").with_source(error);
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(no_chance)?;
    Ok(Secret::new(format!("{PREFIX}{}", hexadecimal(&bytes))))
}

fn parse_line(line: &str) -> Option<TokenInfo> {
    let mut words = line.split_whitespace();
    let (name, role, digits) = (words.next()?, words.next()?.parse().ok()?, words.next()?.strip_prefix("sha256:")?);
    if words.next().is_some() || digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = Hash::default();
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(TokenInfo { name: name.to_owned(), role, hash })
}

fn read_all(path: &Path) -> Result<Vec<TokenInfo>, Error> {
    let text = files::read_private(path, OPTION)?;
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = || {
            let text = format!("{}:{}: not of the form `NAME ROLE sha256:DIGITS`", path.display(), number + 1);
            Error::invalid(text)
        };
        tokens.push(parse_line(line).ok_or_else(malformed)?);
    }
    Ok(tokens)
}

fn write_all(path: &Path, tokens: &[TokenInfo]) -> Result<(), Error> {
    let lines = tokens.iter().map(|token| format!("{} {} sha256:{}\n", token.name, token.role, hexadecimal(&token.hash)));
    files::write_private(path, &(HEAD.to_owned() + &lines.collect::<String>()))
}

/// What tells that a file has changed.
type Stamp = (u64, u64, i64, i64);

#[derive(Debug)]
struct State {
    stamp: Option<Stamp>,
    known: Vec<TokenInfo>,
    issued: Vec<(Hash, Caller)>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    state: Mutex<State>,
}

/// The tokens of a file, which is read again when it changes. Cheap to clone: clones are the same ones.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Inner>);

impl Tokens {
    /// Those of the file `path`.
    ///
    /// # Errors
    /// It cannot be read, other users can read it, or a line has another form.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let state = State { stamp: stamp(path), known: read_all(path)?, issued: Vec::new() };
        Ok(Tokens(Arc::new(Inner { path: path.to_owned(), state: Mutex::new(state) })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who shows `token`, if it is known.
    pub fn authenticate(&self, token: &Secret) -> Option<Caller> {
        let shown = hash(token);
        let state = &mut *self.lock();
        let now = stamp(&self.0.path);
        if now != state.stamp || now.is_none() {
            state.known = read_all(&self.0.path).unwrap_or_else(|error| {
                tracing::error!(%error, "no token is accepted until the file can be read again");
                Vec::new()
            });
            state.stamp = now;
        }
        // All are compared, so that time tells nothing.
        let mut found = None;
        for token in &state.known {
            if same(&token.hash, &shown) {
                found = Some(Caller { name: token.name.clone(), role: token.role });
            }
        }
        for (hash, caller) in &state.issued {
            if same(hash, &shown) {
                found = Some(caller.clone());
            }
        }
        found
    }

    /// Makes a token for `caller` that is known until what is returned is dropped, and to this process alone.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn issue(&self, caller: Caller) -> Result<Issued, Error> {
        let token = random_token()?;
        self.lock().issued.push((hash(&token), caller));
        Ok(Issued { token, of: self.clone() })
    }

    /// Adds a token to the file `path`, which is made if it is not there; returns it. It is written nowhere else.
    ///
    /// # Errors
    /// There is one of this name, the name has other characters than letters, digits, `.`, `-` and `_`, or the file cannot be written.
    pub fn add(path: &Path, name: &str, role: Role) -> Result<Secret, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(Error::invalid(format!("`{name}` is no name for a token: up to 64 letters, digits, `.`, `-` and `_`")));
        }
        let mut tokens = if path.exists() { read_all(path)? } else { Vec::new() };
        if tokens.iter().any(|token| token.name == name) {
            return Err(Error::invalid(format!("there is a token `{name}` already: choose another name, or revoke it first")));
        }
        let token = random_token()?;
        tokens.push(TokenInfo { name: name.to_owned(), role, hash: hash(&token) });
        write_all(path, &tokens)?;
        Ok(token)
    }

    /// Takes a token out of the file `path`.
    ///
    /// # Errors
    /// There is none of this name, or the file cannot be written.
    pub fn revoke(path: &Path, name: &str) -> Result<TokenInfo, Error> {
        let mut tokens = read_all(path)?;
        let at = tokens.iter().position(|token| token.name == name).ok_or_else(|| {
            let names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
            Error::invalid(format!("there is no token `{name}` in `{}`; there are: {}", path.display(), names.join(", ")))
        })?;
        let revoked = tokens.remove(at);
        write_all(path, &tokens)?;
        Ok(revoked)
    }

    /// The tokens of the file `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(path: &Path) -> Result<Vec<TokenInfo>, Error> {
        read_all(path)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

/// A token that is known until this is dropped.
#[derive(Debug)]
pub struct Issued {
    token: Secret,
    of: Tokens,
}

impl Issued {
    /// The token.
    pub fn token(&self) -> &Secret {
        &self.token
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        let gone = hash(&self.token);
        self.of.lock().issued.retain(|(hash, _)| *hash != gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        (folder, path)
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked_and_never_written() {
        let (_folder, path) = file();
        let alice = Tokens::add(&path, "alice", Role::Operator).unwrap();
        let tokens = Tokens::open(&path).unwrap();
        let bob = Tokens::add(&path, "bob", Role::Viewer).unwrap();
        assert_eq!(tokens.authenticate(&alice), Some(Caller { name: "alice".to_owned(), role: Role::Operator }));
        assert_eq!(tokens.authenticate(&bob).unwrap().role, Role::Viewer);
        assert_eq!(tokens.authenticate(&Secret::new(alice.expose().to_uppercase())), None);
        assert_eq!(tokens.authenticate(&Secret::new("")), None);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&alice.expose()[PREFIX.len()..]), "{text}");
        assert_eq!(Tokens::revoke(&path, "alice").unwrap().role, Role::Operator);
        assert_eq!(tokens.authenticate(&alice), None);
        assert!(tokens.authenticate(&bob).is_some());
        fs::remove_file(&path).unwrap();
        assert_eq!(tokens.authenticate(&bob), None);
    }

    #[test]
    fn names_are_plain_and_unique() {
        let (_folder, path) = file();
        Tokens::add(&path, "ci", Role::Deployer).unwrap();
        assert!(Tokens::add(&path, "ci", Role::Admin).unwrap_err().to_string().contains("already"));
        for name in ["", "a b", "a\nb admin", "ü", "/"] {
            assert!(Tokens::add(&path, name, Role::Admin).is_err(), "{name:?}");
        }
        assert!(Tokens::revoke(&path, "co").unwrap_err().to_string().contains("there are: ci"));
        assert_eq!(Tokens::list(&path).unwrap().len(), 1);
    }

    #[test]
    fn an_issued_token_lives_as_long_as_it_is_held() {
        let (_folder, path) = file();
        Tokens::add(&path, "ci", Role::Deployer).unwrap();
        let tokens = Tokens::open(&path).unwrap();
        let issued = tokens.issue(Caller { name: "rest".to_owned(), role: Role::Deployer }).unwrap();
        let token = issued.token().clone();
        assert_eq!(tokens.authenticate(&token).unwrap().name, "rest");
        drop(issued);
        assert_eq!(tokens.authenticate(&token), None);
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        let (_folder, path) = file();
        for line in ["ci", "ci admin sha256:00", "ci boss sha256:", &format!("ci admin sha256:{}", "ü".repeat(32)), "ci admin md5:00"] {
            files::write_private(&path, &format!("# tokens\n{line}\n")).unwrap();
            let error = Tokens::open(&path).unwrap_err().to_string();
            assert!(error.contains("tokens:2: not of the form"), "{error}");
        }
    }
}
