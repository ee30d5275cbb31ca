//! What a configuration asks of an executable.

use crate::Executable;
use flott_core::{
    Error,
    config::{Configuration, Origin, options},
};

/// Options whose values are addresses of storage.
const ADDRESSES: [&str; 3] =
    [options::CHECKPOINTING_DIR.key(), options::CHECKPOINTING_SAVEPOINT_DIR.key(), options::STATE_RECOVERY_PATH.key()];

impl Executable {
    /// Checks that it has the storage that `config` asks for. There is one state backend, which all have.
    ///
    /// # Errors
    /// Which option asks for what it does not have.
    pub fn require(&self, config: &Configuration) -> Result<(), Error> {
        for (key, value, origin) in config.iter() {
            if let Some(scheme) = scheme(value).filter(|_| ADDRESSES.contains(&key))
                && !self.manifest.storage_schemes.iter().any(|there| there == scheme)
            {
                return Err(self.lacks(scheme, (key, value, origin)));
            }
        }
        Ok(())
    }

    fn lacks(&self, scheme: &str, (key, value, origin): (&str, &str, &Origin)) -> Error {
        let there: Vec<String> = self.manifest.storage_schemes.iter().map(|name| format!("`{name}`")).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        Error::invalid(format!(
            "option `{key}` is `{value}` ({origin}), but `{}` was built without the storage `{scheme}`: it has {there}. Build it with the \
             feature of `flott` that adds it, or choose another",
            self.name
        ))
    }
}

/// The scheme of an address; a path has none, since every executable can reach files.
fn scheme(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once("://")?;
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (is_scheme && !scheme.is_empty()).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::executable;

    fn refused(arguments: &[&str]) -> Option<String> {
        let mut config = Configuration::new();
        config.add_arguments(arguments.iter().map(|argument| (*argument).to_owned())).unwrap();
        executable().require(&config).err().map(|error| error.to_string())
    }

    #[test]
    fn storage_that_is_not_in_it_is_named_with_the_option_that_asks_for_it() {
        let message = refused(&["-Dexecution.checkpointing.dir=s3://bucket/a"]).unwrap();
        for part in ["`execution.checkpointing.dir` is `s3://bucket/a` (argument", "without the storage `s3`: it has `file`"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(refused(&["-Dexecution.state-recovery.path=gs://x"]).is_some());
    }

    #[test]
    fn paths_files_and_other_options_need_nothing() {
        for value in ["/a/b", "relative", "file:///a", "latest", "odd/name://x"] {
            assert_eq!(refused(&[&format!("-Dexecution.checkpointing.dir={value}")]), None, "{value}");
        }
        assert_eq!(refused(&["-Dpipeline.name=s3://x"]), None);
    }
}
