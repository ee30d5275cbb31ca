//! Which parallelism a job may have, and which it has with so many slots.
//!
//! ```text
//!  bounds of each vertex ──check──▶ accepted or refused with the reason
//!  bounds + slots held ──choose──▶ the number of subtasks of each vertex, or none: too few slots
//! ```
//! Vertices of one slot sharing group share slots, so that a group with `n` slots runs each of its vertices with up to `n` subtasks.
//! Vertices that are joined by forward edges always have the same number.

use flott_core::id::VertexId;
use flott_graph::{
    JobTopology, VertexTopology,
    settings::{SchedulerMode, SchedulerSettings},
};
use flott_rpc::client::ParallelismBounds;
use std::collections::BTreeMap;

/// What a job asks for as long as nobody says otherwise.
pub(crate) fn initial(topology: &JobTopology, settings: &SchedulerSettings) -> Vec<ParallelismBounds> {
    let of = |vertex: &VertexTopology| match settings.mode {
        SchedulerMode::Default => ParallelismBounds::exactly(vertex.parallelism),
        SchedulerMode::Adaptive => ParallelismBounds { lower: 1, upper: vertex.parallelism },
        SchedulerMode::Reactive => ParallelismBounds { lower: 1, upper: vertex.parallelism_limit() },
    };
    // What some vertices cannot have nobody joined with them gets.
    let bounds: Vec<ParallelismBounds> = topology.vertices.iter().map(of).collect();
    let groups = topology.forward_groups();
    let smallest = |group: &VertexId| bounds.iter().zip(&groups).filter(|(_, of)| *of == group).map(|(bounds, _)| bounds.upper).min();
    let upper: Vec<u32> = groups.iter().filter_map(smallest).collect();
    bounds.iter().zip(upper).map(|(bounds, upper)| ParallelismBounds { lower: bounds.lower.min(upper), upper }).collect()
}

