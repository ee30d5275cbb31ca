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

fn main() -> Result<(), Box<dyn Error>> {
    let env = StreamExecutionEnvironment::get()?;
    let source = GeneratorSource::new(u64::MAX, |index, _| index).records_per_second(500.0);
    let numbers = env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers").uid("numbers");
    let observed = numbers.rebalance().process(|context| {
        let metrics = context.metrics();
        Ok(Observed { seen: metrics.counter("seen"), calls: metrics.meter("calls"), sizes: metrics.histogram("sizes") })
    });
    observed.uid("observed").sink_to(DiscardSink).uid("nothing");
    env.execute("observed")?;
    Ok(())
}
