//! How what several sources say of a component becomes one status.
//!
//! A **source** is an integration with a route to the component. It says the worst of what its alerts mean for the component; while none
//! of them counts, it says that all is well. Several alerts of one integration, or several of its routes, are one source.
//!
//! **The rule.** Each source has a weight, and each status a threshold. The status is the worst one that sources of enough weight agree
//! is at least so bad. No threshold is more than the weight of all sources together: what all of them agree on is always so. A quorum
//! larger than the number of sources is therefore one of all of them, and a component whose every source says "unknown" is unknown, not well.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{IntegrationId, Status};

/// The largest quorum.
pub const MAX_QUORUM: u32 = 1_000;
/// The largest weight of one source.
pub const MAX_WEIGHT: u32 = 1_000;
/// The largest threshold.
pub const MAX_THRESHOLD: u32 = 1_000_000;
/// The weight of a source that is given none.
pub const DEFAULT_WEIGHT: u32 = 1;
/// What may have a threshold, from mildest to worst. What is milder than a fault needs as much as the mildest of these.
pub const THRESHOLD_STATUSES: [Status; 3] = [Status::DegradedPerformance, Status::PartialOutage, Status::MajorOutage];

/// How what several sources say of a component becomes one status. `K` names a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine<K: Ord = IntegrationId> {
    /// The worst that any of them says.
    #[default]
    Worst,
    /// The worst that so many of them agree on.
    Quorum(u32),
    /// The worst that sources of enough weight agree on.
    Weighted {
        /// What sources weigh; those not named weigh 1.
        weights: BTreeMap<K, u32>,
        /// How much a status needs. One without a threshold needs as much as the next milder; the mildest, 1.
        thresholds: BTreeMap<Status, u32>,
    },
}

impl<K: Ord> Combine<K> {
    /// Whether any one source decides.
    #[must_use]
    pub const fn is_worst(&self) -> bool {
        matches!(self, Self::Worst)
    }

    /// How much a source weighs.
    fn weight(&self, source: &K) -> u64 {
        match self {
            Self::Worst | Self::Quorum(_) => u64::from(DEFAULT_WEIGHT),
            Self::Weighted { weights, .. } => u64::from(weights.get(source).copied().unwrap_or(DEFAULT_WEIGHT)),
        }
    }

    /// How much a status needs.
    fn threshold(&self, status: Status) -> u64 {
        match self {
            Self::Worst => 1,
            Self::Quorum(n) => u64::from(*n).max(1),
            Self::Weighted { thresholds, .. } => {
                let mildest = status.max(THRESHOLD_STATUSES[0]);
                thresholds.range(..=mildest).next_back().map_or(1, |(_, needed)| u64::from(*needed).max(1))
            }
        }
    }

    /// What follows from what each of `sources` says; those that say nothing find that all is well. `feeding` are all there are.
    #[must_use]
    pub fn status(&self, said: &BTreeMap<K, Status>, feeding: &BTreeSet<K>) -> Status {
        if self.is_worst() {
            return said.values().copied().max().unwrap_or_default();
        }
        let all: u64 = feeding.iter().chain(said.keys().filter(|source| !feeding.contains(source))).map(|source| self.weight(source)).sum();
        let agree = |status: Status| said.iter().filter(|(_, say)| **say >= status).map(|(source, _)| self.weight(source)).sum::<u64>();
        let is_so = |status: &Status| agree(*status) >= self.threshold(*status).min(all).max(1);
        Status::ALL.iter().rev().copied().filter(|status| *status != Status::Operational).find(is_so).unwrap_or_default()
    }

    /// The same with other names; what has none is left out.
    pub fn rename<L: Ord>(self, name: impl Fn(&K) -> Option<L>) -> Combine<L> {
        match self {
            Self::Worst => Combine::Worst,
            Self::Quorum(n) => Combine::Quorum(n),
            Self::Weighted { weights, thresholds } => {
                let weights = weights.into_iter().filter_map(|(source, weight)| Some((name(&source)?, weight))).collect();
                Combine::Weighted { weights, thresholds }
            }
        }
    }
}

