//! How to run an executable, in all the spellings that clients have. What the body says wins over the query.

use crate::{
    http::{
        answer::Refusal,
        call::{Call, parse_job},
    },
    model::{ClaimMode, RunRequest},
};

/// Reads query and body.
pub(crate) fn run_request(call: &Call) -> Result<RunRequest, Refusal> {
    let fields = call.fields()?;
    let text = |names: &[&'static str]| -> Result<Option<String>, Refusal> {
        let in_query = || names.iter().find_map(|name| call.query(name)).map(str::to_owned);
        Ok(fields.text(names)?.or_else(in_query))
    };
    let parallelism = match fields.number(&["parallelism"])? {
        Some(number) => Some(number),
        None => call.query_number("parallelism")?,
    };
    if parallelism == Some(0) {
        return Err(Refusal::bad_request("the parallelism must be at least 1"));
    }
    let job = match (fields.text(&["jobId", "jobid"])?, call.query("jobid").or_else(|| call.query("jobId"))) {
        (Some(id), _) => {
            let wrong = || Refusal::bad_request(format!("the field `jobId` is `{id}`, and not 32 hexadecimal digits"));
            Some(parse_job(&id).ok_or_else(wrong)?)
        }
        (None, Some(id)) => Some(parse_job(id).ok_or_else(|| Refusal::parameter("query", "jobid", id))?),
        (None, None) => None,
    };
    let allow = match fields.boolean(&["allowNonRestoredState"])? {
        Some(allow) => allow,
        None => match call.query("allowNonRestoredState") {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(text) => return Err(Refusal::parameter("query", "allowNonRestoredState", text)),
        },
    };
    let arguments = match fields.texts(&["programArgsList"])? {
        Some(list) => list,
        None => match (fields.text(&["programArgs", "program-args"])?, call.query_list("programArg")) {
            (Some(line), _) => split_arguments(&line),
            (None, Some(list)) => list.into_iter().map(str::to_owned).collect(),
            (None, None) => call.query("program-args").or_else(|| call.query("programArgs")).map(split_arguments).unwrap_or_default(),
        },
    };
    Ok(RunRequest {
        program: text(&["entryClass", "entry-class"])?,
        arguments,
        parallelism,
        job,
        savepoint: text(&["savepointPath"])?,
        allow_non_restored_state: allow,
        claim_mode: text(&["claimMode", "restoreMode"])?.map(|mode| claim_mode(&mode)).transpose()?,
        configuration: fields.map(&["flinkConfiguration"])?,
    })
}

fn claim_mode(text: &str) -> Result<ClaimMode, Refusal> {
    match text.to_ascii_uppercase().as_str() {
        "CLAIM" => Ok(ClaimMode::Claim),
        "NO_CLAIM" => Ok(ClaimMode::NoClaim),
        _ => Err(Refusal::bad_request(format!("the claim mode must be `CLAIM` or `NO_CLAIM`, and is `{text}`"))),
    }
}

/// Divides a line at white space outside of quotes, and takes the quotes away.
fn split_arguments(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => current.get_or_insert_default().push(c),
            None if c.is_whitespace() => arguments.extend(current.take()),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            None => current.get_or_insert_default().push(c),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::split_arguments;

    #[test]
    fn arguments_are_divided_outside_of_quotes() {
        assert_eq!(
            split_arguments(" --input a.txt  --name 'two words' \"\" x\"y z\" "),
            ["--input", "a.txt", "--name", "two words", "", "xy z"]
        );
        assert!(split_arguments("  ").is_empty());
    }
}
