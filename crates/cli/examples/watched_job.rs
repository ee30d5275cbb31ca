//! What the tests of the dashboard watch: a wide graph with a sink that is slow, or that breaks.
//!
//!     watched_job slow     # the sink takes its time, so that everything before it waits
//!     watched_job panic    # the sink panics at its 500th record, each time that it is started
//!     watched_job even     # nothing waits
//!     watched_job wide     # 100 vertices
//!     watched_job shop     # what the pictures of the guide show: records of some size, and a sink that is a bit too slow
//!     watched_job closed   # the same, with a sink that panics after a while

use flott::{connector::datagen::GeneratorSource, prelude::*};
use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The work of a slow sink on a record.
const SLOW: Duration = Duration::from_millis(5);

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Vertices of the wide graph: `ROWS` rows of sources with `ROW - 1` others behind each, and a sink for all of them.
const ROWS: usize = 9;
const ROW: usize = 11;

fn wide() -> Result<(), Box<dyn Error>> {
    let env = StreamExecutionEnvironment::get()?;
    let rows = (0..ROWS).map(|row| {
        let source = GeneratorSource::new(u64::MAX, |index, _| index).records_per_second(100.0);
        let time = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|_: &u64, _| now_ms());
        let start = env.from_source(source, time, &format!("orders {row}"));
        (1..ROW).fold(start, |stream, step| {
            let name = format!("step {step} of {row}");
            stream.rebalance().map(|number| number + 1).name(&name)
        })
    });
    let all = rows.reduce(|one, other| one.union(&other)).ok_or("there are rows")?;
    all.rebalance().map(|number| number).name("delivery").discard();
    env.execute("wide-job")?;
    Ok(())
}

/// The work of the shop's sink on an order.
const DELIVERY: Duration = Duration::from_millis(2);

/// What is not delivered any more where the shop closes.
const LAST: &str = "order 4001:";

fn shop(closes: bool) -> Result<(), Box<dyn Error>> {
    type Entry = (u64, String);
    let env = StreamExecutionEnvironment::get()?;
    let time = || WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|_: &Entry, _| now_ms());
    let orders = GeneratorSource::new(u64::MAX, |index, _| {
        (index * 7919 % 5000, format!("order {index}: {}", "a thing that someone wants; ".repeat(6)))
    });
    let addresses = GeneratorSource::new(u64::MAX, |index, _| {
        (index * 104_729 % 5000, format!("customer {index}: {}", "a street with a number; ".repeat(4)))
    });
    let orders = env.from_source(orders.records_per_second(2400.0), time(), "orders").uid("orders");
    let addresses = env.from_source(addresses.records_per_second(200.0), time(), "addresses").uid("addresses");
    let paid = orders.filter(|(customer, _)| customer % 12 != 0).name("paid").uid("paid");
    let both = paid.rebalance().union(&addresses.rebalance()).map(|(customer, text)| (customer, text.replace("someone", "a customer")));
    let latest =
        both.name("normalize").uid("normalize").key_by(|entry| entry.0).reduce(|_, other| other).name("latest by customer").uid("latest");
    latest
        .rebalance()
        .map(move |entry| {
            std::thread::sleep(DELIVERY);
            assert!(!closes || !entry.1.starts_with(LAST), "the shop has closed: the order of customer {} cannot be delivered", entry.0);
            entry
        })
        .name("delivery")
        .uid("delivery")
        .discard();
    env.execute("shop")?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = flott::program_arguments()?;
    let mode = arguments.get(1).map_or("even", String::as_str).to_owned();
    if mode == "wide" {
        return wide();
    }
    if mode == "shop" || mode == "closed" {
        return shop(mode == "closed");
    }
    if !["slow", "panic", "even"].contains(&mode.as_str()) {
        return Err(format!("`{mode}` is none of `slow`, `panic`, `even`, `wide`, `shop`, `closed`").into());
    }
    let env = StreamExecutionEnvironment::get()?;
    let source = |rate| GeneratorSource::new(u64::MAX, |index, _| index).records_per_second(rate);
    // Event time is the time of day, so that there is a lag to see.
    let time = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|_: &u64, _| now_ms());
    let orders = env.from_source(source(2000.0), time, "orders").uid("orders");
    let visits = env.from_source(source(500.0), WatermarkStrategy::no_watermarks(), "visits").uid("visits");
    let priced = orders.map(|number| number * 3).name("prices").uid("prices");
    let all = priced.rebalance().union(&visits.rebalance()).filter(|number| number % 10 != 0).name("without returns").uid("returns");
    let totals = all.key_by(|number| number % 20).reduce(|one, other| one.max(other)).name("totals").uid("totals");
    totals
        .rebalance()
        .map(move |number| {
            // A worker keeps `main`'s arguments, not its threads: what the sink does is told by them alone.
            match mode.as_str() {
                "slow" => std::thread::sleep(SLOW),
                "panic" => assert!(number < 500, "order {number} cannot be delivered"),
                _ => {}
            }
            number
        })
        .name("delivery")
        .uid("delivery")
        .discard();
    env.execute("watched-job")?;
    Ok(())
}
