//! `counter`: where the counter of a device stands, how long it lasts, and whether the flash belongs to it.

use lockstone::CounterState;
use serde_json::json;

use crate::args::CountOf;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::Failure;
use crate::standing::Standing;
use crate::terminal::{counted, print, print_json, say};

/// Steps that a protected change from the command line takes: each command is a power session of its own.
const STEPS_A_CHANGE: u32 = 2;

pub(super) fn counter(args: &CountOf) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let session = device.mount_even_rolled_back(&mut memory)?;
    let (state, standing) = (session.counter(), session.standing());
    if args.json {
        print_json(&as_json(state, &standing))?;
    } else {
        print(as_text(state, &standing).as_bytes())?;
    }
    if standing.rolled_back { Err(standing.failure_in_short()) } else { Ok(()) }
}

/// After a command that took steps: says so when few are left.
pub(crate) fn warn_if_low(session: &Session<'_>) {
    let state = session.counter();
    if state.low && session.has_counted() {
        say(format!("lockstone: warning: {}", how_low(state)));
    }
}

/// For a counter that is low.
pub(crate) fn how_low(state: CounterState) -> String {
    let left = counted(state.left, "step");
    let changes = counted(state.left / STEPS_A_CHANGE, "protected change");
    format!("the counter has {left} left of {}, enough for {changes}", limit(state))
}

const fn limit(state: CounterState) -> u32 {
    state.value.saturating_add(state.left)
}

fn as_json(state: CounterState, standing: &Standing) -> serde_json::Value {
    let CounterState { value, left, low, .. } = state;
    json!({ "value": value, "limit": limit(state), "left": left, "low": low, "verdict": standing.name() })
}

fn as_text(state: CounterState, standing: &Standing) -> String {
    let mut text = format!(
        "value      {}\nlimit      {}\nleft       {}, two a protected change\nverdict    {}\n",
        state.value,
        limit(state),
        counted(state.left, "step"),
        standing.sentence()
    );
    if standing.rolled_back {
        text.push_str(&format!("  what to do: {}\n", standing.advice()));
    }
    if state.low {
        text.push_str(&format!("LOW: {}; plan to replace the device\n", how_low(state)));
    }
    text
}
