//! The tree beside a sorted vector.

use super::*;
use crate::base::rng::Rng;

/// Elements are told apart by their number, which is also their name.
type Element = (f64, u32);

fn before(element: Element) -> impl Point {
    AtScore { score: element.0, is_before: move |id: MemberId| id.0 < element.1 }
}

fn until(element: Element) -> impl Point {
    AtScore { score: element.0, is_before: move |id: MemberId| id.0 <= element.1 }
}

fn contents(tree: &Tree) -> Vec<Element> {
    let mut walk = tree.walk(0);
    std::iter::from_fn(|| walk.next()).map(|(score, id)| (score, id.0)).collect()
}

fn backwards(tree: &Tree) -> Vec<Element> {
    let mut walk = tree.walk(tree.len());
    std::iter::from_fn(|| walk.previous()).map(|(score, id)| (score, id.0)).collect()
}

fn agrees(tree: &Tree, model: &[Element]) {
    tree.check();
    assert_eq!(tree.len(), model.len());
    assert_eq!(contents(tree), model);
    let mut reversed = model.to_vec();
    reversed.reverse();
    assert_eq!(backwards(tree), reversed);
}

#[test]
fn random_changes_keep_the_order_and_the_counts() {
    for (seed, scores) in [(1, 1 << 40), (2, 50), (3, 1)] {
        let mut rng = Rng::seeded(seed);
        let (mut tree, mut model) = (Tree::new(), Vec::<Element>::new());
        for step in 0..30_000u32 {
            let grows = (step / 6_000) % 2 == 0;
            match rng.below(100) {
                n if n < if grows { 70 } else { 25 } => {
                    let element = (rng.below(scores) as f64, step);
                    let at = model.partition_point(|other| *other < element);
                    model.insert(at, element);
                    tree.insert(element.0, MemberId(element.1), &before(element));
                }
                n if n < 90 && !model.is_empty() => {
                    let element = model.remove(rng.below(model.len() as u64) as usize);
                    tree.remove_before(&until(element));
                }
                n if n < 93 && !model.is_empty() => {
                    let at = rng.below(model.len() as u64) as usize;
                    let score = model[at].0 + rng.below(3) as f64 / 2.0 - 0.5;
                    if tree.rescore_before(score, &until(model[at])) {
                        model[at].0 = score;
                        assert!(model.is_sorted());
                    } else {
                        model.remove(at);
                    }
                }
                n if n < 94 && !grows => {
                    let rank = rng.below(model.len() as u64 + 1) as usize;
                    let most = rng.below(200) as usize;
                    let mut taken = Vec::new();
                    let count = tree.remove_run(rank, most, &mut |score, id| taken.push((score, id.0)));
                    assert_eq!(count > 0, most > 0 && rank < model.len());
                    assert_eq!(model.drain(rank..rank + count).collect::<Vec<_>>(), taken);
                }
                _ => {
                    let element = (rng.below(scores) as f64, step / 2);
                    let rank = model.partition_point(|other| *other < element);
                    assert_eq!(tree.count_before(&before(element)), rank);
                    assert_eq!(tree.walk(rank).next().map(|(score, id)| (score, id.0)), model.get(rank).copied());
                }
            }
            if step % 1_000 == 0 {
                agrees(&tree, &model);
            }
        }
        agrees(&tree, &model);
    }
}

#[test]
fn filling_in_order_leaves_full_leaves() {
    for descending in [false, true] {
        let (mut tree, mut model) = (Tree::new(), Vec::new());
        for step in 0..20_000u32 {
            let element = if descending { (-f64::from(step), step) } else { (f64::from(step), step) };
            tree.insert(element.0, MemberId(element.1), &before(element));
            model.push(element);
        }
        model.sort_by(|a, b| a.partial_cmp(b).unwrap());
        agrees(&tree, &model);
        assert!(tree.memory() < 20_000 * 14, "{}", tree.memory());
    }
}

#[test]
fn a_tree_of_sorted_elements_is_like_one_that_grew() {
    for count in [0, 1, 57, 58, 59, 3_364, 3_365, 250_000u32] {
        let model: Vec<Element> = (0..count).map(|n| (f64::from(n / 3), n)).collect();
        let tree = Tree::from_sorted(model.iter().map(|(score, n)| (*score, MemberId(*n))));
        agrees(&tree, &model);
    }
}

#[test]
fn an_emptied_tree_can_be_filled_again() {
    let mut tree = Tree::from_sorted((0..10_000).map(|n| (f64::from(n), MemberId(n))));
    while tree.remove_run(tree.len() / 2, 7, &mut |_, _| {}) > 0 || tree.len() > 0 {
        if tree.len() == 1 {
            tree.remove_run(0, 1, &mut |_, _| {});
        }
    }
    agrees(&tree, &[]);
    assert!(tree.walk(0).next().is_none() && tree.walk(5).previous().is_none());
    tree.insert(1.0, MemberId(1), &before((1.0, 1)));
    agrees(&tree, &[(1.0, 1)]);
}
