//! The zero router: what can be had without looking at the prompt, and so what a learned choice has to beat.
//!
//! - Each model is a point of mean cost and mean quality. For a given spend the best is one of them or a mix of two: a point of
//!   their upper hull, from the cheapest to the best.
//! - A learned choice replaces it only where it is better beyond doubt: the lower bound of the mean difference over prompts that
//!   it was not learned from is above zero. Differences are taken at equal cost: what was spent more counts at the hull's slope.

/// One model, or what a router makes of many prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Mean cost of a prompt.
    pub cost: f64,
    /// Mean quality.
    pub quality: f64,
}

/// Two models, the second with a chance of `share`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The cheaper one's place among the points.
    pub cheap: usize,
    /// The better one's.
    pub dear: usize,
    /// How often the better one, 0 to 1.
    pub share: f64,
    /// Quality for each unit of cost between the two.
    pub slope: f64,
}

impl Mix {
    /// The expected value of something that each model has.
    pub fn of(&self, value: impl Fn(usize) -> f64) -> f64 {
        (1.0 - self.share) * value(self.cheap) + self.share * value(self.dear)
    }
}

/// The places of the points on the upper hull, cheapest first: each dearer and better than the one before, for ever less quality
/// by cost.
pub fn hull(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<(usize, Point)> = points.iter().copied().enumerate().collect();
    order.retain(|(_, point)| point.cost.is_finite() && point.quality.is_finite());
    order.sort_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost).then(b.quality.total_cmp(&a.quality)));
    let mut hull: Vec<(usize, Point)> = Vec::new();
    for (at, point) in order {
        if hull.last().is_some_and(|(_, last)| point.quality <= last.quality) {
            continue;
        }
        while let [.., (_, first), (_, last)] = hull.as_slice() {
            let (along, across) = (slope(*first, *last), slope(*first, point));
            if along > across {
                break;
            }
            hull.pop();
        }
        hull.push((at, point));
    }
    hull.into_iter().map(|(at, _)| at).collect()
}

fn slope(from: Point, to: Point) -> f64 {
    let (rise, run) = (to.quality - from.quality, to.cost - from.cost);
    if run > 0.0 { rise / run } else { f64::INFINITY }
}

/// The best mix at this mean cost; the cheapest model where nothing is as cheap. `None` without points.
pub fn mix(points: &[Point], hull: &[usize], cost: f64) -> Option<Mix> {
    let point = |at: usize| points.get(at).copied();
    let pairs = hull.windows(2).filter_map(|pair| match pair {
        [cheap, dear] => Some((*cheap, *dear, point(*cheap)?, point(*dear)?)),
        _ => None,
    });
    for (cheap, dear, from, to) in pairs {
        if cost <= to.cost {
            let share = ((cost - from.cost) / (to.cost - from.cost)).clamp(0.0, 1.0);
            return Some(Mix { cheap, dear, share, slope: slope(from, to) });
        }
    }
    let best = *hull.last()?;
    Some(Mix { cheap: best, dear: best, share: 1.0, slope: 0.0 })
}

/// Differences below which nothing is beyond doubt.
pub const DIFFERENCES_MIN: usize = 30;
/// Standard errors below the mean: one chance in a hundred that the truth is lower. Many places of a dial are judged at once.
pub const DOUBT: f64 = 2.326;

/// The lower bound of the mean of differences, one for each prompt; `None`: too few.
pub fn lower_bound(differences: &[f64]) -> Option<f64> {
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let spread = differences.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (differences.len() >= DIFFERENCES_MIN).then(|| mean - DOUBT * (spread / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    type Pairs = [(f64, f64)];

    fn points(pairs: &Pairs) -> Vec<Point> {
        pairs.iter().map(|(cost, quality)| Point { cost: *cost, quality: *quality }).collect()
    }

    #[test]
    fn only_what_no_mix_beats_is_on_the_hull() {
        let rows: [(&Pairs, &[usize]); 6] = [
            (&[(1.0, 0.5), (2.0, 0.6), (4.0, 0.9)], &[0, 2]),
            (&[(1.0, 0.5), (2.0, 0.8), (4.0, 0.9)], &[0, 1, 2]),
            (&[(4.0, 0.9), (1.0, 0.5), (5.0, 0.7)], &[1, 0]),
            (&[(1.0, 0.5), (1.0, 0.6)], &[1]),
            (&[(0.0, 0.2), (f64::NAN, 0.9)], &[0]),
            (&[], &[]),
        ];
        for (pairs, expect) in rows {
            assert_eq!(hull(&points(pairs)), expect, "{pairs:?}");
        }
    }

    #[test]
    fn a_mix_costs_what_is_asked() {
        let points = points(&[(1.0, 0.5), (3.0, 0.9)]);
        let at = |cost| mix(&points, &hull(&points), cost).unwrap();
        let middle = at(2.5);
        assert_eq!((middle.cheap, middle.dear, middle.share), (0, 1, 0.75));
        assert!(
            (middle.of(|at| points[at].quality) - 0.8).abs() < 1e-12 && (middle.slope - 0.2).abs() < 1e-12
        );
        assert_eq!(at(0.5).of(|at| points[at].cost).to_bits(), 1.0_f64.to_bits());
        assert_eq!((at(9.0).cheap, at(9.0).slope), (1, 0.0));
        assert_eq!(mix(&points, &[], 1.0), None);
    }

    #[test]
    fn no_mix_of_two_models_is_above_the_hull() {
        let mut random = Random::new(5);
        for _ in 0..200 {
            let pairs: Vec<(f64, f64)> = (0..8).map(|_| (random.unit(), random.unit())).collect();
            let points = points(&pairs);
            let hull = hull(&points);
            for (a, b) in points.iter().flat_map(|a| points.iter().map(move |b| (a, b))) {
                let share = random.unit();
                let cost = share * a.cost + (1.0 - share) * b.cost;
                let quality = share * a.quality + (1.0 - share) * b.quality;
                let best = mix(&points, &hull, cost).unwrap().of(|at| points[at].quality);
                assert!(quality <= best + 1e-9, "{pairs:?}");
            }
        }
    }

    #[test]
    fn doubt_counts_against_what_is_new() {
        let mut random = Random::new(3);
        let noisy: Vec<f64> = (0..400).map(|_| random.unit() - 0.5).collect();
        assert!(lower_bound(&noisy).unwrap() < 0.0);
        let better: Vec<f64> = noisy.iter().map(|one| one + 0.1).collect();
        assert!(lower_bound(&better).unwrap() > 0.0);
        assert_eq!(lower_bound(&better[..DIFFERENCES_MIN - 1]), None);
        assert_eq!(lower_bound(&[0.0; 30]), Some(0.0), "as good is not better");
        assert_eq!(lower_bound(&[]), None);
    }
}
