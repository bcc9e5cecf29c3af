//! What I/O threads hand to each other (`src/net/io_threads/pile.rs`) under shuttle, a scheduler that tries the orders in which
//! threads can meet: the same source, with shuttle's primitives in the place of the system's.
//!
//! Each run is a small world with an owner and some helpers; `STRESS_RUNS` of them follow random schedules, or ones in which few
//! switches happen at the worst places (PCT). A deadlock, a lost load or one that was worked on twice fails, and the failure
//! prints the schedule, which `shuttle::replay` repeats.

#![cfg(test)]

use std::mem;

use shuttle::sync as primitives;
use shuttle::sync::Arc;
use shuttle::thread;

#[path = "../../src/net/io_threads/pile.rs"]
mod pile;

use pile::Pile;

/// Something that is worked on: it counts how often.
#[derive(Debug, PartialEq)]
struct Item {
    name: usize,
    times: usize,
}

fn work(item: &mut Item) {
    // A point at which others may get in between.
    thread::yield_now();
    item.times += 1;
}

/// Rounds of several sizes, one after the other, with so many helpers; each item comes back in its place, worked on once.
fn rounds(helpers: usize, sizes: &[usize]) {
    let pile = Arc::new(Pile::new());
    let start = |_| {
        let pile = Arc::clone(&pile);
        thread::spawn(move || pile.help(work))
    };
    let helpers: Vec<_> = (0..helpers).map(start).collect();
    for &size in sizes {
        let mut name = 0;
        let mut load = |length| {
            let names = name..name + length;
            name += length;
            names.map(|name| Item { name, times: 0 }).collect::<Vec<_>>()
        };
        let mut loads: Vec<_> = (0..size).map(|number| load(1 + number % 2)).collect();
        pile.round(&mut loads, work);
        assert_eq!(loads.len(), size);
        let items = loads.iter_mut().flat_map(mem::take);
        assert!(items.zip(0..).all(|(item, name)| item == Item { name, times: 1 }));
    }
    pile.end();
    helpers.into_iter().for_each(|helper| helper.join().unwrap());
}

fn runs() -> usize {
    std::env::var("STRESS_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

#[test]
fn no_order_of_events_loses_a_load_or_a_helper() {
    shuttle::check_random(|| rounds(1, &[1, 2, 0, 3]), runs());
    shuttle::check_random(|| rounds(2, &[2, 3, 1]), runs());
    shuttle::check_random(|| rounds(3, &[5, 2]), runs());
}

#[test]
fn nor_does_one_with_switches_at_the_worst_places() {
    shuttle::check_pct(|| rounds(2, &[2, 3, 1]), runs(), 3);
    shuttle::check_pct(|| rounds(3, &[4, 2]), runs(), 4);
}

/// Beginning with the first of all orders.
#[test]
fn a_small_world_in_one_order_after_the_other() {
    shuttle::check_dfs(|| rounds(1, &[2]), Some(5 * runs()));
    shuttle::check_dfs(|| rounds(2, &[2]), Some(5 * runs()));
}

#[test]
fn helpers_that_are_never_needed_can_leave() {
    shuttle::check_random(|| rounds(3, &[]), runs());
}
