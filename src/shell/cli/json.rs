//! The contract's messages as JSON: protobuf's canonical form, times in RFC 3339.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use super::CliError;
use crate::shell::proto::DESCRIPTORS;

static CONTRACT: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS).expect("the contract was compiled with the program")
});

/// One message on one line. Names are as in the contract, numbers are numbers, and what has its
/// default is left out.
///
/// # Errors
///
/// If a time in the message is none that JSON can write.
pub fn line<M: Message + Name>(message: &M) -> Result<String, CliError> {
    let wrong = |error: &dyn ToString| CliError::Json(error.to_string());
    let descriptor =
        CONTRACT.get_message_by_name(&M::full_name()).expect("the contract has its own messages");
    let message = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| wrong(&error))?;
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    message.serialize_with_options(&mut serializer, &options).map_err(|error| wrong(&error))?;
    String::from_utf8(text).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::proto::{CallRecord, Direction, End};

    #[test]
    fn a_record_is_one_line_of_plain_json() {
        let mut record = CallRecord {
            sequence: 12,
            setup_time: Some(prost_types::Timestamp { seconds: 1, nanos: 2_000 }),
            end: Some(End { reason: "busy".to_owned(), ..End::default() }),
            ..CallRecord::default()
        };
        record.set_direction(Direction::Internal);

        let json = line(&record).unwrap();

        let (head, tail) = json.split_once(r#","setup_time":"#).unwrap();
        assert_eq!(head, r#"{"sequence":12,"direction":"DIRECTION_INTERNAL""#);
        assert_eq!(tail, r#""1970-01-01T00:00:01.000002Z","end":{"reason":"busy"}}"#);
    }
}
