//! The options that are one of a few words.

use super::value::ConfigValue;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! config_enum {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal $(| $alias:literal)*,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
            pub enum $name {
                $($(#[$variant_doc])* $variant,)*
            }

            impl $name {
                /// The word for it in a configuration.
                pub const fn as_str(self) -> &'static str {
                    match self {
                        $($name::$variant => $text,)*
                    }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl ConfigValue for $name {
                fn form() -> String {
                    format!("one of {}", [$(concat!("`", $text, "`")),*].join(", "))
                }

                fn parse(text: &str) -> Option<Self> {
                    $(if [$text $(, $alias)*].iter().any(|word| word.eq_ignore_ascii_case(text)) {
                        return Some($name::$variant);
                    })*
                    None
                }

                fn to_text(&self) -> String {
                    self.as_str().to_owned()
                }
            }
        )*
    };
}

config_enum! {
    /// Whether the inputs of a program end, and what follows from it.
    RuntimeMode {
        /// Results as records arrive.
        Streaming = "STREAMING",
        /// Results at the end of the input, which must be bounded.
        Batch = "BATCH",
        /// `BATCH` if all sources are bounded, else `STREAMING`.
        Automatic = "AUTOMATIC",
    }

    /// How often state takes part in a record after a failure.
    CheckpointingMode {
        /// Each record counts once.
        ExactlyOnce = "EXACTLY_ONCE",
        /// Records may count again after a failure; barriers do not wait.
        AtLeastOnce = "AT_LEAST_ONCE",
    }

    /// What latencies are kept apart by.
    LatencyGranularity {
        /// Nothing.
        Single = "single",
        /// The source.
        Operator = "operator",
        /// The subtask of the source.
        Subtask = "subtask",
    }

    /// What becomes of the checkpoints of a job that ends.
    CheckpointRetention {
        /// They stay when the job is cancelled.
        RetainOnCancellation = "RETAIN_ON_CANCELLATION",
        /// They are deleted when the job is cancelled, and stay when it fails.
        DeleteOnCancellation = "DELETE_ON_CANCELLATION",
        /// They are deleted when the job ends, however that comes about.
        NoExternalizedCheckpoints = "NO_EXTERNALIZED_CHECKPOINTS",
    }

    /// To whom the files of a snapshot belong from which a job is restored.
    ClaimMode {
        /// They stay as they are: the first checkpoint of the job is complete in itself.
        NoClaim = "NO_CLAIM",
        /// The job owns them, and deletes them when it needs them no more.
        Claim = "CLAIM",
    }

    /// When a failed job starts again.
    RestartStrategyType {
        /// It does not.
        None = "none" | "off" | "disable",
        /// A number of times, after the same delay each.
        FixedDelay = "fixed-delay" | "fixeddelay",
        /// Until it fails too often in some time.
        FailureRate = "failure-rate" | "failurerate",
        /// After a delay that grows with every failure.
        ExponentialDelay = "exponential-delay" | "exponentialdelay",
    }

    /// Whether a job waits for all its slots.
    SchedulerType {
        /// It does.
        Default = "default",
        /// It runs with fewer.
        Adaptive = "adaptive",
    }

    /// What decides how parallel jobs are.
    SchedulerExecutionMode {
        /// The slots that there are.
        Reactive = "reactive",
    }

    /// What starts again when a task fails.
    FailoverStrategy {
        /// The tasks that exchange records with it.
        Region = "region",
        /// All tasks of the job.
        Full = "full",
    }

    /// Where JobManagers agree on who leads.
    HighAvailabilityType {
        /// Nowhere: there is one JobManager.
        None = "none",
        /// In a directory that all of them reach.
        File = "file" | "filesystem",
        /// In etcd.
        Etcd = "etcd",
        /// In a bucket of S3, or of what speaks its protocol.
        S3 = "s3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_by_their_other_names() {
        assert_eq!(RuntimeMode::parse("batch"), Some(RuntimeMode::Batch));
        assert_eq!(CheckpointingMode::parse("At_Least_Once"), Some(CheckpointingMode::AtLeastOnce));
        assert_eq!(RestartStrategyType::parse("OFF"), Some(RestartStrategyType::None));
        assert_eq!(Option::<RestartStrategyType>::parse("none"), Some(Some(RestartStrategyType::None)));
        assert_eq!(RuntimeMode::parse("stream"), None);
        assert_eq!(RuntimeMode::form(), "one of `STREAMING`, `BATCH`, `AUTOMATIC`");
        assert_eq!(FailoverStrategy::Region.to_string(), "region");
    }
}
