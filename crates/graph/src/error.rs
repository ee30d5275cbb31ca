//! Why a program is no job.

use flott_core::key_group::UPPER_BOUND_MAX_PARALLELISM;

/// Why a stream graph cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// There is nothing to run.
    #[error("the job has no operators: add a source and a sink before `execute`")]
    Empty,
    /// Two operators have one uid, so their state could not be told apart.
    #[error("two operators have the uid `{uid}`: `{first}` ({first_at}) and `{second}` ({second_at}); give each its own")]
    DuplicateUid {
        /// The uid.
        uid: String,
        /// The name of one.
        first: String,
        /// Where it was declared.
        first_at: String,
        /// The name of the other.
        second: String,
        /// Where it was declared.
        second_at: String,
    },
    /// A parallelism that no job can have.
    #[error("operator `{operator}` ({at}) has parallelism {parallelism}; it must be from 1 to its maximum parallelism of {max}")]
    Parallelism {
        /// The operator.
        operator: String,
        /// Where it was declared.
        at: String,
        /// What was asked for.
        parallelism: u32,
        /// The largest that is possible.
        max: u32,
    },
    /// A maximum parallelism that no job can have.
    #[error("operator `{operator}` ({at}) has maximum parallelism {max_parallelism}; it must be from 1 to {UPPER_BOUND_MAX_PARALLELISM}")]
    MaxParallelism {
        /// The operator.
        operator: String,
        /// Where it was declared.
        at: String,
        /// What was asked for.
        max_parallelism: u32,
    },
    /// A forward edge between operators of different parallelism.
    #[error(
        "`forward` from `{from}` (parallelism {from_parallelism}) to `{to}` ({at}, parallelism {to_parallelism}) needs equal parallelism; \
         set it, or use `rebalance` or `rescale`"
    )]
    Forward {
        /// The sending operator.
        from: String,
        /// Its parallelism.
        from_parallelism: u32,
        /// The receiving operator.
        to: String,
        /// Where it was declared.
        at: String,
        /// Its parallelism.
        to_parallelism: u32,
    },
    /// Batch mode was asked for, but a source never ends.
    #[error("runtime mode BATCH needs bounded sources, but `{source_name}` ({at}) never ends; use STREAMING, or bound the source")]
    UnboundedBatch {
        /// The source.
        source_name: String,
        /// Where it was declared.
        at: String,
    },
}
