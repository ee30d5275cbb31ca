//! Records that a tap has seen.

use flott_rpc::tap::TappedRecord;

/// What of a vertex is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapWanted {
    /// One subtask; `None`: all.
    pub subtask: Option<u32>,
    /// Records a second that each subtask shows at each place, at the most.
    pub per_second: u32,
    /// How long the tap stays open if nobody asks again, ms.
    pub lease_ms: u32,
}

/// What a tap has seen since it was last asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tapped {
    /// Records, of each subtask in their order.
    pub records: Vec<TappedRecord>,
    /// How many more there were for which there was no room.
    pub missed: u64,
    /// Why there may be fewer than there are.
    pub message: Option<String>,
}
