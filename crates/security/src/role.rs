//! What a client may do.

use std::{fmt, str::FromStr};

/// What a client may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look at jobs, processes and logs.
    Viewer,
    /// Cancel, stop, rescale jobs; take and remove snapshots.
    Operator,
    /// Bring programs and run them: with the rights that the cluster's processes have.
    Deployer,
    /// End the cluster.
    Admin,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Deployer, Role::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Deployer => "deployer",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Role::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no role: it must be one of `viewer`, `operator`, `deployer`, `admin`"))
    }
}

/// A client whose token is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that the token was given.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// Whoever comes where nobody is asked.
    pub fn anyone() -> Self {
        Caller { name: "anyone".to_owned(), role: Role::Admin }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.role)
    }
}
