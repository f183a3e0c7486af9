//! switch

pub mod request;
