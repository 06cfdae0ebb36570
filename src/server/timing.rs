//! Whether the time that an answer takes tells who is known: for tests.

/// Known addresses and unknown ones, one right after the other, so that noise of the machine falls on both. Whoever looks for a difference finds one
/// only if one kind is slower in most pairs, and by more than a twentieth, three times in a row.
pub(crate) async fn tells_nobody_by_time(what: &str, timed: impl AsyncFn(bool) -> f64) {
    const N: usize = 40;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut ratios = Vec::new();
        for n in 0..N {
            let (known, unknown) = if n % 2 == 0 {
                (timed(true).await, timed(false).await)
            } else {
                let unknown = timed(false).await;
                (timed(true).await, unknown)
            };
            ratios.push(known / unknown);
        }
        ratios.sort_unstable_by(f64::total_cmp);
        let (slower, median) = (ratios.iter().filter(|ratio| **ratio > 1.0).count(), ratios[N / 2]);
        seen.push((slower, median));
        // Chance alone puts fewer than 10 or more than 30 of 40 on one side about once in a thousand times.
        if (10..=30).contains(&slower) || (0.95..1.05).contains(&median) {
            return;
        }
    }
    panic!("{what}: known addresses are slower in so many of {N} pairs, and by this ratio: {seen:?}");
}

mod tests {
    use super::*;

    #[tokio::test]
    async fn noise_is_no_difference() {
        tells_nobody_by_time("noise", async |_| rand::random::<f64>() + 1.0).await;
    }

    #[tokio::test]
    #[should_panic(expected = "known addresses are slower in so many of 40 pairs")]
    async fn a_tenth_is_found_in_as_much_noise() {
        tells_nobody_by_time("a tenth", async |known| if known { 1.1 } else { 1.0 } * (rand::random::<f64>() * 0.1 + 1.0)).await;
    }
}
