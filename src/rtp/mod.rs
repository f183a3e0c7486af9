//! RTP packets, RTCP reports and digits (RFC 3550, 3551, 4733).
