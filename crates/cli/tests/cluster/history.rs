//! What a JobManager knows of what was before it was started again: jobs that have ended, executables that were uploaded.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, job_program, kill},
};
use serde_json::{Value, json};

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

#[test]
fn uploaded_executables_outlive_the_job_manager_where_there_is_a_folder_for_them() {
    uploads_outlive(&["-Dweb.upload.dir=uploads"], "uploads");
}

#[test]
fn uploaded_executables_are_listed_by_the_next_leader() {
    let shared = ["-Dhigh-availability.type=file", "-Dhigh-availability.storageDir=shared", "-Dhigh-availability.lease-duration=600 ms"];
    uploads_outlive(&shared, "shared/uploads");
}

fn uploads_outlive(options: &[&str], folder: &str) {
    let leads = |cluster: &Cluster| eventually("it leads", || cluster.ask(&["list"]).status.success());
    let mut cluster = Cluster::start_with(options);
    leads(&cluster);
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"my job\"\r\n\r\n".to_vec();
    body.extend(std::fs::read(job_program()).unwrap());
    body.extend(b"\r\n--cut--\r\n");
    // The second time it takes the place of the first.
    for _ in 0..2 {
        let (status, uploaded) = cluster.call("POST", "/jars/upload", ("multipart/form-data; boundary=cut", &body));
        assert_eq!(status, 200, "{uploaded}");
    }
    let files = |cluster: &Cluster| cluster.get("/jars")["files"].as_array().unwrap().clone();
    let before = files(&cluster);
    assert_eq!((before.len(), &before[0]["name"]), (1, &json!("my job")), "{before:?}");
    // Nobody has asked for it in a week.
    for folder in std::fs::read_dir(cluster.folder.path()).unwrap().flatten().map(|entry| entry.path().join("executables")) {
        std::fs::read_dir(folder).into_iter().flatten().flatten().for_each(|file| std::fs::remove_file(file.path()).unwrap());
    }
    cluster.restart_job_manager(options);
    leads(&cluster);
    assert_eq!(files(&cluster), before);
    let id = before[0]["id"].as_str().unwrap();
    let request = json!({"programArgsList": ["plain", cluster.path("counts"), "10", "1e6"]}).to_string();
    let (status, plan) = cluster.call("POST", &format!("/jars/{id}/plan"), ("application/json", request.as_bytes()));
    assert_eq!(status, 200, "{plan}");
    assert_eq!(cluster.call("DELETE", &format!("/jars/{id}"), ("text/plain", b"")).0, 200);
    assert!(files(&cluster).is_empty());
    assert_eq!(std::fs::read_dir(cluster.path(folder)).unwrap().count(), 0);
}

#[test]
fn a_job_that_ran_when_its_job_manager_ended_is_listed_as_failed_with_the_checkpoint_to_start_from() {
    let mut cluster = Cluster::start_with(&ARCHIVE);
    cluster.add_task_manager("tm0", 1);
    assert!(cluster.run(&["-d"], "plain", RECORDS, 100.0).status().unwrap().success());
    let job = cluster.job();
    eventually("a checkpoint is complete", || cluster.get(&format!("/jobs/{job}/checkpoints"))["counts"]["completed"] != 0);
    // Another JobManager with the same folder leaves it alone.
    let folder = cluster.path("history");
    let other = Cluster::start_with(&[&format!("-Djobmanager.archive.fs.dir={}", folder.display())]);
    assert_eq!(other.get("/jobs")["jobs"], json!([]));
    assert_eq!(cluster.get(&format!("/jobs/{job}"))["state"], "RUNNING");
    for _ in 0..2 {
        cluster.restart_job_manager(&ARCHIVE);
        assert_eq!(cluster.get("/jobs")["jobs"], json!([{"id": job, "status": "FAILED"}]));
        let failures = cluster.get(&format!("/jobs/{job}/exceptions"));
        let text = failures["exceptionHistory"]["entries"][0]["stacktrace"].as_str().unwrap().to_owned();
        let path = text.strip_prefix("the JobManager ended while the job ran").and_then(|text| text.split('`').nth(1));
        let path = path.unwrap_or_else(|| panic!("{text}")).trim_start_matches("file://").to_owned();
        assert!(std::path::Path::new(&path).join("_metadata").exists(), "{text}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}
