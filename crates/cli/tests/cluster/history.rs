//! What a JobManager knows of what was before it was started again: jobs that have ended, executables that were uploaded.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, kill},
};
use serde_json::Value;

const ARCHIVE: [&str; 1] = ["-Djobmanager.archive.fs.dir=history"];

#[test]
fn figures_of_a_job_that_has_ended_and_of_earlier_attempts_outlive_the_job_manager() {
    let mut cluster = Cluster::start_with(&ARCHIVE);
    cluster.add_task_manager("tm0", 2);
    let mut program = cluster.run(&["-p", "2"], "plain", RECORDS, 2000.0).spawn().unwrap();
    let job = {
        eventually("counts are visible", || cluster.lines().len() > 500);
        cluster.job()
    };
    let vertex = cluster.get(&format!("/jobs/{job}"))["vertices"][1]["id"].as_str().unwrap().to_owned();
    let read = |cluster: &Cluster| cluster.get(&format!("/jobs/{job}/vertices/{vertex}/subtasks/0"))["metrics"]["read-records"].clone();
    eventually("records are counted", || read(&cluster).as_u64().is_some_and(|read| read > 0));
    kill(cluster.workers()[0]);
    assert!(program.wait().unwrap().success());
    let all = |cluster: &Cluster| {
        let mut described = cluster.get(&format!("/jobs/{job}"));
        described.as_object_mut().unwrap().remove("now");
        let paths = ["accumulators".to_owned(), format!("vertices/{vertex}/subtasks/0/attempts/0")];
        let others = paths.map(|path| {
            let mut answer = cluster.get(&format!("/jobs/{job}/{path}"));
            answer.as_object_mut().unwrap().remove("now");
            // The TaskManagers that tell the names of their machines are not there any more.
            answer.as_object_mut().unwrap().retain(|name, _| !["endpoint", "host"].contains(&name.as_str()));
            answer
        });
        (described, others)
    };
    let before = all(&cluster);
    let records = |described: &Value, name: &str| described["metrics"][name].as_u64().unwrap();
    assert!(records(&before.0["vertices"][1], "read-records") > 0 && records(&before.0["vertices"][1], "read-bytes") > 0, "{}", before.0);
    let first = &before.1[1];
    assert_eq!((first["status"].as_str(), first["attempt"].as_u64()), (Some("FAILED"), Some(0)), "{first}");
    assert!(records(first, "read-records") > 0, "{first}");
    cluster.restart_job_manager(&ARCHIVE);
    assert_eq!(all(&cluster), before);
}
