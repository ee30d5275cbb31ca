//! What a misspelt key was meant to be.

/// The candidate that is most like `word`; `None` if none is like it.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let word = word.to_lowercase();
    // `checkpointing.interval` for `execution.checkpointing.interval`.
    let tail = format!(".{word}");
    if let Some(candidate) = candidates.clone().find(|candidate| candidate.to_lowercase().ends_with(&tail)) {
        return Some(candidate);
    }
    let most = (word.chars().count() / 4).max(2);
    candidates
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, expected) in [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ß", "s", 1)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_key_is_suggested_and_a_far_one_is_not() {
        let keys = ["parallelism.default", "execution.checkpointing.interval", "pipeline.name"];
        let nearest = |word| nearest(word, keys.into_iter());
        assert_eq!(nearest("paralelism.default"), Some("parallelism.default"));
        assert_eq!(nearest("Parallelism_Default"), Some("parallelism.default"));
        assert_eq!(nearest("checkpointing.interval"), Some("execution.checkpointing.interval"));
        assert_eq!(nearest("pipeline.nmae"), Some("pipeline.name"));
        assert_eq!(nearest("jobmanager.rpc.address"), None);
    }
}
