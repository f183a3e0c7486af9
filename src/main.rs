//! The verbs of the command line.

fn main() {}
