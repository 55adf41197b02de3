//! A chip with AES in hardware: an engine takes the place of the block cipher, and the store on flash is the same.

use cipher::consts::{U1, U16};
use cipher::{
    AlgorithmName, Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut, Key,
    KeyInit, KeySizeUser, ParBlocksSizeUser,
};
use lockstone::{Aes, AesSiv, Memory, Part, Store, buffer_size};
use lockstone_sim::SimFlash;

use lockstone_torture::{Fixed, root};

/// The registers of an AES engine: a key is loaded, then a block goes in and comes out.
#[derive(Clone)]
struct Engine {
    /// What the hardware would do.
    software: aes::Aes128,
}

impl KeySizeUser for Engine {
    type KeySize = U16;
}

impl BlockSizeUser for Engine {
    type BlockSize = U16;
}

impl KeyInit for Engine {
    fn new(key: &Key<Self>) -> Self {
        Self { software: aes::Aes128::new(key) }
    }
}

impl AlgorithmName for Engine {
    fn write_alg_name(f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Aes128 in hardware")
    }
}

impl BlockCipherEncrypt for Engine {
    fn encrypt_with_backend(&self, work: impl BlockCipherEncClosure<BlockSize = U16>) {
        work.call(self);
    }
}

impl ParBlocksSizeUser for Engine {
    type ParBlocksSize = U1;
}

impl BlockCipherEncBackend for Engine {
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut data = block.clone_in();
        self.software.encrypt_block(&mut data);
        *block.get_out() = data;
    }
}

#[test]
fn a_store_written_with_the_engine_is_read_without_it() {
    let mut flash = SimFlash::<1, 4, 4096>::new(16 * 4096, 0xff);
    let mut memory = Memory::<16, { buffer_size(1, 4, 4096) + 16 }>::new();
    let (part, root) = (Part::NOR, root());
    let mut store = Store::<_, AesSiv<Engine>>::format(&mut flash, part, &root, &mut Fixed(3), &mut memory).unwrap();
    for turn in 0..400_u32 {
        let key = [b'k', turn.to_le_bytes()[0] % 20];
        store.put(&key[..], &turn.to_le_bytes().repeat(turn as usize % 30)).unwrap();
    }
    store.close().unwrap();
    let mut store = Store::<_, Aes>::mount(&mut flash, part, &root, &mut memory).unwrap();
    assert!(store.report().is_sound());
    let mut value = [0; 200];
    let length = store.get(&[b'k', 19][..], &mut value).unwrap().unwrap();
    let last = 0..400_u32;
    let last = last.rev().find(|turn| turn.to_le_bytes()[0] % 20 == 19).unwrap();
    assert_eq!(value[..length], last.to_le_bytes().repeat(last as usize % 30));
    assert_eq!(store.get("absent", &mut value).unwrap(), None);
}
