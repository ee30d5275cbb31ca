//! What a job should be built with, and is not.

use crate::Executable;
use flott_rpc::manifest::Panics;

impl Executable {
    /// What it lacks of the recommended profile, in one line; `None` if nothing is known to be amiss. Nothing of it keeps it from
    /// running, except that `execute` refuses a program whose panics end the process.
    pub fn advice(&self) -> Option<String> {
        let mut lacks = Vec::new();
        if self.manifest.panics == Panics::Abort {
            lacks.push("a panic ends all of its tasks (set `panic = \"unwind\"` in the profile)");
        }
        if self.overflow_checks == Some(false) {
            lacks.push("sums wrap around unnoticed (set `overflow-checks = true` in the profile)");
        }
        if self.frame_pointers == Some(false) && !self.manifest.debug_assertions {
            lacks.push("profilers see no stacks (set `rustflags = [\"-Cforce-frame-pointers=yes\"]` in .cargo/config.toml)");
        }
        if self.allocator == Some(false) && !self.manifest.debug_assertions {
            lacks.push("its symbols show no allocator for several threads (add `mimalloc` and its two lines, as `flott new` does)");
        }
        if self.manifest.debug_assertions {
            lacks.push("it is a debug build, which is many times slower (build it with `--release`)");
        }
        (!lacks.is_empty()).then(|| format!("`{}` could be built better: {}", self.name, lacks.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::executable;

    #[test]
    fn a_recommended_build_gets_no_advice() {
        let mut best = executable();
        assert_eq!(best.advice(), None);
        (best.overflow_checks, best.frame_pointers, best.allocator) = (None, None, None);
        assert_eq!(best.advice(), None);
    }

    #[test]
    fn what_is_missing_is_said_in_one_line_with_the_cure() {
        let mut worst = executable();
        (worst.overflow_checks, worst.frame_pointers, worst.manifest.panics) = (Some(false), Some(false), Panics::Abort);
        worst.allocator = Some(false);
        let advice = worst.advice().unwrap();
        for cure in ["`panic = \"unwind\"`", "`overflow-checks = true`", "-Cforce-frame-pointers=yes", "`mimalloc`"] {
            assert!(advice.contains(cure), "{advice}");
        }
        assert_eq!(advice.lines().count(), 1);
        worst.manifest.debug_assertions = true;
        let advice = worst.advice().unwrap();
        assert!(advice.contains("`--release`") && !advice.contains("frame-pointers") && !advice.contains("mimalloc"), "{advice}");
    }
}
