//! Deals windows to buckets so that few places of a disk look like one of them.
//!
//! A vector engine looks a byte's code up in one table for each position in the window; bit `n` of the
//! answer says whether bucket `n` has a window with that code there. A place where one bucket says yes at
//! every position is a candidate. Windows with like codes therefore belong together: a bucket's cost is
//! the product, over the positions, of the probability of all its codes.

/// Codes that a byte is mapped to.
pub(super) const CODES: usize = 64;

/// Rounds in which each window may move to a better bucket.
const ROUNDS: usize = 3;

/// Probability of each code.
pub(super) type Frequencies = [f32; CODES];

/// What a bucket accepts so far.
#[derive(Clone)]
struct Bucket<const WIDTH: usize> {
    /// Windows that bring a code, by position.
    users: [[u32; CODES]; WIDTH],
    /// Probability that the bucket accepts a byte, by position.
    accepts: [f32; WIDTH],
}

impl<const WIDTH: usize> Bucket<WIDTH> {
    const EMPTY: Self = Self { users: [[0; CODES]; WIDTH], accepts: [0.0; WIDTH] };

    /// How much more often the bucket says yes with `codes` in it.
    fn cost_of(&self, codes: &[u8; WIDTH], frequencies: &Frequencies) -> f32 {
        let (mut before, mut after) = (1.0, 1.0);
        for ((&code, users), accepts) in codes.iter().zip(&self.users).zip(self.accepts) {
            let code = usize::from(code);
            before *= accepts;
            after *= if users[code] > 0 { accepts } else { accepts + frequencies[code] };
        }
        after - before
    }

    fn add(&mut self, codes: &[u8; WIDTH], frequencies: &Frequencies) {
        for ((&code, users), accepts) in codes.iter().zip(&mut self.users).zip(&mut self.accepts) {
            let code = usize::from(code);
            if users[code] == 0 {
                *accepts += frequencies[code];
            }
            users[code] += 1;
        }
    }

    fn remove(&mut self, codes: &[u8; WIDTH], frequencies: &Frequencies) {
        for ((&code, users), accepts) in codes.iter().zip(&mut self.users).zip(&mut self.accepts) {
            let code = usize::from(code);
            users[code] -= 1;
            if users[code] == 0 {
                *accepts = (*accepts - frequencies[code]).max(0.0);
            }
        }
    }
}

/// For each set of eight buckets and each position in the window: the buckets that accept a code.
pub(super) type Tables<const WIDTH: usize> = Vec<[[u8; CODES]; WIDTH]>;

/// Deals windows, given as codes below [`CODES`], to `sets` sets of eight buckets.
pub(super) fn deal<const WIDTH: usize>(
    windows: &[[u8; WIDTH]],
    frequencies: &Frequencies,
    sets: usize,
) -> Tables<WIDTH> {
    let mut buckets = vec![Bucket::<WIDTH>::EMPTY; sets * 8];
    let alone = |codes: &[u8; WIDTH]| codes.iter().map(|&code| frequencies[usize::from(code)]).product();
    let mut order: Vec<(f32, usize)> = windows.iter().map(alone).zip(0..).collect();
    // The most common first: the rare ones fit in anywhere.
    order.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let mut dealt = vec![None; windows.len()];
    for _ in 0..ROUNDS {
        for &(_, window) in &order {
            let codes = &windows[window];
            if let Some(old) = dealt[window].take() {
                let bucket: &mut Bucket<WIDTH> = &mut buckets[old];
                bucket.remove(codes, frequencies);
            }
            let costs = buckets.iter().map(|bucket| bucket.cost_of(codes, frequencies));
            let best = costs.enumerate().min_by(|one, other| one.1.total_cmp(&other.1));
            if let Some((best, _)) = best {
                buckets[best].add(codes, frequencies);
                dealt[window] = Some(best);
            }
        }
    }
    let mut tables = vec![[[0; CODES]; WIDTH]; sets];
    for (codes, bucket) in windows.iter().zip(dealt) {
        let Some(bucket) = bucket else { continue };
        for (position, &code) in codes.iter().enumerate() {
            tables[bucket / 8][position][usize::from(code)] |= 1 << (bucket % 8);
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_accepted_by_its_own_tables() {
        let windows: Vec<[u8; 4]> = (0..500_u32)
            .map(|seed| seed.wrapping_mul(0x9E37_79B1).to_le_bytes().map(|byte| byte % 64))
            .collect();
        let frequencies = [1.0 / 64.0; CODES];
        for sets in 1..4 {
            let tables = deal(&windows, &frequencies, sets);
            for window in &windows {
                let accepted = tables.iter().any(|set| {
                    (0..4).fold(0xff, |buckets, at| buckets & set[at][usize::from(window[at])]) != 0
                });
                assert!(accepted, "{window:?}");
            }
        }
    }
}
