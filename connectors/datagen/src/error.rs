//! What can go wrong when records are generated.

/// A generator source cannot run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagenError {
    /// The rate is no rate.
    #[error("`{rate}` records per second is no rate: give a finite number above 0, or leave the rate out to generate without a limit")]
    InvalidRate {
        /// The rate as it was given.
        rate: f64,
    },
    /// A restored split would never advance.
    #[error("split `{split}` has step 0: the snapshot that it comes from is damaged")]
    InvalidSplit {
        /// The split's id.
        split: String,
    },
}
