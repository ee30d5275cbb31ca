//! Numbers as people read them, and columns.

/// What stands for an unknown value.
pub(crate) const NONE: &str = "-";

fn short(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn scaled(value: f64, base: f64, units: &[&str]) -> String {
    let mut size = value;
    let mut unit = 0;
    while size.abs() >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    let unit = units.get(unit).copied().unwrap_or_default();
    format!("{}{}{unit}", short(size), if unit.is_empty() { "" } else { " " })
}

/// Records a second.
pub(crate) fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| format!("{}/s", scaled(value, 1000.0, &["", "k", "M", "G"])))
}

/// Bytes.
pub(crate) fn bytes(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]))
}

/// A share between 0 and 1.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| NONE.to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// A time span, ms; a negative one is unknown.
pub(crate) fn duration(ms: Option<f64>) -> String {
    let Some(ms) = ms.filter(|ms| *ms >= 0.0) else { return NONE.to_owned() };
    let whole = ms as u64;
    let two = |large: u64, small: u64, units: [&str; 2]| match small {
        0 => format!("{large} {}", units[0]),
        _ => format!("{large} {} {small} {}", units[0], units[1]),
    };
    match whole {
        0..1000 => format!("{whole} ms"),
        1000..60_000 => format!("{} s", whole / 1000),
        60_000..3_600_000 => two(whole / 60_000, whole / 1000 % 60, ["min", "s"]),
        3_600_000..86_400_000 => two(whole / 3_600_000, whole / 60_000 % 60, ["h", "min"]),
        _ => two(whole / 86_400_000, whole / 3_600_000 % 24, ["d", "h"]),
    }
}

/// Lines with columns of equal width; the first column and those in `left` begin at the same place, others end there.
pub(crate) fn columns(rows: &[Vec<String>], left: &[usize]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths.get(column).copied().unwrap_or(0).saturating_sub(cell.chars().count()));
            let (before, after) = if column == 0 || left.contains(&column) { (String::new(), pad) } else { (pad, String::new()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!([0.0, 12.0, 2702.4, 1.5e7].map(|value| rate(Some(value))), ["0/s", "12/s", "2.7 k/s", "15 M/s"]);
        assert_eq!([15_155.0, 12.0].map(|value| bytes(Some(value))), ["14.8 KiB", "12 B"]);
        assert_eq!((percent(Some(0.435)), percent(None), rate(None)), ("44 %".to_owned(), NONE.to_owned(), NONE.to_owned()));
        assert_eq!(
            [850.0, 59_000.0, 60_000.0, 200_000.0, 7_500_000.0, 187_200_000.0, -1.0].map(|ms| duration(Some(ms))),
            ["850 ms", "59 s", "1 min", "3 min 20 s", "2 h 5 min", "2 d 4 h", "-"]
        );
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["name", "n", "x"], ["a", "10", "yes"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows, &[2]), "name   n  x\na     10  yes\n");
    }
}
