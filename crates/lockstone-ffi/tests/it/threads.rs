//! Several threads at once, over all faces: each sees its own writes, whole.

use std::ffi::CString;

use lockstone_ffi::psa_c::{psa_its_get, psa_its_set, psa_ps_set};

use crate::{Bench, get, put};

fn its_get(uid: u64) -> Vec<u8> {
    let (mut value, mut length) = (vec![0_u8; 300], 0);
    // SAFETY: there is room for what is written.
    let status = unsafe { psa_its_get(uid, 0, value.len(), value.as_mut_ptr().cast(), &raw mut length) };
    assert_eq!(status, 0);
    value.truncate(length);
    value
}

#[test]
fn threads_take_turns_and_none_sees_half_a_write() {
    let _bench = Bench::new();
    std::thread::scope(|scope| {
        for thread in 1..=4_u8 {
            scope.spawn(move || {
                let name = CString::new(format!("t/{thread}")).unwrap();
                for round in 0..12_u8 {
                    let value = vec![round.wrapping_mul(thread); 10 + usize::from(round) * 20];
                    // SAFETY: the values are there for their lengths.
                    let (its, ps) = unsafe {
                        let start = value.as_ptr().cast();
                        (psa_its_set(thread.into(), value.len(), start, 4), psa_ps_set(9, value.len(), start, 4))
                    };
                    assert_eq!((its, ps, put(&name, &value)), (0, 0, 0));
                    assert_eq!((its_get(thread.into()), get(&name)), (value.clone(), Ok(value)));
                }
            });
        }
    });
}
