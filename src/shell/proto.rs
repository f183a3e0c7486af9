//! The gRPC contract, `proto/strowger/v1/`, as Rust types.

#![expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated; the documentation is in the contract"
)]

tonic::include_proto!("strowger.v1");

/// The contract itself, for reflection and JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/strowger.bin"));
