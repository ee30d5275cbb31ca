//! The allowed edges, and the check of real ones against them.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

/// The file of allowed edges; its own comments say what the fields mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arrows {
    pub(super) third_party_cap: usize,
    crates: BTreeMap<String, Allowed>,
    #[serde(default)]
    never: Vec<Never>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    level: u32,
    #[serde(default)]
    uses: Vec<String>,
    #[serde(default)]
    dev_uses: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Never {
    from: String,
    to: String,
}

/// A crate of the workspace with its real edges to others.
#[derive(Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    /// Normal and build dependencies.
    pub(super) uses: Vec<String>,
    pub(super) dev_uses: Vec<String>,
}

impl Arrows {
    /// Everything that is wrong, in words; empty if nothing is.
    pub(super) fn check(&self, crates: &[Crate]) -> Vec<String> {
        let mut faults = self.check_levels();
        for name in self.crates.keys() {
            if !crates.iter().any(|c| c.name == *name) {
                faults.push(format!("`{name}` is listed but is no crate of the workspace"));
            }
        }
        for c in crates {
            let Some(allowed) = self.crates.get(&c.name) else {
                faults.push(format!("`{}` is not listed", c.name));
                continue;
            };
            let wrong = c.uses.iter().filter(|name| !allowed.uses.contains(name));
            faults.extend(wrong.map(|name| format!("`{}` uses `{name}`", c.name)));
            let dev = |name: &&String| !allowed.uses.contains(name) && !allowed.dev_uses.contains(name) && **name != c.name;
            faults.extend(c.dev_uses.iter().filter(dev).map(|name| format!("`{}` uses `{name}` in tests", c.name)));
        }
        faults.extend(self.check_never(crates));
        faults
    }

    /// Allowed edges must lead down.
    fn check_levels(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, allowed) in &self.crates {
            for used in &allowed.uses {
                match self.crates.get(used) {
                    Some(below) if below.level < allowed.level => {}
                    Some(below) => {
                        let levels = format!("level {} to level {}", allowed.level, below.level);
                        faults.push(format!("the allowed edge from `{name}` to `{used}` does not lead down: {levels}"));
                    }
                    None => faults.push(format!("the allowed edge from `{name}` leads to `{used}`, which is not listed")),
                }
            }
        }
        faults
    }

    fn check_never(&self, crates: &[Crate]) -> Vec<String> {
        let mut faults = Vec::new();
        for never in &self.never {
            for start in crates.iter().filter(|c| matches(&never.from, &c.name)) {
                let reached = reachable(crates, &start.name);
                let wrong = reached.into_iter().filter(|name| matches(&never.to, name));
                faults.extend(wrong.map(|name| format!("`{}` reaches `{name}`, which it must never know", start.name)));
            }
        }
        faults
    }
}

/// Whether `name` is `pattern`, or begins with what stands before a `*` at the pattern's end.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

/// All crates that `start` uses, directly or not.
fn reachable<'a>(crates: &'a [Crate], start: &'a str) -> Vec<&'a str> {
    let (mut order, mut seen, mut next) = (Vec::new(), HashSet::from([start]), vec![start]);
    while let Some(name) = next.pop() {
        for used in crates.iter().filter(|c| c.name == name).flat_map(|c| &c.uses) {
            if seen.insert(used.as_str()) {
                order.push(used.as_str());
                next.push(used);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        third_party_cap = 1
        [crates.core]
        level = 0
        [crates.state]
        level = 1
        uses = ["core"]
        dev_uses = ["kit"]
        [crates.api]
        level = 2
        uses = ["core", "state"]
        [crates.kit]
        level = 3
        uses = ["api"]
        [[never]]
        from = "ki*"
        to = "state"
    "#;

    fn edges(name: &str, uses: &[&str], dev_uses: &[&str]) -> Crate {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Crate { name: name.to_owned(), uses: own(uses), dev_uses: own(dev_uses) }
    }

    /// The four crates of the rules, one of them replaced.
    fn check(changed: Crate) -> Vec<String> {
        let mut crates =
            vec![edges("core", &[], &[]), edges("state", &["core"], &["kit"]), edges("api", &["core"], &[]), edges("kit", &["api"], &[])];
        crates.retain(|c| c.name != changed.name);
        crates.push(changed);
        toml::from_str::<Arrows>(RULES).unwrap().check(&crates)
    }

    #[test]
    fn allowed_edges_pass() {
        assert_eq!(check(edges("core", &[], &[])), Vec::<String>::new());
    }

    #[test]
    fn an_edge_upwards_is_named() {
        assert_eq!(check(edges("core", &["state"], &[])), ["`core` uses `state`", "`kit` reaches `state`, which it must never know"]);
    }

    #[test]
    fn a_dev_edge_is_checked_too_and_may_not_become_a_normal_one() {
        assert_eq!(check(edges("core", &[], &["api"])), ["`core` uses `api` in tests"]);
        assert_eq!(check(edges("state", &["kit"], &[])), ["`state` uses `kit`"]);
    }

    #[test]
    fn a_chain_to_a_forbidden_crate_is_found() {
        assert_eq!(check(edges("api", &["state"], &[])), ["`kit` reaches `state`, which it must never know"]);
    }

    #[test]
    fn an_unlisted_crate_is_named() {
        assert_eq!(check(edges("new", &[], &[])), ["`new` is not listed"]);
    }

    #[test]
    fn an_allowed_edge_that_does_not_lead_down_is_refused() {
        let rules: Arrows = toml::from_str(&RULES.replace("level = 1", "level = 2")).unwrap();
        assert_eq!(rules.check_levels(), ["the allowed edge from `api` to `state` does not lead down: level 2 to level 2"]);
    }
}
