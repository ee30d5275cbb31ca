//! The job: events, a state machine for each key, lines to files.

use super::{Arguments, basket::Follow};
use flott::{
    Progress,
    connector::{datagen::GeneratorSource, file::FileSink},
    prelude::*,
    snapshots,
};
use std::{error::Error, io::Write, time::Instant};

/// Runs the job up to its end, if it has one.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let env = StreamExecutionEnvironment::get()?;
    configure(&env, arguments)?;
    build(&env, arguments)?;
    let start = Instant::now();
    let client = env.execute_async("state-machine")?;
    let progress = Progress::show(&client);
    let result = client.wait();
    drop(progress);
    let result = result?;
    let (mut events, mut lines) = (0, 0);
    for (name, figures) in client.figures()?.iter().flat_map(|task| &task.operators) {
        if name == "state-machine" {
            events += figures["numRecordsIn"];
            lines += figures["numRecordsOut"];
        }
    }
    eprintln!(
        "{events} events handled, {lines} lines in {:.3} s; {} checkpoints, {} restarts",
        start.elapsed().as_secs_f64(),
        result.checkpoints.completed,
        result.restarts
    );
    Ok(())
}

fn configure(env: &StreamExecutionEnvironment, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(parallelism) = arguments.parallelism {
        env.set_parallelism(parallelism);
    }
    // Files need checkpoints to become visible. Printed lines do not, and a job without them ends with the reader of a pipe.
    let configured = env.option(&options::CHECKPOINTING_INTERVAL)?.is_some();
    let interval = arguments.checkpoint_interval.or((arguments.output.is_some() && !configured).then_some(1_000));
    if let Some(interval) = interval {
        env.enable_checkpointing(Duration::from_millis(interval));
    }
    if let Some(dir) = &arguments.checkpoint_dir {
        env.set(&options::CHECKPOINTING_DIR, Some(dir.clone()));
        if let (None, Some(latest)) = (&arguments.from_savepoint, snapshots::latest_checkpoint(dir)?) {
            eprintln!("starting afresh, although there is a checkpoint: {latest} (`--from-savepoint latest` goes on from it)");
        }
    }
    if let Some(path) = &arguments.from_savepoint {
        env.set(&options::STATE_RECOVERY_PATH, Some(path.clone()));
    }
    Ok(())
}

fn build(env: &StreamExecutionEnvironment, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (traffic, report_every) = (arguments.traffic(), arguments.report_every);
    let readers = readers(env.option(&options::PARALLELISM_DEFAULT)?, arguments.keys);
    let event = move |index, _: &mut _| traffic.event(index);
    let source = match arguments.events {
        Some(events) => GeneratorSource::new(events, event),
        None => GeneratorSource::unbounded(event),
    };
    let lines = env
        .from_source(source.records_per_second(arguments.rate), WatermarkStrategy::no_watermarks(), "generator")
        .parallelism(readers)
        .uid("generator")
        .key_by(|event| event.key)
        .process(move |context| Follow::open(context, report_every))
        .name("state-machine")
        .uid("state-machine");
    match &arguments.output {
        // Files are closed with every checkpoint, so that the lines of a key always become visible in their order, also if
        // the key has gone to another subtask meanwhile.
        Some(output) => lines.sink_to(FileSink::for_row_format(output, |line, text| Ok(write!(text, "{line}")?)).roll_on_checkpoint(true)),
        None => lines.map(|line| line.to_string()).print(),
    }
    .name("write")
    .uid("write");
    Ok(())
}

/// The largest parallelism of the source that divides the number of keys: then all events of a key come from one reader, in order.
fn readers(parallelism: u32, keys: u64) -> u32 {
    (1..=parallelism).rev().find(|readers| keys.is_multiple_of(u64::from(*readers))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_divide_the_keys() {
        assert_eq!([(1, 7), (2, 1000), (3, 1000), (6, 9), (4, 2), (0, 5)].map(|(most, keys)| readers(most, keys)), [1, 2, 2, 3, 2, 1]);
    }
}
