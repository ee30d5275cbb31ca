//! Process functions: user code with state, timers and operator state.

mod context;
mod keyed;
mod operator_state;
mod plain;

pub use context::{KeyedContext, KeyedRuntimeContext, ProcessContext, RuntimeContext};
pub use keyed::{KeyedProcessFunction, keyed_process};
pub use operator_state::OperatorListState;
pub use plain::{ProcessFunction, process};
