//! What a misspelt key was meant to be.

/// The candidate that is most like `word`; `None` if none is like it.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let word = given.to_lowercase();
    // `checkpointing.interval` for `execution.checkpointing.interval`.
    let tail = format!(".{word}");
    if let Some(candidate) = candidates.clone().find(|candidate| candidate.to_lowercase().ends_with(&tail)) {
        return Some(candidate);
    }
    let most = (word.chars().count() / 4).max(2);
    let misspelt = candidates
        .clone()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance);
    misspelt.map(|(_, candidate)| candidate).or_else(|| of_the_same_words(given, candidates))
}

/// The candidate that has most words in common with `given`, such as a name that the option once had: `state.checkpoints.dir` for
/// `execution.checkpointing.dir`. At least two words, and half of them; the last, which says most, counts more.
fn of_the_same_words<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let words = words_of(given);
    let (last, count) = (words.last()?, words.len());
    let scored = candidates.filter_map(|candidate| {
        let others = words_of(candidate);
        let common = words.iter().filter(|word| others.iter().any(|other| alike(word, other))).count();
        let ends_alike = others.last().is_some_and(|other| alike(last, other));
        (common >= 2 && common * 2 >= count).then_some((2 * common + usize::from(ends_alike), candidate, others.len()))
    });
    // Of several, the shortest, which has least that was not asked for.
    scored.min_by_key(|(score, _, length)| (usize::MAX - score, *length)).map(|(_, candidate, _)| candidate)
}

/// The words of a key, in small letters: divided by signs and by capitals.
fn words_of(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in key.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if begins {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.iter_mut().last().expect("there is always one").extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether two words are one, or begin alike: `checkpoints` and `checkpointing`.
fn alike(a: &str, b: &str) -> bool {
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    a == b || common >= 5 && common * 3 >= a.chars().count().max(b.chars().count()) * 2
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

    #[test]
    fn a_key_that_an_option_once_had_leads_to_the_present_one() {
        let keys = super::super::options::all().map(|option| option.key);
        for (old, present) in [
            ("state.checkpoints.dir", "execution.checkpointing.dir"),
            ("state.savepoints.dir", "execution.checkpointing.savepoint-dir"),
            ("taskmanager.slots", "taskmanager.numberOfTaskSlots"),
            ("rest.bind-port", "rest.port"),
            ("execution.savepoint.path", "execution.state-recovery.path"),
        ] {
            assert_eq!(nearest(old, keys.clone()), Some(present), "{old}");
        }
        for stranger in ["akka.ask.timeout", "blob.server.port", "color", "env.java.opts.all"] {
            assert_eq!(nearest(stranger, keys.clone()), None, "{stranger}");
        }
    }
}
