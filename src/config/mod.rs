//! The configuration: every part's own section, composed; read from TOML.

pub mod sections;
