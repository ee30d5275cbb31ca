//! `/jars`: executables that are uploaded and run.

use crate::{
    api::{plan::PlanAnswer, run_request::run_request},
    http::{
        answer::{Empty, Handled, Refusal, ok},
        call::Call,
    },
    model::Executable,
};
use schemars::JsonSchema;
use serde::Serialize;

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

/// `GET` and `POST /jars/:executable/plan`
pub(crate) fn plan(call: &Call) -> Handled {
    let (executable, request) = (find(call)?, run_request(call)?);
    let plan = call.cluster().plan(&executable, &request)?;
    ok(&PlanAnswer::of(plan.job, &plan.name, plan.batch, &plan.vertices))
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
