//! The text format of Prometheus: families of samples, each family once, each sample once.

use flott_core::metrics::HistogramFigures;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The media type of the format.
pub(crate) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The labels of a sample.
pub(crate) type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone, Copy)]
enum Sample {
    Number(f64),
    Spread(HistogramFigures),
}

#[derive(Debug)]
struct Family {
    help: String,
    /// Whether its samples are spreads.
    summary: bool,
    /// By the text of their labels.
    samples: BTreeMap<String, Sample>,
}

/// Samples on their way to being text.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// Whether values of labels keep letters, digits, `_` and `:` alone, as Flink's do unless told otherwise.
    filter: bool,
    families: BTreeMap<String, Family>,
}

impl Exposition {
    /// Nothing yet.
    pub(crate) fn new(filter: bool) -> Self {
        Exposition { filter, families: BTreeMap::new() }
    }

    /// Adds a number. Like Flink, everything that is no spread is a gauge: its counters may go down.
    pub(crate) fn number(&mut self, scope: &str, name: &str, labels: &Labels, value: f64) {
        self.add(scope, name, labels, Sample::Number(value));
    }

    /// Adds a spread of values.
    pub(crate) fn spread(&mut self, scope: &str, name: &str, labels: &Labels, spread: HistogramFigures) {
        self.add(scope, name, labels, Sample::Spread(spread));
    }

    /// The first sample of a name and labels stays, and so does the kind that a name had first: another one would make the whole text
    /// unreadable.
    fn add(&mut self, scope: &str, name: &str, labels: &Labels, sample: Sample) {
        let full = format!("flink_{}_{}", plain(scope), plain(name));
        let labels = self.text_of(labels);
        let summary = matches!(sample, Sample::Spread(_));
        let family = self.families.entry(full).or_insert_with(|| Family {
            help: format!("{} (scope: {scope})", help(name)),
            summary,
            samples: BTreeMap::new(),
        });
        if family.summary == summary {
            family.samples.entry(labels).or_insert(sample);
        }
    }

    fn text_of(&self, labels: &Labels) -> String {
        let mut text = String::new();
        for (name, value) in labels {
            let value = if self.filter { plain(value) } else { escaped(value) };
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}=\"{value}\",");
        }
        text
    }

    /// The text.
    pub(crate) fn render(&self) -> String {
        // A summary has a series of its own for the count, whose name nothing else may have.
        let taken: BTreeSet<String> =
            self.families.iter().filter(|(_, family)| family.summary).map(|(name, _)| format!("{name}_count")).collect();
        let mut text = String::new();
        for (name, family) in self.families.iter().filter(|(name, _)| !taken.contains(*name)) {
            let kind = if family.summary { "summary" } else { "gauge" };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
            for (labels, sample) in &family.samples {
                match sample {
                    Sample::Number(value) => {
                        let _ = writeln!(text, "{name}{{{labels}}} {}", number(*value));
                    }
                    Sample::Spread(spread) => {
                        for (quantile, value) in spread.quantiles() {
                            let _ = writeln!(text, "{name}{{{labels}quantile=\"{quantile}\",}} {}", number(value));
                        }
                        let _ = writeln!(text, "{name}_count{{{labels}}} {}", spread.count);
                    }
                }
            }
        }
        text
    }
}

/// `text` with letters, digits, `_` and `:` alone.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == ':' { c } else { '_' }).collect()
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // Whole numbers with all their digits: "no watermark" is the smallest one there is.
        value if value.fract() == 0.0 && value.abs() <= I64 => (value as i64).to_string(),
        value => value.to_string(),
    }
}

/// What the numbers of 64 bits go up to.
const I64: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(value: &str) -> Labels {
        vec![("task_name", value.to_owned())]
    }

    #[test]
    fn values_of_labels_are_escaped_or_filtered() {
        let strange = "a\"b\\c\nd é";
        for (filter, expected) in [(false, "a\\\"b\\\\c\\nd é"), (true, "a_b_c_d__")] {
            let mut exposition = Exposition::new(filter);
            exposition.number("jobmanager", "a.b", &labels(strange), 1.5);
            let text = exposition.render();
            assert_eq!(text.lines().nth(2), Some(format!("flink_jobmanager_a_b{{task_name=\"{expected}\",}} 1.5").as_str()), "{text}");
        }
    }

    #[test]
    fn a_name_has_one_kind_and_a_sample_is_there_once() {
        let mut exposition = Exposition::new(true);
        let spread = HistogramFigures { count: 7, p50: 3.0, ..HistogramFigures::default() };
        exposition.spread("taskmanager_job", "latency", &labels("x"), spread);
        exposition.number("taskmanager_job", "latency", &labels("x"), 1.0);
        exposition.number("taskmanager_job", "latency_count", &labels("x"), 1.0);
        exposition.number("taskmanager", "up.time", &labels("x"), 1.0);
        exposition.number("taskmanager", "up_time", &labels("x"), 2.0);
        let text = exposition.render();
        assert_eq!(text.matches("# TYPE").count(), 2, "{text}");
        assert!(text.contains("flink_taskmanager_job_latency{task_name=\"x\",quantile=\"0.5\",} 3\n"), "{text}");
        assert!(text.contains("flink_taskmanager_job_latency_count{task_name=\"x\",} 7\n"), "{text}");
        assert_eq!(text.matches("flink_taskmanager_up_time{").count(), 1, "{text}");
    }

    #[test]
    fn numbers_that_are_none_have_their_own_words() {
        let words = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, i64::MIN as f64, 0.1].map(number);
        assert_eq!(words, ["NaN", "+Inf", "-Inf", "-9223372036854775808", "0.1"]);
    }
}
