//! What `strowger demo` plays its call with.

mod audio;
pub mod phone;
