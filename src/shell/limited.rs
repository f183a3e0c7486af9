//! Channels with a limit that take memory for what waits in them, not for what could.
//!
//! A bounded channel of crossbeam writes to every place of its room at the start: tens of megabytes
//! for limits that a healthy node never comes near.

use crossbeam_channel::{Receiver, Sender, TrySendError, unbounded};

/// The sending end.
#[derive(Debug)]
pub struct LimitedSender<T> {
    sender: Sender<T>,
    room: usize,
}

/// A channel in which `room` values may wait; as many more as there are other senders, if all send
/// at the same moment.
pub fn limited<T>(room: usize) -> (LimitedSender<T>, Receiver<T>) {
    let (sender, receiver) = unbounded();
    (LimitedSender { sender, room }, receiver)
}

impl<T> LimitedSender<T> {
    /// Sends now, or gives the value back.
    ///
    /// # Errors
    ///
    /// If there is no room, or nobody receives any more.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.sender.len() >= self.room {
            return Err(TrySendError::Full(value));
        }
        self.sender.send(value).map_err(|error| TrySendError::Disconnected(error.0))
    }
}

impl<T> Clone for LimitedSender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), room: self.room }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_given_back() {
        let (sender, receiver) = limited(2);
        assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Ok(())));
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));

        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(sender.try_send(3), Ok(()));
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(TrySendError::Disconnected(4)));
    }
}
