//! Deployments for requests with tags.

#[cfg(test)]
mod tests;

/// The tag of deployments for requests that have none, or none that any deployment has.
const DEFAULT: &str = "default";

/// The indexes of the deployments that a request with these tags may go to, given each one's tags. `None`: none has a tag of
/// the request, and none is for all. `any`: one tag in common is enough; else the deployment must have them all.
pub fn eligible(wanted: &[String], deployments: &[&[String]], any: bool) -> Option<Vec<usize>> {
    let has = |index: &usize, tag: &str| deployments[*index].iter().any(|own| own == tag);
    let all = || 0..deployments.len();
    let fits = |index: &usize| {
        let mut tags = wanted.iter();
        if any { tags.any(|tag| has(index, tag)) } else { tags.all(|tag| has(index, tag)) }
    };
    let matching: Vec<usize> = if wanted.is_empty() { Vec::new() } else { all().filter(fits).collect() };
    if !matching.is_empty() {
        return Some(matching);
    }
    let for_all: Vec<usize> = all().filter(|index| has(index, DEFAULT)).collect();
    match (for_all.is_empty(), wanted.is_empty()) {
        (false, _) => Some(for_all),
        (true, true) => Some(all().collect()),
        (true, false) => None,
    }
}
