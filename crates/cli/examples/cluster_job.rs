//! What the tests of the cluster run: counts numbers by key and writes each running count to files, or takes it back into
//! the program and prints it, exactly once.

use flott::{
    connector::{datagen::GeneratorSource, file::FileSink},
    prelude::*,
};
use std::{error::Error, path::PathBuf};

const KEYS: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = flott::program_arguments()?;
    let mut arguments = arguments.iter().skip(1).map(String::as_str);
    let mut text = || arguments.next().ok_or("too few arguments");
    let (mode, output, records, rate) = (text()?.to_owned(), PathBuf::from(text()?), text()?.parse()?, text()?.parse()?);
    let in_worker = std::env::var("_FLOTT_PART").is_ok_and(|part| part.contains("Worker"));
    if mode == "crash-in-worker" && in_worker {
        return Err("this program works only where it was submitted".into());
    }
    if mode == "logs" {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    }
    let env = StreamExecutionEnvironment::get()?;
    if mode == "nothing" {
        return Ok(());
    }
    let source = GeneratorSource::new(records, |index, _| index).records_per_second(rate);
    let numbers = env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers").uid("numbers");
    let numbers = if mode == "other-graph-in-worker" && in_worker { numbers.filter(|_| true) } else { numbers };
    // While it sleeps, it does not hear that it is cancelled.
    let sleeps = (mode == "sleep").then(|| std::path::absolute(output.with_extension("sleeps"))).transpose()?;
    let fails_at = if mode == "fail" { records / 2 } else { u64::MAX };
    let counts = numbers
        .map(move |number| {
            assert!(number != fails_at, "told to fail");
            if let Some(sleeps) = sleeps.as_ref().filter(|_| number == 20) {
                std::fs::write(sleeps, "").expect("the test has made the folder");
                std::thread::sleep(std::time::Duration::from_secs(6));
            }
            (number % KEYS, 1u64)
        })
        .key_by(|(key, _)| *key)
        .sum(|(_, count)| count)
        .uid("counts");
    if let Some(most) = mode.strip_prefix("collect") {
        if most == "-beside-an-endless-branch" {
            let endless = GeneratorSource::new(u64::MAX, |index, _| index).records_per_second(100.0);
            env.from_source(endless, WatermarkStrategy::no_watermarks(), "endless").uid("endless").discard();
        }
        // `collect`, or `collect-10` for the first ten.
        let most = most.trim_start_matches('-').parse().unwrap_or(usize::MAX);
        for count in counts.execute_and_collect("cluster-job")?.take(most) {
            println!("{:?}", count?);
        }
        return Ok(());
    }
    if mode == "print" {
        counts
            .map(|count| {
                println!("from a function: {count:?}");
                count
            })
            .print();
        env.execute("cluster-job")?;
        return Ok(());
    }
    counts.sink_to(FileSink::text(&output).roll_on_checkpoint(true)).uid("files");
    let result = env.execute("cluster-job")?;
    println!("the job is at its end after {} restarts", result.restarts);
    Ok(())
}
