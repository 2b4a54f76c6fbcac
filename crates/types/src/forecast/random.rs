//! Random numbers that are the same for the same seed, on every machine: SplitMix64.

use uuid::Uuid;

/// A number made of two, in which every bit hangs on every bit of both.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_add(b.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of `count` for this thing in this night. It hangs on nothing else, so that a card takes the same however the night
/// goes: settings are compared on the same nights.
pub(super) fn draw(night: u64, thing: Uuid, count: usize) -> usize {
    let (high, low) = thing.as_u64_pair();
    let number = mix(mix(night, high), low);
    ((u128::from(number) * count as u128) >> 64) as usize
}
