//! Who orders something, as records show it.

use std::net::SocketAddr;

use tonic::Status;

/// What he calls himself, or else where he is.
pub fn who(named: String, from: Option<SocketAddr>) -> Result<String, Status> {
    let named = self::named(named)?;
    match (named.is_empty(), from) {
        (false, _) => Ok(named),
        (true, Some(from)) => Ok(format!("grpc:{}", from.ip())),
        (true, None) => Ok("grpc".to_owned()),
    }
}

/// What he calls himself, if records may have it; it can be empty.
pub fn named(name: String) -> Result<String, Status> {
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Status::invalid_argument("`requested_by` is a name of at most 64 bytes"));
    }
    Ok(name)
}

/// Bytes of a name in a record.
const NAME_BYTES_MAX: usize = 64;
