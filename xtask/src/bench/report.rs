//! The table of a benchmark.

use super::measure::Usage;
use super::side::SideName;

/// A benchmark's result.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) words: u64,
    pub(super) bytes: u64,
    pub(super) rows: Vec<Row>,
}

/// One side at one parallelism.
#[derive(Debug)]
pub(super) struct Row {
    side: SideName,
    parallelism: u32,
    /// Side and parallelism as they are shown.
    pub(super) name: String,
    /// Runs by round.
    pub(super) runs: Vec<(u32, Usage)>,
}

impl Row {
    /// A row without runs.
    pub(super) fn new(side: SideName, parallelism: u32) -> Row {
        Row { side, parallelism, name: format!("{side}, parallelism {parallelism}"), runs: Vec::new() }
    }

    fn median(&self, figure: impl Fn(&Usage) -> f64) -> f64 {
        median(self.runs.iter().map(|(_, usage)| figure(usage)).collect())
    }
}

const HEADER: [&str; 8] = ["side", "runs", "M words per CPU-s", "CPU-s", "(min–max)", "wall s", "peak MB", "times Flink"];

impl Report {
    /// The table for a terminal.
    pub(super) fn table(&self) -> String {
        let mut table = vec![HEADER.map(str::to_owned).to_vec()];
        table.extend(self.cells());
        let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
        let mut text = String::new();
        for cells in &table {
            for (column, cell) in cells.iter().enumerate() {
                let padding = " ".repeat(widths[column] - cell.chars().count());
                // Names to the left, figures to the right.
                text += &if column == 0 { format!("{cell}{padding}") } else { format!("  {padding}{cell}") };
            }
            text += "\n";
        }
        text
    }

    /// The same as markdown, with what it says.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!(
            "# Word count\n\n{} words in {} bytes; sides run alternately. CPU-s: user and system time of all processes, medians over the runs. \
             Times Flink: words per CPU-second against Flink's run of the same round and parallelism, the median of these ratios.\n\n",
            self.words, self.bytes
        );
        text += &format!("| {} |\n| --- |{}\n", HEADER.join(" | "), " ---: |".repeat(HEADER.len() - 1));
        for cells in self.cells() {
            text += &format!("| {} |\n", cells.join(" | "));
        }
        text
    }

    fn cells(&self) -> Vec<Vec<String>> {
        let words = self.words as f64;
        let ran = self.rows.iter().filter(|row| !row.runs.is_empty());
        let cells = ran.map(|row| {
            let cpu: Vec<f64> = row.runs.iter().map(|(_, usage)| usage.cpu_s).collect();
            let (least, most) = cpu.iter().fold((f64::MAX, 0.0_f64), |(least, most), &s| (least.min(s), most.max(s)));
            vec![
                row.name.clone(),
                row.runs.len().to_string(),
                format!("{:.2}", row.median(|usage| words / 1e6 / usage.cpu_s)),
                format!("{:.2}", median(cpu)),
                format!("({least:.2}–{most:.2})"),
                format!("{:.2}", row.median(|usage| usage.wall_s)),
                format!("{:.0}", row.median(|usage| usage.peak_bytes as f64 / 1e6)),
                self.times_flink(row).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            ]
        });
        cells.collect()
    }

    /// Median of the ratios to Flink's run of the same round; at the same parallelism if there is one. Two TaskManagers are compared with
    /// two.
    fn times_flink(&self, row: &Row) -> Option<f64> {
        let on_two = matches!(row.side, SideName::FlottCluster | SideName::FlinkCluster);
        let flink = if on_two { SideName::FlinkCluster } else { SideName::Flink };
        let mut flink = self.rows.iter().filter(|row| row.side == flink);
        let flink = flink.clone().find(|flink| flink.parallelism == row.parallelism).or_else(|| flink.next())?;
        let pairs = row.runs.iter().filter_map(|(round, usage)| {
            let (_, flink) = flink.runs.iter().find(|(flink_round, _)| flink_round == round)?;
            Some(flink.cpu_s / usage.cpu_s)
        });
        let ratios: Vec<f64> = pairs.collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

/// One run in a line.
pub(super) fn usage(usage: &Usage, words: u64) -> String {
    let per_second = words as f64 / 1e6 / usage.cpu_s;
    let peak = usage.peak_bytes as f64 / 1e6;
    let note = if usage.note.is_empty() { String::new() } else { format!("  ({})", usage.note) };
    format!("{per_second:6.2} M words per CPU-s  {:6.2} CPU-s  {:6.2} s wall  {peak:5.0} MB peak{note}", usage.cpu_s, usage.wall_s)
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Summary;
    use super::*;

    fn row(side: SideName, parallelism: u32, cpu_s: &[(u32, f64)]) -> Row {
        let mut row = Row::new(side, parallelism);
        row.runs = cpu_s.iter().map(|&(round, cpu_s)| (round, usage(cpu_s))).collect();
        row
    }

    fn usage(cpu_s: f64) -> Usage {
        let summary = Summary { words: 1_000_000, job_ms: None };
        Usage { cpu_s, wall_s: cpu_s, peak_bytes: 5_000_000, summary, stdout: String::new(), note: String::new() }
    }

    fn report() -> Report {
        let rows = vec![
            row(SideName::Flink, 1, &[(1, 8.0), (2, 10.0), (3, 30.0)]),
            row(SideName::Flink, 2, &[(1, 20.0)]),
            row(SideName::Timely, 1, &[(1, 1.0), (3, 2.0)]),
            row(SideName::Timely, 2, &[(1, 4.0)]),
            row(SideName::Timely, 8, &[(2, 5.0)]),
            row(SideName::Loop, 1, &[]),
        ];
        Report { words: 1_000_000, bytes: 6_000_000, rows }
    }

    #[test]
    fn ratios_are_of_pairs_in_one_round_at_one_parallelism() {
        let report = report();
        let ratios: Vec<Option<f64>> = report.rows.iter().map(|row| report.times_flink(row)).collect();
        assert_eq!(ratios, [Some(1.0), Some(1.0), Some(11.5), Some(5.0), Some(2.0), None]);
    }

    #[test]
    fn the_markdown_has_a_row_for_each_side_that_ran() {
        let markdown = report().markdown();
        assert!(markdown.contains("| flink, parallelism 1 | 3 | 0.10 | 10.00 | (8.00–30.00) | 10.00 | 5 | 1.00 |"), "{markdown}");
        assert!(!markdown.contains("loop"));
        assert_eq!(report().table().lines().count(), 6);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }
}
