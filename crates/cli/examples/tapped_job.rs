//! What the tests of taps run: payments, whose cards nobody is to see.

use flott::{DiscardSink, connector::datagen::GeneratorSource, prelude::*};
use serde::{Deserialize, Serialize};
use std::error::Error;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payment {
    customer: u64,
    card: String,
    cents: u64,
}

fn payment(index: u64) -> Payment {
    Payment { customer: index % 7, card: format!("4111-{:012}", index % 1000), cents: index }
}

fn main() -> Result<(), Box<dyn Error>> {
    let env = StreamExecutionEnvironment::get()?;
    let source = GeneratorSource::new(u64::MAX, |index, _| payment(index)).records_per_second(200.0);
    let payments = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "payments")
        .uid("payments")
        .mask_tap(|payment| payment.card = "masked".to_owned());
    // Behind a filter a payment is a payment still.
    let odd = payments.filter(|payment| payment.cents % 2 == 1).name("odd");
    let totals = odd.key_by(|payment| payment.customer).sum(|payment| &mut payment.cents).uid("totals");
    // What is computed from payments is hidden,
    let cards = totals.map(|payment| payment.card).name("cards");
    // until the program says that it may be shown.
    let lengths = cards.map(|card| card.len()).name("lengths").show_in_tap();
    lengths.rebalance().sink_to(DiscardSink).name("nothing").uid("nothing");
    env.execute("payments")?;
    Ok(())
}
