//! Which vertex slows a job down. A back-pressured vertex only waits: the cause is downstream of it, at the first vertex that does
//! not wait itself.

use crate::api::flow::Share;
use schemars::JsonSchema;
use serde::Serialize;

/// The share of the time from which a vertex counts as back-pressured.
const WAITS: f64 = 0.1;

/// The share of the time from which a vertex that waits for one that is not busy is worth a word: Flink's "high". Below, bursts
/// explain it.
const WAITS_MUCH: f64 = 0.5;

/// The share of the time from which a subtask counts as busy all the time.
const SATURATED: f64 = 0.9;

/// A vertex in its place.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) parallelism: u32,
    pub(crate) busy: Option<Share>,
    pub(crate) backpressured: Option<Share>,
    /// The places of the vertices that send to it.
    pub(crate) inputs: Vec<usize>,
}

/// The vertex that sets the pace, and why it is thought so.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Bottleneck {
    vertex: String,
    /// A sentence for people.
    reason: String,
}

/// The bottleneck of a running job; `None`: nothing waits and nothing is busy all the time.
pub(crate) fn find_bottleneck(vertices: &[Load<'_>]) -> Option<Bottleneck> {
    let waits = |load: &Load<'_>| load.backpressured.map_or(0.0, |share| share.max);
    let busy = |load: &Load<'_>| load.busy.map_or(0.0, |share| share.max);
    let mut found: Option<(&Load<'_>, &Load<'_>)> = None;
    for load in vertices.iter().filter(|load| waits(load) < WAITS.max(busy(load))) {
        let senders = load.inputs.iter().filter_map(|place| vertices.get(*place));
        let Some(sender) = senders.filter(|sender| waits(sender) >= WAITS).max_by(|one, other| waits(one).total_cmp(&waits(other))) else {
            continue;
        };
        if found.is_none_or(|(best, _)| busy(load) > busy(best)) {
            found = Some((load, sender));
        }
    }
    let (load, reason) = match found {
        Some((load, sender)) if busy(load) >= 0.5 => {
            (load, format!("{}, and `{}` waits for it {} of the time", busy_text(load), sender.name, percent(waits(sender))))
        }
        Some((load, sender)) if waits(sender) >= WAITS_MUCH => {
            let text = format!(
                "`{}` waits for it {} of the time although it is busy only {}: it is waiting for something else, or the network is slow",
                sender.name,
                percent(waits(sender)),
                percent(busy(load))
            );
            (load, text)
        }
        _ => {
            let load = vertices.iter().filter(|load| busy(load) >= SATURATED).max_by(|one, other| busy(one).total_cmp(&busy(other)))?;
            (load, format!("{}: no vertex waits for another, this one sets the pace", busy_text(load)))
        }
    };
    Some(Bottleneck { vertex: load.id.to_owned(), reason })
}

/// How busy a vertex is, and whether all of it.
fn busy_text(load: &Load<'_>) -> String {
    let Some(share) = load.busy else { return "it is busy".to_owned() };
    if load.parallelism > 1 && share.avg < share.max / 2.0 {
        return format!(
            "subtask {} of {} is busy {} of the time while the average is {}: the load is uneven",
            share.at,
            load.parallelism,
            percent(share.max),
            percent(share.avg)
        );
    }
    format!("it is busy {} of the time", percent(share.max))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load<'a>(id: &'a str, busy: f64, waits: f64, inputs: &[usize]) -> Load<'a> {
        let share = |max| Some(Share { max, avg: max, at: 0 });
        Load { id, name: id, parallelism: 2, busy: share(busy), backpressured: share(waits), inputs: inputs.to_vec() }
    }

    #[test]
    fn the_first_vertex_that_does_not_wait_is_the_cause() {
        let vertices = [load("source", 0.1, 0.9, &[]), load("map", 0.2, 0.8, &[0]), load("sink", 0.99, 0.0, &[1])];
        let found = find_bottleneck(&vertices).unwrap();
        assert_eq!(found.vertex, "sink");
        assert_eq!(found.reason, "it is busy 99 % of the time, and `map` waits for it 80 % of the time");
    }

    #[test]
    fn a_busy_vertex_beside_the_way_is_not_the_cause() {
        let vertices = [load("a", 0.1, 0.9, &[]), load("slow", 0.8, 0.0, &[0]), load("b", 0.95, 0.0, &[])];
        assert_eq!(find_bottleneck(&vertices).unwrap().vertex, "slow");
    }

    #[test]
    fn a_vertex_that_is_neither_busy_nor_waiting_waits_for_something_outside() {
        let found = find_bottleneck(&[load("a", 0.1, 0.9, &[]), load("b", 0.05, 0.0, &[0])]).unwrap();
        assert!(found.reason.contains("something else"), "{}", found.reason);
        assert_eq!(find_bottleneck(&[load("a", 0.1, 0.16, &[]), load("b", 0.09, 0.0, &[0])]), None, "bursts are no bottleneck");
    }

    #[test]
    fn without_back_pressure_only_a_saturated_vertex_is_named() {
        assert_eq!(find_bottleneck(&[load("a", 0.97, 0.0, &[]), load("b", 0.3, 0.0, &[0])]).unwrap().vertex, "a");
        assert_eq!(find_bottleneck(&[load("a", 0.5, 0.0, &[]), load("b", 0.3, 0.0, &[0])]), None);
        assert_eq!(find_bottleneck(&[]), None);
    }

    #[test]
    fn uneven_load_is_told() {
        let mut vertices = [load("a", 0.1, 0.9, &[]), load("b", 1.0, 0.0, &[0])];
        vertices[1].busy = Some(Share { max: 1.0, avg: 0.3, at: 1 });
        assert!(find_bottleneck(&vertices).unwrap().reason.contains("subtask 1 of 2 is busy 100 %"));
    }
}
