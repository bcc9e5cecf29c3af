//! Chooses the program: server or Sentinel.

fn main() {}
