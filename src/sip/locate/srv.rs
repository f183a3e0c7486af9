//! The order in which servers are tried: by priority, then by chance as their weights say.

use crate::rng::Rng;

use super::question::Srv;

/// Orders `servers` anew each time it is asked (RFC 2782, "Weight").
pub(super) fn order(mut servers: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    // Those of weight 0 stand first, so that they have a small chance beside the others.
    servers
        .sort_by(|a, b| (a.priority, a.weight, &a.target).cmp(&(b.priority, b.weight, &b.target)));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(first) = servers.first() {
        let priority = first.priority;
        let group = servers.iter().take_while(|server| server.priority == priority);
        let weights: Vec<u32> = group.map(|server| u32::from(server.weight)).collect();
        ordered.push(servers.remove(pick(&weights, rng)));
    }
    ordered
}

/// The first whose running sum of weights reaches a number by chance.
fn pick(weights: &[u32], rng: &mut Rng) -> usize {
    let wanted = rng.below(weights.iter().sum::<u32>() + 1);
    let mut sum = 0;
    let reaches = |weight: &u32| {
        sum += weight;
        sum >= wanted
    };
    weights.iter().position(reaches).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_priority_comes_first() {
        let mut rng = Rng::from_number(1);
        let servers = vec![server(20, 900, "c"), server(10, 0, "a"), server(10, 1, "b")];

        let order = order(servers, &mut rng);

        assert_eq!(order[2].target, "c");
    }

    #[test]
    fn weights_share_the_load() {
        let mut rng = Rng::from_number(1);
        let mut firsts = [0; 3];
        for _ in 0..10_000 {
            let servers = vec![server(1, 0, "a"), server(1, 20, "b"), server(1, 60, "c")];
            let order = order(servers, &mut rng);
            firsts[usize::from(order[0].target.as_bytes()[0] - b'a')] += 1;
        }

        assert!((50..250).contains(&firsts[0]), "weight 0 is seldom first: {firsts:?}");
        assert!((2200..2800).contains(&firsts[1]), "{firsts:?}");
        assert!((7000..7800).contains(&firsts[2]), "{firsts:?}");
    }

    fn server(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.to_owned() }
    }
}
