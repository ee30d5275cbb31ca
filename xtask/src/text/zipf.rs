//! Ranks with a Zipf distribution, in constant time each.

use super::prng::Prng;

/// Draws rank `k` (from 0) with a probability proportional to `1 / (k + 1)`, by Vose's alias method.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// For each column: the chance, out of 2³², that the column's own rank is drawn, and the rank drawn otherwise.
    columns: Vec<(u32, u32)>,
}

impl Zipf {
    /// A distribution over `n` ranks. Only additions, multiplications and divisions are used, which give the same bits everywhere.
    pub(crate) fn new(n: u32) -> Zipf {
        let total: f64 = (1..=n).map(|k| 1.0 / f64::from(k)).sum();
        let mut weights: Vec<f64> = (1..=n).map(|k| f64::from(n) / f64::from(k) / total).collect();
        let mut columns: Vec<(u32, u32)> = (0..n).map(|k| (u32::MAX, k)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..n).partition(|&k| weights[k as usize] < 1.0);
        while let (Some(&high), Some(low)) = (large.last(), small.pop()) {
            columns[low as usize] = ((weights[low as usize] * 4_294_967_295.0) as u32, high);
            weights[high as usize] -= 1.0 - weights[low as usize];
            if weights[high as usize] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Zipf { columns }
    }

    /// The next rank.
    pub(crate) fn sample(&self, prng: &mut Prng) -> usize {
        let bits = prng.next();
        let column = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let (own, other) = self.columns[column];
        if (bits as u32) <= own { column } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::{Prng, Zipf};

    #[test]
    fn the_first_rank_comes_twice_as_often_as_the_second_and_ten_times_as_often_as_the_tenth() {
        let (zipf, mut prng) = (Zipf::new(1000), Prng::new(5));
        let mut seen = vec![0_u32; 1000];
        for _ in 0..1_000_000 {
            seen[zipf.sample(&mut prng)] += 1;
        }
        // The sum of 1/k up to 1000 is 7.485.
        for (rank, expected) in [(0, 133_600), (1, 66_800), (9, 13_360), (99, 1336)] {
            let off = (f64::from(seen[rank]) / f64::from(expected) - 1.0).abs();
            assert!(off < 0.1, "rank {rank}: {} instead of {expected}", seen[rank]);
        }
        assert!(seen[999] > 0);
    }
}
