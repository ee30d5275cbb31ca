//! `/jars`: executables that are uploaded and run.

use crate::{
    api::{plan::PlanAnswer, run_request::run_request},
    http::{
        answer::{Empty, Handled, Refusal, ok},
        call::Call,
    },
    model::{Executable, Vertex},
};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Executables<'a> {
    address: String,
    files: Vec<File<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct File<'a> {
    id: &'a str,
    name: &'a str,
    uploaded: i64,
    entry: Vec<Entry<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Entry<'a> {
    name: &'a str,
    description: Option<&'a str>,
}

impl<'a> File<'a> {
    fn of(executable: &'a Executable) -> Self {
        let programs = executable.programs.iter();
        let entry = programs.map(|program| Entry { name: &program.name, description: program.description.as_deref() }).collect();
        File { id: &executable.id, name: &executable.name, uploaded: executable.uploaded_at, entry }
    }
}

/// `GET /jars`
pub(crate) fn list(call: &Call) -> Handled {
    let executables = call.cluster().executables()?;
    ok(&Executables { address: call.url(), files: executables.iter().map(File::of).collect() })
}

/// What an upload is answered with.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    filename: String,
    status: &'static str,
}

impl Uploaded {
    /// Clients take what stands behind the last slash for the id.
    pub(crate) fn of(executable: &Executable) -> Self {
        Uploaded { filename: format!("executables/{}", executable.id), status: "success" }
    }
}

/// The id of an executable that is there; no other text of a path reaches the cluster.
fn find(call: &Call) -> Result<String, Refusal> {
    let asked = call.param("executable");
    let found = call.cluster().executables()?.into_iter().find(|executable| executable.id == asked);
    found.map(|executable| executable.id).ok_or_else(|| Refusal::not_found(format!("there is no executable `{asked}`")))
}

/// `DELETE /jars/:executable`
pub(crate) fn remove(call: &Call) -> Handled {
    call.cluster().remove_executable(&find(call)?)?;
    ok(&Empty {})
}

/// The plan of a program, and what it needs of the cluster.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Preview<'a> {
    #[serde(flatten)]
    plan: PlanAnswer<'a>,
    slots: Slots,
}

/// The slots that a program's job asks for, and those that there are. Not Flink's.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Slots {
    required: u32,
    free: usize,
    total: usize,
}

/// The slots that a job of these vertices asks for: those of a sharing group share them.
fn slots_required(vertices: &[Vertex]) -> u32 {
    let mut groups: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    for vertex in vertices {
        let most = groups.entry(vertex.slot_sharing_group.as_deref()).or_default();
        *most = vertex.parallelism.max(*most);
    }
    groups.into_values().sum()
}

/// `GET` and `POST /jars/:executable/plan`
pub(crate) fn plan(call: &Call) -> Handled {
    let (executable, request) = (find(call)?, run_request(call)?);
    let plan = call.cluster().plan(&executable, &request)?;
    let slots: Vec<_> = call.cluster().task_managers()?.into_iter().flat_map(|task_manager| task_manager.slots).collect();
    let free = slots.iter().filter(|slot| slot.job.is_none()).count();
    ok(&Preview {
        plan: PlanAnswer::of(plan.job, &plan.name, plan.batch, &plan.vertices),
        slots: Slots { required: slots_required(&plan.vertices), free, total: slots.len() },
    })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Started {
    jobid: String,
    #[serde(rename = "applicationId")]
    application_id: String,
}

/// `POST /jars/:executable/run`
pub(crate) fn run(call: &Call) -> Handled {
    let (executable, request) = (find(call)?, run_request(call)?);
    let job = call.cluster().run(&executable, &request)?.to_string();
    ok(&Started { jobid: job.clone(), application_id: job })
}
