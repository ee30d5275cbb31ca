//! Which parallelism a running job may have, and changes of it.

use crate::{
    api::operations,
    http::{
        answer::{Empty, Handled, Refusal, ok},
        call::{Call, parse_hex},
    },
    model::VertexBounds,
};
use flott_core::id::OperatorId;
use flott_rpc::client::ParallelismBounds;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Requirements {
    parallelism: Bounds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    lower_bound: u32,
    upper_bound: u32,
}

/// `GET /jobs/:job/resource-requirements`
pub(crate) fn requirements(call: &Call) -> Handled {
    let of = |(vertex, bounds): VertexBounds| {
        let parallelism = Bounds { lower_bound: bounds.lower, upper_bound: bounds.upper };
        (format!("{:032x}", vertex.0), Requirements { parallelism })
    };
    let requirements: BTreeMap<String, Requirements> = call.cluster().requirements(call.job()?)?.into_iter().map(of).collect();
    ok(&requirements)
}

/// `PUT /jobs/:job/resource-requirements`
pub(crate) fn set_requirements(call: &Call) -> Handled {
    let job = call.job()?;
    let fields = call.fields()?;
    let requirements = fields.entries().map(|(vertex, value)| vertex_bounds(vertex, value)).collect::<Result<Vec<_>, _>>()?;
    call.cluster().set_requirements(job, &requirements)?;
    ok(&Empty {})
}

fn vertex_bounds(vertex: &str, value: &Value) -> Result<VertexBounds, Refusal> {
    let id = parse_hex(vertex).and_then(|id| u64::try_from(id).ok()).map(OperatorId);
    let id = id.ok_or_else(|| Refusal::bad_request(format!("`{vertex}` is no vertex: its id has 32 hexadecimal digits")))?;
    let bound = |name: &str| {
        let bound = value.get("parallelism").and_then(|parallelism| parallelism.get(name));
        let number = bound.and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
        number.ok_or_else(|| {
            Refusal::bad_request(format!("vertex {vertex} must have `parallelism` with the whole numbers `lowerBound` and `upperBound`"))
        })
    };
    let (lower, upper) = (bound("lowerBound")?, bound("upperBound")?);
    let number = |name: &str, number: i32| {
        let positive = u32::try_from(number).ok().filter(|number| *number > 0);
        positive.ok_or_else(|| Refusal::bad_request(format!("`{name}` of vertex {vertex} is {number}, and must be 1 or more")))
    };
    // Flink's -1 for "as many as there can be" is the maximum.
    let upper = if upper == -1 { u32::MAX } else { number("upperBound", upper)? };
    Ok((id, ParallelismBounds { lower: number("lowerBound", lower)?, upper }))
}

/// `PATCH /jobs/:job/rescaling`
pub(crate) fn rescale(call: &Call) -> Handled {
    let parallelism = match call.query_number("parallelism")? {
        Some(parallelism) => Some(parallelism),
        None => call.fields()?.number(&["parallelism"])?,
    };
    let parallelism = parallelism.ok_or_else(|| Refusal::bad_request("the parameter `parallelism` is missing"))?;
    operations::rescale(call, parallelism)
}
