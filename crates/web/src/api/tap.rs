//! `/jobs/:job/vertices/:vertex/tap`: a sample of the records that go in and out right now. Not Flink's.

use crate::{
    api::vertices::find,
    cluster::ClusterError,
    http::{
        answer::{Empty, Handled, Refusal, ok},
        call::Call,
    },
    taps::{LEASE, RECORDS_PER_SECOND},
};
use flott_core::{tap::RECORD_TEXT_BYTES, time::millis};
use flott_rpc::{
    status::TaskStatus,
    tap::{TapDirection, TapShown, TappedRecord},
};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Terms {
    /// Whether taps can be begun at all.
    enabled: bool,
    /// One ends when nobody asks for so long what it has seen, ms.
    lease: i64,
    /// That a subtask shows at each place, at the most.
    records_per_second: u32,
    /// The longest text of a record.
    record_bytes: usize,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Begun {
    /// The id of the tap.
    tap: String,
    #[serde(flatten)]
    terms: Terms,
}

fn current_terms(call: &Call) -> Terms {
    let enabled = call.app.options.tap;
    Terms { enabled, lease: millis(LEASE), records_per_second: RECORDS_PER_SECOND, record_bytes: RECORD_TEXT_BYTES }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TapAnswer {
    now: i64,
    records: Vec<RecordAnswer>,
    /// Records that were chosen and for which there was no room.
    missed: u64,
    /// Why there may be fewer records than there are.
    message: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct RecordAnswer {
    subtask: u32,
    /// The operator that took or emitted it.
    operator: String,
    /// `in`: taken from another vertex; `out`: emitted.
    direction: &'static str,
    /// When it was seen, ms since 1970.
    at: i64,
    /// Its event time, ms since 1970.
    timestamp: Option<i64>,
    /// `clear`: as it is; `masked`: as the job shows it; `hidden` by the job; `failed`: it cannot be written.
    shown: &'static str,
    /// The record as JSON, or else as sinks print it.
    value: Option<String>,
    /// Whether `value` is only the beginning of it.
    truncated: bool,
}

impl From<TappedRecord> for RecordAnswer {
    fn from(record: TappedRecord) -> Self {
        let shown = match record.shown {
            TapShown::Clear => "clear",
            TapShown::Masked => "masked",
            TapShown::Hidden => "hidden",
            TapShown::Failed => "failed",
        };
        RecordAnswer {
            subtask: record.subtask,
            operator: record.operator,
            direction: if record.direction == TapDirection::In { "in" } else { "out" },
            at: record.at,
            timestamp: record.timestamp,
            shown,
            value: matches!(record.shown, TapShown::Clear | TapShown::Masked).then_some(record.value),
            truncated: record.truncated,
        }
    }
}

/// Refuses where nobody may look at records.
fn check_enabled(call: &Call) -> Result<(), Refusal> {
    let off = "taps are switched off, as they show records: set `rest.tap.enabled` to `true` in the configuration of the JobManager";
    if call.app.options.tap { Ok(()) } else { Err(ClusterError::Conflict(off.to_owned()).into()) }
}

/// `GET .../tap`: so that whoever may not begin one is told why.
pub(crate) fn terms(call: &Call) -> Handled {
    find(call)?;
    ok(&current_terms(call))
}

/// `POST .../tap`
pub(crate) fn begin(call: &Call) -> Handled {
    check_enabled(call)?;
    let subtask = call.fields()?.number(&["subtask"])?;
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    if let Some(index) = subtask.filter(|index| *index >= vertex.parallelism) {
        return Err(Refusal::not_found(format!(
            "the vertex has no subtask {index}: they are counted from 0 to {}",
            vertex.parallelism - 1
        )));
    }
    let mut subtasks = vertex.subtasks.iter();
    if job.status.is_terminal() || subtasks.all(|subtask| subtask.current.status == TaskStatus::Finished) {
        return Err(ClusterError::Conflict(format!("the tasks of `{}` have ended: no records go by any more", vertex.name)).into());
    }
    let id = call.app.operations.new_id();
    call.app.taps.begin(id, (job.id, vertex.id), subtask)?;
    ok(&Begun { tap: id.to_string(), terms: current_terms(call) })
}

/// `GET .../tap/:tap`
pub(crate) fn look(call: &Call) -> Handled {
    check_enabled(call)?;
    let id = call.trigger()?;
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let tapped = call.app.taps.look(id, (job.id, vertex.id), vertex.parallelism, |wanted| call.cluster().tap(job.id, vertex.id, wanted))?;
    let gone = || Refusal::not_found(format!("there is no such tap, or it has ended, as nobody looked for {} s", LEASE.as_secs()));
    let tapped = tapped.ok_or_else(gone)?;
    let records = tapped.records.into_iter().map(RecordAnswer::from).collect();
    ok(&TapAnswer { now: call.now(), records, missed: tapped.missed, message: tapped.message })
}

/// `DELETE .../tap/:tap`
pub(crate) fn end(call: &Call) -> Handled {
    check_enabled(call)?;
    let id = call.trigger()?;
    let place = (call.job()?, call.vertex()?);
    if call.app.taps.end(id, place) { ok(&Empty {}) } else { Err(Refusal::not_found("there is no such tap, or not any more")) }
}
