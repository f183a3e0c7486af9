//! The verbs of the command line.

mod cdr;
mod client;
mod json;
mod print;
mod views;
pub mod check;
pub mod explain;
pub mod run;
pub mod demo;
