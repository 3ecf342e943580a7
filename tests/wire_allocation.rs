//! Once its buffers have their size, handling a heartbeat takes no memory from the system.
#![expect(unsafe_code, reason = "counting allocations means being the allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use heartbeat::message::{Key, Keys, Message, Method, TextFrames, open, seal};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The only test of its program, so that no other thread allocates meanwhile.
#[test]
fn a_warm_heartbeat_allocates_nothing() {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 0,
    };
    for (entry, method) in
        keys.entries
            .iter_mut()
            .zip([Method::Crc, Method::Md5, Method::Sha1, Method::Sha256])
    {
        *entry = Some(Key {
            method,
            text: b"a key that is longer than one block of its digest, as some are".to_vec(),
        });
    }
    let (mut out, mut heard) = (Message::new(), Message::new());
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let mut frames = TextFrames::new();
    let mut round = |seq: u64| {
        out.clear();
        out.push_text("t", "status");
        out.push_text("st", "active");
        out.push_fmt("dt", format_args!("{:x}", 6000));
        out.push_text("protocol", "1");
        out.push_text("src", "alpha");
        out.push_binary("srcuuid", &[7; 16]);
        out.push_fmt("seq", format_args!("{seq:x}"));
        out.push_text("hg", "6b008f1f");
        out.push_text("ts", "6b008f23");
        out.push_text("ld", "0.03 0.12 0.09 4/135 273");
        out.push_text("ttl", "3");
        for key in 0..4 {
            keys.signing = key;
            seal(&out, &keys, key, true, &mut datagram, &mut text).unwrap();
            open(&datagram, &keys, &mut heard).unwrap();
            frames.push(&text);
            let frame = frames.next_frame().unwrap();
            open(frame, &keys, &mut heard).unwrap();
            assert_eq!(
                heard.text("seq").map(|seq| u64::from_str_radix(seq, 16)),
                Some(Ok(seq))
            );
        }
    };
    round(u64::MAX);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..1000).for_each(&mut round);
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before);
}