/// Whether the job can be run so.
///
/// # Errors
/// Why not, all reasons, for whoever asked.
pub(crate) fn check(topology: &JobTopology, bounds: &[ParallelismBounds]) -> Result<(), String> {
    if bounds.len() != topology.vertices.len() {
        return Err(format!(
            "the job has {} vertices, but bounds were given for {}; give them for all, in the order of the graph",
            topology.vertices.len(),
            bounds.len()
        ));
    }
    let mut wrong = Vec::new();
    for (vertex, ParallelismBounds { lower, upper }) in topology.vertices.iter().zip(bounds.iter().copied()) {
        let (id, name, limit) = (vertex.id, &vertex.name, vertex.parallelism_limit());
        if lower < 1 || upper < 1 {
            wrong.push(format!("the lower bound {lower} and the upper bound {upper} of vertex {id} (`{name}`) must both be 1 or more"));
        } else if lower > upper {
            wrong.push(format!("the lower bound {lower} of vertex {id} (`{name}`) is higher than its upper bound {upper}"));
        } else if upper > limit && vertex.fixed_parallelism {
            wrong.push(format!(
                "vertex {id} (`{name}`) holds an operator that runs in {limit} subtask whatever happens: parallelism {upper} cannot be had"
            ));
        } else if upper > limit {
            wrong.push(format!("parallelism {upper} of vertex {id} (`{name}`) exceeds its maximum parallelism {limit}"));
        }
    }
    let groups = topology.forward_groups();
    for (vertex, group) in topology.vertices.iter().zip(&groups).filter(|(vertex, group)| vertex.id != **group) {
        let (own, others) = (bounds[vertex.id.0 as usize], bounds[group.0 as usize]);
        if own != others {
            let (id, name, other) = (vertex.id, &vertex.name, topology.vertex(*group));
            wrong.push(format!(
                "vertices {} (`{}`) and {id} (`{name}`) are joined by forward edges: their bounds {}..{} and {}..{} must be the same",
                other.id, other.name, others.lower, others.upper, own.lower, own.upper
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// The bounds of all vertices, where some are given by name.
///
/// # Errors
/// There is no such vertex, several are, or forward edges join vertices that are to be different.
pub(crate) fn resolve(
    topology: &JobTopology,
    present: &[ParallelismBounds],
    all: Option<ParallelismBounds>,
    vertices: &[(String, ParallelismBounds)],
) -> Result<Vec<ParallelismBounds>, String> {
    let groups = topology.forward_groups();
    let limit = |group: VertexId| {
        let limits = topology.vertices.iter().zip(&groups).filter(|(_, of)| **of == group).map(|(vertex, _)| vertex.parallelism_limit());
        limits.min().unwrap_or(1)
    };
    let clamped = |group: &VertexId, all: ParallelismBounds| {
        let limit = limit(*group);
        ParallelismBounds { lower: all.lower.min(limit), upper: all.upper.min(limit) }
    };
    let most = topology.vertices.iter().map(VertexTopology::parallelism_limit).max().unwrap_or(1);
    if let Some(all) = all.filter(|all| all.upper > most) {
        return Err(format!("parallelism {} exceeds the maximum parallelism of every vertex, which is at most {most}", all.upper));
    }
    let mut bounds: Vec<ParallelismBounds> = match all {
        Some(all) => groups.iter().map(|group| clamped(group, all)).collect(),
        None => present.to_vec(),
    };
    let mut given: BTreeMap<VertexId, (&str, ParallelismBounds)> = BTreeMap::new();
    for (name, wanted) in vertices {
        let group = groups[find(topology, name)?.0 as usize];
        if let Some((other, before)) = given.insert(group, (name, *wanted))
            && before != *wanted
        {
            return Err(format!("`{other}` and `{name}` are joined by forward edges: they can only have the same parallelism"));
        }
        bounds.iter_mut().zip(&groups).filter(|(_, of)| **of == group).for_each(|(bounds, _)| *bounds = *wanted);
    }
    Ok(bounds)
}

/// The vertex that someone calls so.
fn find(topology: &JobTopology, name: &str) -> Result<VertexId, String> {
    let heads = || topology.vertices.iter().filter_map(|vertex| Some((vertex, vertex.operators.first()?)));
    let exactly = heads().filter(|(vertex, head)| {
        let id = format!("{}", head.id);
        [vertex.id.to_string().as_str(), vertex.name.as_str(), head.name.as_str(), id.as_str(), &format!("{id:0>32}")].contains(&name)
            || head.uid.as_deref() == Some(name)
    });
    let mut found: Vec<&VertexTopology> = exactly.map(|(vertex, _)| vertex).collect();
    if found.is_empty() {
        found = topology.vertices.iter().filter(|vertex| vertex.name.contains(name)).collect();
    }
    match &found[..] {
        [one] => Ok(one.id),
        several => {
            let shown = if several.is_empty() { topology.vertices.iter().collect() } else { found.clone() };
            let shown: Vec<String> = shown.iter().map(|vertex| format!("{} (`{}`)", vertex.id, vertex.name)).collect();
            let what = if several.is_empty() { "no vertex" } else { "more than one vertex" };
            Err(format!("{what} is called `{name}`; there are {}", shown.join(", ")))
        }
    }
}

/// The slots that a job with such bounds has use for.
pub(crate) fn slots_wanted(topology: &JobTopology, bounds: &[ParallelismBounds]) -> u32 {
    groups(topology, bounds).values().map(|(_, upper)| *upper).fold(0, u32::saturating_add)
}

/// The slots that a job with such bounds needs at least.
pub(crate) fn slots_needed(topology: &JobTopology, bounds: &[ParallelismBounds]) -> u32 {
    groups(topology, bounds).values().map(|(lower, _)| *lower).fold(0, u32::saturating_add)
}

/// The fewest slots with which the job could have another parallelism than `current`, if it cannot have one with `held`.
pub(crate) fn slots_for_another(topology: &JobTopology, bounds: &[ParallelismBounds], current: &[u32], held: u32) -> u32 {
    let (mut least, mut most) = (held.saturating_add(1), slots_wanted(topology, bounds));
    // More slots never give fewer subtasks.
    while least < most {
        let middle = least + (most - least) / 2;
        if choose(topology, bounds, middle).is_some_and(|other| other != current) {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    least
}

/// The number of subtasks of each vertex with so many slots; `None` if they are too few.
pub(crate) fn choose(topology: &JobTopology, bounds: &[ParallelismBounds], slots: u32) -> Option<Vec<u32>> {
    let mut groups = groups(topology, bounds);
    let mut left = slots.checked_sub(slots_needed(topology, bounds))?;
    // What is left is dealt one by one, so that no group grows while another stays narrow.
    while left > 0 && groups.values().any(|(given, upper)| given < upper) {
        for (given, upper) in groups.values_mut() {
            if left > 0 && given < upper {
                *given += 1;
                left -= 1;
            }
        }
    }
    let own = |(vertex, bounds): (&VertexTopology, &ParallelismBounds)| {
        bounds.upper.min(groups.get(vertex.slot_sharing_group.as_str()).map_or(bounds.lower, |(given, _)| *given))
    };
    let own: Vec<u32> = topology.vertices.iter().zip(bounds).map(own).collect();
    let joined = topology.forward_groups();
    let narrowest = |group: &VertexId| own.iter().zip(&joined).filter(|(_, of)| *of == group).map(|(own, _)| *own).min();
    Some(joined.iter().zip(&own).map(|(group, own)| narrowest(group).unwrap_or(*own)).collect())
}

/// The slots that each slot sharing group needs at least and has use for at most.
fn groups<'a>(topology: &'a JobTopology, bounds: &[ParallelismBounds]) -> BTreeMap<&'a str, (u32, u32)> {
    let mut groups: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (vertex, bounds) in topology.vertices.iter().zip(bounds) {
        let group = groups.entry(vertex.slot_sharing_group.as_str()).or_default();
        *group = (group.0.max(bounds.lower), group.1.max(bounds.upper));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;
    use flott_core::exchange::PartitionKind::{Forward, Hash};

    fn bounds<const N: usize>(bounds: [(u32, u32); N]) -> Vec<ParallelismBounds> {
        bounds.map(|(lower, upper)| ParallelismBounds { lower, upper }).to_vec()
    }

    #[test]
    fn what_cannot_work_is_refused_with_each_reason() {
        let mut job = topology(&[2, 2, 1], &[(0, 1, Forward), (1, 2, Hash)]);
        job.vertices[2].fixed_parallelism = true;
        assert_eq!(check(&job, &bounds([(1, 4), (1, 4), (1, 1)])), Ok(()));
        assert!(check(&job, &bounds([(1, 4)])).unwrap_err().contains("3 vertices"));
        let wrong = check(&job, &bounds([(0, 4), (3, 2), (1, 2)])).unwrap_err();
        for reason in ["must both be 1", "lower bound 3", "1 subtask whatever", "joined by forward edges"] {
            assert!(wrong.contains(reason), "{wrong}");
        }
        assert!(check(&job, &bounds([(1, 129), (1, 129), (1, 1)])).unwrap_err().contains("maximum parallelism 128"));
    }

    #[test]
    fn vertices_are_called_by_number_name_or_part_of_it_and_take_those_joined_with_them_along() {
        let mut job = topology(&[2, 2, 1], &[(0, 1, Forward), (1, 2, Hash)]);
        job.vertices[1].name = "count -> sink".into();
        job.vertices[1].operators[0].uid = Some("counted".into());
        job.vertices[2].max_parallelism = 3;
        let present = bounds([(2, 2), (2, 2), (1, 1)]);
        let four = ParallelismBounds::exactly(4);
        for name in ["v1", "count -> sink", "sink", "counted"] {
            assert_eq!(resolve(&job, &present, None, &[(name.into(), four)]), Ok(bounds([(4, 4), (4, 4), (1, 1)])), "{name}");
        }
        assert_eq!(resolve(&job, &present, Some(four), &[]), Ok(bounds([(4, 4), (4, 4), (3, 3)])));
        assert!(resolve(&job, &present, Some(ParallelismBounds::exactly(129)), &[]).unwrap_err().contains("at most 128"));
        assert!(resolve(&job, &present, None, &[("other".into(), four)]).unwrap_err().contains("there are v0"));
        assert!(resolve(&job, &present, None, &[("o".into(), four)]).unwrap_err().starts_with("more than one"));
        let apart = [("v0".into(), four), ("v1".into(), ParallelismBounds::exactly(1))];
        assert!(resolve(&job, &present, None, &apart).unwrap_err().contains("joined by forward edges"));
    }

    #[test]
    fn groups_share_slots_evenly_and_forward_edges_keep_vertices_equal() {
        let mut job = topology(&[1, 1, 1], &[(0, 1, Hash), (1, 2, Forward)]);
        let wide = bounds([(1, 2), (2, 8), (2, 8)]);
        assert_eq!((choose(&job, &wide, 1), slots_wanted(&job, &wide)), (None, 8));
        assert_eq!(choose(&job, &wide, 3), Some(vec![2, 3, 3]));
        assert_eq!(choose(&job, &wide, 99), Some(vec![2, 8, 8]));
        job.vertices[2].slot_sharing_group = "other".into();
        assert_eq!((choose(&job, &wide, 3), slots_wanted(&job, &wide)), (None, 16));
        assert_eq!(choose(&job, &wide, 7), Some(vec![2, 3, 3]), "4 and 3 slots, and equal nevertheless");
        assert_eq!(slots_for_another(&job, &wide, &[2, 3, 3], 7), 8);
        assert_eq!((slots_needed(&job, &wide), slots_for_another(&job, &wide, &[1, 1, 1], 3)), (4, 4));
    }

    #[test]
    fn a_reactive_job_wants_all_it_can_use() {
        let mut job = topology(&[2, 2, 2], &[(0, 1, Hash), (1, 2, Forward)]);
        job.vertices[2].max_parallelism = 16;
        let reactive = SchedulerSettings { mode: SchedulerMode::Reactive, ..SchedulerSettings::default() };
        assert_eq!(initial(&job, &reactive), bounds([(1, 128), (1, 16), (1, 16)]));
        let adaptive = SchedulerSettings { mode: SchedulerMode::Adaptive, ..SchedulerSettings::default() };
        assert_eq!(initial(&job, &adaptive), bounds([(1, 2); 3]));
        assert_eq!(initial(&job, &SchedulerSettings::default()), bounds([(2, 2); 3]));
    }
}
