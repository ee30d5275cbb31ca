//! Authorities, certificates and tokens of a cluster.

use crate::out::say;
use clap::{Args, Subcommand};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
    secret::Secret,
};
use flott_security::{Authority, Role, Tokens, write_private};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "process.pem";
const KEY: &str = "process.key";
const TOKENS: &str = "tokens";

/// Where the files are.
#[derive(Debug, Args)]
struct Folder {
    /// The folder with the files
    #[arg(long, value_name = "FOLDER", default_value = "conf/security")]
    dir: PathBuf,
}

/// What of `flott security`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecurityCommand {
    /// Makes an authority for the cluster, a certificate for its processes, and a token for each role
    Init(InitArgs),
    /// Makes a new certificate for the processes, signed by the same authority
    Renew(InitArgs),
    /// Makes a token, and prints it: it is kept nowhere
    Token(TokenArgs),
    /// Takes a token back; holds at once
    Revoke(RevokeArgs),
    /// Lists names and roles of tokens
    Tokens(TokensArgs),
}

/// Arguments of `flott security init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    folder: Folder,
    /// A name or an address by which clients of REST reach a machine of the cluster; may be given several times
    #[arg(long, value_name = "NAME_OR_IP")]
    host: Vec<String>,
}

/// Arguments of `flott security token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    folder: Folder,
    /// What its bearer may do: `viewer`, `operator`, `deployer` or `admin`
    #[arg(long)]
    role: Role,
    /// Its name, which stands in the log beside what was done with it
    #[arg(long)]
    name: String,
}

/// Arguments of `flott security revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    folder: Folder,
    /// The token's name
    name: String,
}

/// Arguments of `flott security tokens`.
#[derive(Debug, Args)]
pub(crate) struct TokensArgs {
    #[command(flatten)]
    folder: Folder,
}

/// Does what is asked.
pub(crate) fn security(config: &Configuration, command: &SecurityCommand) -> Result<ExitCode, Error> {
    match command {
        SecurityCommand::Init(args) => init(&args.folder.dir, &args.host)?,
        SecurityCommand::Renew(args) => renew(&args.folder.dir, &args.host)?,
        SecurityCommand::Token(args) => {
            let token = Tokens::add(&tokens_file(config, &args.folder)?, &args.name, args.role)?;
            print_token(&args.name, args.role, &token);
        }
        SecurityCommand::Revoke(args) => {
            let revoked = Tokens::revoke(&tokens_file(config, &args.folder)?, &args.name)?;
            say!("The token {} ({}) is revoked.", revoked.name, revoked.role);
        }
        SecurityCommand::Tokens(args) => {
            for token in Tokens::list(&tokens_file(config, &args.folder)?)? {
                say!("{} : {}", token.name, token.role);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of tokens that the configuration names, or else the one of the folder.
fn tokens_file(config: &Configuration, folder: &Folder) -> Result<PathBuf, Error> {
    Ok(config.get(&options::SECURITY_TOKENS_FILE)?.map_or_else(|| folder.dir.join(TOKENS), PathBuf::from))
}

fn print_token(name: &str, role: Role, token: &Secret) {
    say!("{:<9} {:<12} {}", role.as_str(), name, token.expose());
}

fn init(folder: &Path, hosts: &[String]) -> Result<(), Error> {
    for file in [AUTHORITY, AUTHORITY_KEY, CERTIFICATE, KEY, TOKENS] {
        let path = folder.join(file);
        if path.exists() {
            return Err(Error::invalid(format!(
                "`{}` is there already: a new authority would lock out whoever knows the old one; choose another folder with `--dir`, \
                 or use `flott security renew` or `flott security token`",
                path.display()
            )));
        }
    }
    make_private(folder)?;
    let authority = Authority::create()?;
    let signed = authority.sign(hosts)?;
    write_private(&folder.join(AUTHORITY), &authority.certificate)?;
    write_private(&folder.join(AUTHORITY_KEY), authority.key.expose())?;
    write_private(&folder.join(CERTIFICATE), &signed.certificate)?;
    write_private(&folder.join(KEY), signed.key.expose())?;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let shown = folder.display();
    say!("Tokens, one for each role. They are shown this once, and only their hashes are kept:\n");
    for role in Role::ALL {
        print_token(role.as_str(), role, &Tokens::add(&folder.join(TOKENS), role.as_str(), role)?);
    }
    say!("\nIn conf/config.yaml of the cluster's processes, which need these files ({AUTHORITY_KEY} stays with you alone):\n");
    say!("security.ssl.internal.enabled: true");
    say!("security.ssl.internal.authority: {shown}/{AUTHORITY}");
    say!("security.ssl.internal.certificate: {shown}/{CERTIFICATE}");
    say!("security.ssl.internal.key: {shown}/{KEY}");
    say!("security.ssl.rest.enabled: true");
    say!("security.tokens.file: {shown}/{TOKENS}");
    say!("\nIn conf/config.yaml of clients, which need {AUTHORITY} and a file of mode 600 with a token:\n");
    say!("security.ssl.internal.enabled: true");
    say!("security.ssl.internal.authority: {shown}/{AUTHORITY}");
    say!("security.token.file: PATH");
    Ok(())
}

fn renew(folder: &Path, hosts: &[String]) -> Result<(), Error> {
    let read = |file: &str| {
        let path = folder.join(file);
        fs::read_to_string(&path).map_err(|error| Error::invalid(format!("cannot read `{}`", path.display())).with_source(error))
    };
    let authority = Authority { certificate: read(AUTHORITY)?, key: Secret::new(read(AUTHORITY_KEY)?) };
    let signed = authority.sign(hosts)?;
    write_private(&folder.join(KEY), signed.key.expose())?;
    write_private(&folder.join(CERTIFICATE), &signed.certificate)?;
    say!("{} is new: bring it and {KEY} to all machines of the cluster, and start its processes again", folder.join(CERTIFICATE).display());
    Ok(())
}

/// Makes a folder that only its owner may look into.
fn make_private(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Error::new(ErrorKind::Unavailable, format!("cannot make the folder `{}`", folder.display())).with_source(error))
}