/// What is wrong with thresholds: a worse status needs at least as much as a milder one, or more agreement could make things look better.
/// Names the two that do not fit.
#[must_use]
pub fn misordered(thresholds: &BTreeMap<Status, u32>) -> Option<(Status, Status)> {
    let pairs = thresholds.iter().zip(thresholds.iter().skip(1));
    pairs.filter(|((_, milder), (_, worse))| worse < milder).map(|((milder, _), (worse, _))| (*milder, *worse)).next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Status::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};

    fn combined(combine: &Combine<u8>, n: u8, said: &[(u8, Status)]) -> Status {
        combine.status(&said.iter().copied().collect(), &(0..n).collect())
    }

    fn weighted(weights: &[(u8, u32)], thresholds: &[(Status, u32)]) -> Combine<u8> {
        Combine::Weighted { weights: weights.iter().copied().collect(), thresholds: thresholds.iter().copied().collect() }
    }

    #[test]
    fn a_quorum_is_what_so_many_agree_on() {
        let two = Combine::Quorum(2);
        for (said, status) in [
            (vec![], Operational),
            (vec![(0, MajorOutage)], Operational),
            (vec![(0, MajorOutage), (1, DegradedPerformance)], DegradedPerformance),
            (vec![(0, MajorOutage), (1, DegradedPerformance), (2, PartialOutage)], PartialOutage),
            (vec![(0, MajorOutage), (1, MajorOutage)], MajorOutage),
            // One sees an outage, and one that could confirm or deny it cannot be read.
            (vec![(0, MajorOutage), (1, Unknown)], Unknown),
            (vec![(0, Unknown)], Operational),
            (vec![(0, UnderMaintenance), (1, MajorOutage)], UnderMaintenance),
        ] {
            assert_eq!(combined(&two, 3, &said), status, "{said:?}");
        }
    }

    #[test]
    fn what_all_agree_on_is_always_so() {
        assert_eq!(combined(&Combine::Quorum(5), 2, &[(0, MajorOutage), (1, Unknown)]), Unknown);
        assert_eq!(combined(&Combine::Quorum(2), 1, &[(0, Unknown)]), Unknown, "nothing is known, and that is not health");
        assert_eq!(combined(&Combine::Quorum(2), 1, &[(0, MajorOutage)]), MajorOutage);
        let high = weighted(&[], &[(DegradedPerformance, 1), (MajorOutage, 100)]);
        assert_eq!(combined(&high, 2, &[(0, MajorOutage), (1, MajorOutage)]), MajorOutage);
        assert_eq!(combined(&high, 2, &[(0, MajorOutage)]), PartialOutage, "what has no threshold needs as much as the next milder");
    }

    #[test]
    fn weights_add_up_to_thresholds() {
        let combine = weighted(&[(0, 2), (2, 0)], &[(DegradedPerformance, 1), (PartialOutage, 2), (MajorOutage, 3)]);
        for (said, status) in [
            (vec![(1, MajorOutage)], DegradedPerformance),
            (vec![(0, MajorOutage)], PartialOutage),
            (vec![(0, MajorOutage), (1, MajorOutage)], MajorOutage),
            (vec![(0, MajorOutage), (1, DegradedPerformance)], PartialOutage),
            (vec![(1, Unknown)], Unknown),
            (vec![(2, MajorOutage)], Operational),
        ] {
            assert_eq!(combined(&combine, 3, &said), status, "{said:?}");
        }
        assert_eq!(combined(&weighted(&[(0, 0)], &[]), 1, &[(0, MajorOutage)]), Operational, "what weighs nothing never counts");
    }

    #[test]
    fn a_worse_status_never_needs_less() {
        assert_eq!(misordered(&BTreeMap::from([(DegradedPerformance, 1), (MajorOutage, 1)])), None);
        assert_eq!(
            misordered(&BTreeMap::from([(DegradedPerformance, 2), (PartialOutage, 1), (MajorOutage, 3)])),
            Some((DegradedPerformance, PartialOutage))
        );
    }

    fn any_combine() -> impl Strategy<Value = Combine<u8>> {
        let weights = prop::collection::btree_map(0..5_u8, 0..4_u32, 0..5);
        let thresholds = prop::collection::vec(0..3_u32, 3).prop_map(|steps| {
            let mut needed = 1;
            let sum = |step: &u32| {
                needed += step;
                needed
            };
            THRESHOLD_STATUSES.into_iter().zip(steps.iter().map(sum).collect::<Vec<_>>()).collect()
        });
        prop_oneof![
            Just(Combine::Worst),
            (1..7_u32).prop_map(Combine::Quorum),
            (weights, thresholds).prop_map(|(weights, thresholds)| Combine::Weighted { weights, thresholds }),
        ]
    }

    fn any_said() -> impl Strategy<Value = BTreeMap<u8, Status>> {
        prop::collection::btree_map(0..5_u8, prop::sample::select(Status::ALL.to_vec()), 0..6)
    }

    proptest! {
        #[test]
        fn a_source_that_says_worse_never_makes_it_better(combine in any_combine(), said in any_said(), who in 0..5_u8, what in 0..6_usize) {
            let feeding = (0..5).collect();
            let before = combine.status(&said, &feeding);
            let mut worse = said.clone();
            let word = worse.entry(who).or_default();
            *word = (*word).max(Status::ALL[what]);
            prop_assert!(combine.status(&worse, &feeding) >= before);
            prop_assert!(before <= said.values().copied().max().unwrap_or_default(), "nobody said anything so bad");
        }

        #[test]
        fn a_quorum_of_one_is_the_worst(said in any_said()) {
            let feeding = (0..5).collect();
            prop_assert_eq!(Combine::Quorum(1).status(&said, &feeding), Combine::Worst.status(&said, &feeding));
            prop_assert_eq!(weighted(&[], &[]).status(&said, &feeding), Combine::Worst.status(&said, &feeding));
        }

        #[test]
        fn a_quorum_is_the_kth_worst(said in any_said(), k in 1..6_u32) {
            let mut words: Vec<Status> = (0..5).map(|source| said.get(&source).copied().unwrap_or_default()).collect();
            words.sort_by(|a, b| b.cmp(a));
            prop_assert_eq!(Combine::Quorum(k).status(&said, &(0..5).collect()), words[k as usize - 1]);
        }

        #[test]
        fn who_is_asked_first_does_not_matter(combine in any_combine(), said in any_said(), shift in 0..5_u8) {
            let turned = |source: &u8| (source + shift) % 5;
            let feeding: BTreeSet<u8> = (0..5).collect();
            let renamed = combine.clone().rename(|source| Some(turned(source)));
            let said_turned = said.iter().map(|(source, word)| (turned(source), *word)).collect();
            prop_assert_eq!(renamed.status(&said_turned, &feeding), combine.status(&said, &feeding));
        }

        #[test]
        fn unknown_from_all_that_weigh_is_never_health(combine in any_combine(), n in 1..5_u8) {
            let said: BTreeMap<u8, Status> = (0..n).map(|source| (source, Unknown)).collect();
            let weighs = (0..n).any(|source| combine.weight(&source) > 0);
            prop_assert_eq!(combine.status(&said, &(0..n).collect()), if weighs { Unknown } else { Operational });
        }
    }
}
