//! Addresses and ports that no other test uses, also not one of another run on this machine.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bound on an address for as long as a test has it.
const LOCK_PORT: u16 = 59_999;

/// A loopback address of one's own: every port of it is free.
#[derive(Debug)]
pub struct Place {
    pub ip: Ipv4Addr,
    _lock: TcpListener,
}

impl Place {
    /// # Panics
    ///
    /// If the whole of 127.64.0.0/10 is taken.
    pub fn new() -> Self {
        // Relaxed: only a number that differs from thread to thread.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..1000 {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let mixed = process::id().wrapping_mul(0x9e37_79b1).wrapping_add(next * 7919);
            let host = 1 + mixed % 0x003f_fffd;
            let ip = Ipv4Addr::from_bits(0x7f40_0000 | host);
            if let Ok(lock) = TcpListener::bind((ip, LOCK_PORT)) {
                return Self { ip, _lock: lock };
            }
        }
        panic!("no free loopback address");
    }

    pub fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, port)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// The first of the ports given out: all lie below those that the kernel gives to sockets that
/// name none (32768 and up), which may be taken between the look and the phone's own bind.
const FIRST_PORT: u16 = 10_000;

/// The first of four neighbouring ports of 127.0.0.1 that nobody has, even.
#[derive(Debug)]
pub struct Ports {
    pub first: u16,
    _lock: TcpListener,
}

impl Ports {
    /// # Panics
    ///
    /// If no four neighbours are free.
    pub fn new() -> Self {
        let start = process::id().wrapping_mul(0x9e37_79b1) % 2000;
        for step in 0..2000 {
            let block = u16::try_from((start + step) % 2000).expect("it is below 2000");
            let first = FIRST_PORT + 4 * block;
            // The last of the four is the lock; the other three must be free now.
            let Ok(lock) = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)) else { continue };
            let free = (first..first + 3).all(|port| {
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                    && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
            if free {
                return Self { first, _lock: lock };
            }
        }
        panic!("no free ports on 127.0.0.1");
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new()
    }
}
