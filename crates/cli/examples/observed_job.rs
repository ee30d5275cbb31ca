//! What the tests of metrics, logs and flame graphs run: a function that says what it does in every way that there is.

use flott::{
    AccumulatorValue, DiscardSink,
    connector::datagen::GeneratorSource,
    metrics::{Counter, Histogram, Meter},
    prelude::*,
};
use std::{error::Error, hint::black_box, time::Instant};

/// How long it works on each number.
const WORK: Duration = Duration::from_micros(500);

struct Observed {
    /// How long it waits for each number.
    wait: Option<Duration>,
    seen: Counter,
    calls: Meter,
    sizes: Histogram,
}

impl ProcessFunction for Observed {
    type In = u64;
    type Out = u64;

    fn process(&mut self, number: u64, context: &mut ProcessContext<'_, u64>) -> Result<(), BoxError> {
        self.seen.add(1);
        self.calls.mark(1);
        self.sizes.update((number % 100) as i64);
        context.accumulate("numbers", AccumulatorValue::Long(1))?;
        println!("printed {number}");
        eprintln!("logged {number}");
        self.wait.inspect(|time| wait_for_the_world(*time));
        context.emit(burn_the_processor(number));
        Ok(())
    }
}

/// Something for a flame graph to show.
#[inline(never)]
fn burn_the_processor(number: u64) -> u64 {
    let start = Instant::now();
    let mut hash = number;
    while start.elapsed() < WORK {
        (0..1000).for_each(|step| hash = black_box(hash.rotate_left(5) ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    hash
}

/// Something for a thread dump to find.
#[inline(never)]
fn wait_for_the_world(time: Duration) {
    std::thread::sleep(black_box(time));
}

fn main() -> Result<(), Box<dyn Error>> {
    let wait = std::env::args().nth(1).map(|ms| ms.parse().map(Duration::from_millis)).transpose()?;
    let env = StreamExecutionEnvironment::get()?;
    let source = GeneratorSource::new(u64::MAX, |index, _| index).records_per_second(500.0);
    let numbers = env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers").uid("numbers");
    let observed = numbers.rebalance().process(move |context| {
        let metrics = context.metrics();
        Ok(Observed { wait, seen: metrics.counter("seen"), calls: metrics.meter("calls"), sizes: metrics.histogram("sizes") })
    });
    observed.uid("observed").sink_to(DiscardSink).uid("nothing");
    env.execute("observed")?;
    Ok(())
}
