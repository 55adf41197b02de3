//! The headers that are checked in, held against this crate: symbols with their types (`signatures.rs`), constants, sizes, offsets.
//!
//! The C compiler holds the same sizes against the headers, for 64-bit and 32-bit targets: `c/shapes.c`.
#![forbid(unsafe_code)]

use core::mem::{offset_of, size_of};
use std::collections::{BTreeMap, BTreeSet};

use crate::cfstore::codes;
use crate::cfstore_c::{Bits, Driver, KeyDescription, Version};
use crate::failure::Failure;
use crate::journal_c::{Journal, JournalDriver, JournalInfo};
use crate::native::{PROTECT, Stats, WRITE_ONCE};
use crate::native_c::SearchPlace;
use crate::objects::{Content, VolumeRow};
use crate::platform::{FLASH_IS_TRUSTED, Platform, VERSION};
use crate::psa::{self, Info};
use crate::ram::Memory;
use crate::signatures::{declared, declared_table, exported, exported_table};
use crate::storage::{Attributes, Block, Information};
use crate::storage_c::StorageDriver;

const LOCKSTONE: &str = include_str!("../include/lockstone.h");
const SIM: &str = include_str!("../include/lockstone_sim.h");
const OBJECTS: &str = include_str!("../include/lockstone_objects.h");
const JOURNAL: &str = include_str!("../include/flash_journal.h");
const MANAGER: &str = include_str!("../include/storage_volume_manager.h");
const STORAGE: &str = include_str!("../include/lockstone_storage.h");
const ERROR: &str = include_str!("../include/psa/error.h");
const COMMON: &str = include_str!("../include/psa/storage_common.h");
const ITS: &str = include_str!("../include/psa/internal_trusted_storage.h");
const PS: &str = include_str!("../include/psa/protected_storage.h");
const CFSTORE: &str = include_str!("../include/configuration_store.h");
const SHAPES: &str = include_str!("../c/shapes.c");

/// A header without its comments, and with no line broken.
pub(crate) fn bare(header: &str) -> String {
    let header = header.replace("\\\n", " ");
    let mut bare = String::new();
    let mut rest = header.as_str();
    while let Some((before, behind)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = behind.split_once("*/").map_or("", |(_, rest)| rest);
    }
    bare + rest
}

#[test]
fn headers_and_library_have_the_same_functions() {
    let mut library = exported(include_str!("native_c.rs"));
    assert_eq!(declared(LOCKSTONE), library);
    assert_eq!(library.len(), 10);
    library = exported(include_str!("psa_c.rs"));
    let mut psa = declared(ITS);
    psa.extend(declared(PS));
    assert_eq!(psa, library);
    assert_eq!(library.len(), 11);
    library = exported(include_str!("cfstore_c.rs"));
    assert_eq!(declared(CFSTORE), library);
    assert_eq!(library.len(), 4);
    assert!(CFSTORE.contains("extern const ARM_CFSTORE_DRIVER cfstore_driver;"));
    library = exported(include_str!("sim_c.rs"));
    library.extend(exported(include_str!("sim_storage_c.rs")));
    assert_eq!(declared(SIM), library);
    library = exported(include_str!("objects_c.rs"));
    assert_eq!(declared(OBJECTS), library);
    assert_eq!(library.len(), 20);
    library = exported(include_str!("journal_c.rs"));
    assert_eq!(declared(JOURNAL), library);
    assert_eq!(library.len(), 1);
    assert!(JOURNAL.contains("extern const FlashJournal_Ops_t FLASH_JOURNAL_STRATEGY_SEQUENTIAL;"));
    library = exported(include_str!("volume_manager_c.rs"));
    assert_eq!(declared(MANAGER), library);
    assert_eq!(library.len(), 4);
    assert_eq!(declared(STORAGE), exported(include_str!("storage_c.rs")));
}

/// The functions of drivers, by their types, in the order of their headers' structures.
#[test]
fn the_drivers_tables_have_the_headers_order() {
    let storage = include_str!("../include/Driver_Storage.h");
    for (header, table, source, count) in [
        (CFSTORE, "typedef struct ARM_CFSTORE_DRIVER", include_str!("cfstore_c.rs"), 17),
        (JOURNAL, "typedef struct FlashJournal_Ops_t", include_str!("journal_c.rs"), 7),
        (storage, "typedef const struct _ARM_DRIVER_STORAGE", include_str!("storage_c.rs"), 14),
    ] {
        let functions = declared_table(header, table);
        assert_eq!(functions, exported_table(source));
        assert_eq!(functions.len(), count);
    }
}

/// The numbers that headers define, however they write them.
fn defined(header: &str) -> BTreeMap<String, i64> {
    let numbers = header.lines().filter_map(|line| {
        let mut words = line.trim().strip_prefix("#define ")?.splitn(2, ' ');
        let (name, value) = (words.next()?, words.next()?.trim());
        let value = value.trim_start_matches('(').trim_end_matches(')').trim_start_matches("(psa_status_t)");
        let value = value.trim_start_matches("psa_status_t)");
        let value = value.split("/*").next()?.trim().trim_end_matches(')');
        let number = match value.split_once("<<") {
            Some((one, shift)) => {
                let one: i64 = one.trim().trim_end_matches('u').parse().ok()?;
                one << shift.trim().parse::<u32>().ok()?
            }
            None => value.trim_end_matches('u').parse().ok()?,
        };
        Some((name.to_owned(), number))
    });
    numbers.collect()
}

#[test]
fn native_codes_and_flags_are_the_headers() {
    let found = defined(LOCKSTONE);
    let codes = [
        ("NOT_FOUND", Failure::NotFound),
        ("ARGUMENT", Failure::Argument),
        ("BUSY", Failure::Busy),
        ("NOT_OPEN", Failure::NotOpen),
        ("INTERNAL", Failure::Internal),
        ("BUFFER_TOO_SMALL", Failure::BufferTooSmall),
        ("FLASH", Failure::Flash),
        ("FULL", Failure::Full),
        ("WORN_OUT", Failure::WornOut),
        ("DAMAGED", Failure::Damaged),
        ("ROLLED_BACK", Failure::RolledBack),
        ("TOO_LARGE", Failure::TooLarge),
        ("NOT_PERMITTED", Failure::NotPermitted),
        ("NO_COUNTER", Failure::NoCounter),
        ("COUNTER_EXHAUSTED", Failure::CounterExhausted),
        ("COUNTER", Failure::Counter),
        ("BLANK", Failure::Blank),
        ("UNKNOWN", Failure::Unknown),
        ("NOT_AUTHENTIC", Failure::NotAuthentic),
        ("INCOMPATIBLE", Failure::Incompatible),
        ("LAYOUT", Failure::Layout),
        ("ROOT_KEY", Failure::RootKey),
        ("RANDOM", Failure::Random),
        ("COLLISION", Failure::Collision),
        ("DEVICE", Failure::Device),
        ("OUT_OF_MEMORY", Failure::OutOfMemory),
        ("INCOMPLETE", Failure::Incomplete),
        ("WRONG_DIGEST", Failure::WrongDigest),
        ("NOT_AN_OBJECT", Failure::NotAnObject),
        ("OUT_OF_RANGE", Failure::OutOfRange),
    ];
    for (name, failure) in codes {
        assert_eq!(found.get(&format!("LOCKSTONE_E_{name}")), Some(&failure.code().into()), "{name}");
    }
    assert_eq!(found.keys().filter(|name| name.starts_with("LOCKSTONE_E_")).count(), codes.len());
    let flags = [
        ("PLATFORM_VERSION", VERSION),
        ("FLASH_IS_TRUSTED", FLASH_IS_TRUSTED),
        ("PROTECT", PROTECT),
        ("WRITE_ONCE", WRITE_ONCE),
    ];
    for (name, value) in flags {
        assert_eq!(found.get(&format!("LOCKSTONE_{name}")), Some(&value.into()), "{name}");
    }
}

#[test]
fn psa_codes_and_flags_are_the_headers() {
    let (codes, common) = (defined(ERROR), defined(COMMON));
    for (name, value) in [
        ("PSA_SUCCESS", 0),
        ("PSA_ERROR_GENERIC_ERROR", Failure::Internal.psa()),
        ("PSA_ERROR_NOT_PERMITTED", Failure::NotPermitted.psa()),
        ("PSA_ERROR_NOT_SUPPORTED", Failure::NoCounter.psa()),
        ("PSA_ERROR_INVALID_ARGUMENT", Failure::Argument.psa()),
        ("PSA_ERROR_ALREADY_EXISTS", Failure::Exists.psa()),
        ("PSA_ERROR_DOES_NOT_EXIST", Failure::NotFound.psa()),
        ("PSA_ERROR_INSUFFICIENT_STORAGE", Failure::Full.psa()),
        ("PSA_ERROR_STORAGE_FAILURE", Failure::Flash.psa()),
        ("PSA_ERROR_INVALID_SIGNATURE", Failure::RolledBack.psa()),
        ("PSA_ERROR_DATA_CORRUPT", Failure::Damaged.psa()),
        ("PSA_OPERATION_INCOMPLETE", -248),
    ] {
        assert_eq!(codes.get(name), Some(&value.into()), "{name}");
    }
    for (name, value) in [
        ("PSA_STORAGE_FLAG_NONE", 0),
        ("PSA_STORAGE_FLAG_WRITE_ONCE", psa::WRITE_ONCE),
        ("PSA_STORAGE_FLAG_NO_CONFIDENTIALITY", psa::NO_CONFIDENTIALITY),
        ("PSA_STORAGE_FLAG_NO_REPLAY_PROTECTION", psa::NO_REPLAY_PROTECTION),
        ("PSA_STORAGE_SUPPORT_SET_EXTENDED", 1),
    ] {
        assert_eq!(common.get(name), Some(&value.into()), "{name}");
    }
}

#[test]
fn cfstore_codes_are_the_headers() {
    let found = defined(CFSTORE);
    for (name, value) in [
        ("UNINITIALISED", codes::UNINITIALISED),
        ("PREEXISTING_KEY", codes::PREEXISTING_KEY),
        ("KEY_NOT_FOUND", codes::KEY_NOT_FOUND),
        ("INVALID_HANDLE", codes::INVALID_HANDLE),
        ("OUT_OF_MEMORY", codes::OUT_OF_MEMORY),
        ("PREEXISTING_KEY_DELETING", codes::PREEXISTING_KEY_DELETING),
        ("INVALID_HANDLE_BUF", codes::INVALID_HANDLE_BUF),
        ("INTERNAL", codes::INTERNAL),
        ("INVALID_KEY_NAME", codes::INVALID_KEY_NAME),
        ("VALUE_SIZE_TOO_LARGE", codes::VALUE_SIZE_TOO_LARGE),
        ("KEY_READ_ONLY", codes::KEY_READ_ONLY),
        ("INVALID_SEEK", codes::INVALID_SEEK),
        ("KEY_UNREADABLE", codes::KEY_UNREADABLE),
        ("INVALID_WRITE_BUFFER", codes::INVALID_WRITE_BUFFER),
        ("INVALID_KEY_LEN", codes::INVALID_KEY_LEN),
        ("NOT_SUPPORTED", codes::NOT_SUPPORTED),
        ("INVALID_READ_BUFFER", codes::INVALID_READ_BUFFER),
        ("INVALID_KEY_DESCRIPTOR", codes::INVALID_KEY_DESCRIPTOR),
        ("PERM_NO_READ_ACCESS", codes::NO_READ),
        ("PERM_NO_WRITE_ACCESS", codes::NO_WRITE),
        ("PERM_NO_EXECUTE_ACCESS", codes::NO_EXECUTE),
        ("PERM_NO_PERMISSIONS", codes::NO_PERMISSIONS),
        ("HANDLE_COUNT_MAX", codes::HANDLE_COUNT_MAX),
        ("JOURNAL_ERROR", Failure::Damaged.cfstore()),
        ("BUSY", Failure::Busy.cfstore()),
        ("PARAMETER", codes::PARAMETER),
        ("BOUNDED_CAPACITY", Failure::Full.cfstore()),
        ("STORAGE_IO_ERROR", Failure::Flash.cfstore()),
        ("NOT_INITIALIZED", Failure::NotOpen.cfstore()),
        ("OPERATION_PENDING", codes::OPERATION_PENDING),
    ] {
        assert_eq!(found.get(&format!("ARM_CFSTORE_DRIVER_ERROR_{name}")), Some(&value.into()), "{name}");
    }
    // All 36 of them, each once, with no gap.
    let all = found.iter().filter(|(name, _)| name.starts_with("ARM_CFSTORE_DRIVER_ERROR_"));
    let values: BTreeSet<i64> = all.map(|(_, value)| *value).collect();
    assert_eq!(values, (-1035..=-1000).collect());
    let limits = [("KEY_NAME_MAX_LENGTH", codes::NAME_MAX), ("VALUE_SIZE_MAX", codes::VALUE_MAX)];
    for (name, value) in limits {
        assert_eq!(found.get(&format!("CFSTORE_{name}")), i64::try_from(value).ok().as_ref(), "{name}");
    }
    let handles = i64::from(codes::HANDLES_MAX);
    assert_eq!((found["CFSTORE_HANDLE_COUNT_MAX"], found["CFSTORE_HANDLE_BUFSIZE"]), (handles, 24));
}

/// What crosses the boundary of the store and of PSA.
fn of_the_store() -> Vec<(&'static str, usize)> {
    vec![
        ("lockstone_platform", size_of::<Platform>()),
        ("lockstone_platform.context", offset_of!(Platform, context)),
        ("lockstone_platform.flash_size", offset_of!(Platform, flash_size)),
        ("lockstone_platform.erased_value", offset_of!(Platform, erased_value)),
        ("lockstone_platform.read", offset_of!(Platform, read)),
        ("lockstone_platform.derive_key", offset_of!(Platform, derive_key)),
        ("lockstone_platform.random", offset_of!(Platform, random)),
        ("lockstone_platform.counter_increment", offset_of!(Platform, counter_increment)),
        ("lockstone_platform.counter_limit", offset_of!(Platform, counter_limit)),
        ("lockstone_platform.lock", offset_of!(Platform, lock)),
        ("lockstone_platform.client", offset_of!(Platform, client)),
        ("lockstone_platform.provisioning", offset_of!(Platform, provisioning)),
        ("lockstone_memory", size_of::<Memory>()),
        ("lockstone_memory.size", offset_of!(Memory, size)),
        ("lockstone_memory.heads", offset_of!(Memory, heads)),
        ("lockstone_memory.cfstore_bytes", offset_of!(Memory, cfstore_bytes)),
        ("lockstone_cursor", size_of::<SearchPlace>()),
        ("lockstone_cursor.bucket", offset_of!(SearchPlace, bucket)),
        ("lockstone_stats", size_of::<Stats>()),
        ("lockstone_stats.counter_left", offset_of!(Stats, counter_left)),
        ("struct psa_storage_info_t", size_of::<Info>()),
        ("struct psa_storage_info_t.size", offset_of!(Info, size)),
        ("struct psa_storage_info_t.flags", offset_of!(Info, flags)),
    ]
}

/// And of CFSTORE.
fn of_cfstore() -> Vec<(&'static str, usize)> {
    vec![
        ("ARM_DRIVER_VERSION", size_of::<Version>()),
        ("ARM_CFSTORE_KEYDESC", size_of::<KeyDescription>()),
        ("ARM_CFSTORE_KEYDESC.drl", offset_of!(KeyDescription, drl)),
        ("ARM_CFSTORE_KEYDESC.security", offset_of!(KeyDescription, security)),
        ("ARM_CFSTORE_KEYDESC.flags", offset_of!(KeyDescription, flags)),
        ("ARM_CFSTORE_FMODE", size_of::<Bits>()),
        ("ARM_CFSTORE_DRIVER", size_of::<Driver>()),
        ("ARM_CFSTORE_DRIVER.Close", offset_of!(Driver, close)),
        ("ARM_CFSTORE_DRIVER.Create", offset_of!(Driver, create)),
        ("ARM_CFSTORE_DRIVER.Delete", offset_of!(Driver, delete)),
        ("ARM_CFSTORE_DRIVER.Find", offset_of!(Driver, find)),
        ("ARM_CFSTORE_DRIVER.Flush", offset_of!(Driver, flush)),
        ("ARM_CFSTORE_DRIVER.GetCapabilities", offset_of!(Driver, get_capabilities)),
        ("ARM_CFSTORE_DRIVER.GetKeyName", offset_of!(Driver, get_key_name)),
        ("ARM_CFSTORE_DRIVER.GetStatus", offset_of!(Driver, get_status)),
        ("ARM_CFSTORE_DRIVER.GetValueLen", offset_of!(Driver, get_value_len)),
        ("ARM_CFSTORE_DRIVER.Initialize", offset_of!(Driver, initialize)),
        ("ARM_CFSTORE_DRIVER.PowerControl", offset_of!(Driver, power_control)),
        ("ARM_CFSTORE_DRIVER.Read", offset_of!(Driver, read)),
        ("ARM_CFSTORE_DRIVER.Open", offset_of!(Driver, open)),
        ("ARM_CFSTORE_DRIVER.Rseek", offset_of!(Driver, rseek)),
        ("ARM_CFSTORE_DRIVER.Uninitialize", offset_of!(Driver, uninitialize)),
        ("ARM_CFSTORE_DRIVER.Write", offset_of!(Driver, write)),
    ]
}

/// And of the Flash Journal.
fn of_journal() -> Vec<(&'static str, usize)> {
    vec![
        ("FlashJournal_Info_t", size_of::<JournalInfo>()),
        ("FlashJournal_Info_t.sizeofJournaledBlob", offset_of!(JournalInfo, sizeof_journaled_blob)),
        ("FlashJournal_Info_t.program_unit", offset_of!(JournalInfo, program_unit)),
        ("FlashJournal_Ops_t", size_of::<JournalDriver>()),
        ("FlashJournal_Ops_t.getInfo", offset_of!(JournalDriver, get_info)),
        ("FlashJournal_Ops_t.read", offset_of!(JournalDriver, read)),
        ("FlashJournal_Ops_t.readFrom", offset_of!(JournalDriver, read_from)),
        ("FlashJournal_Ops_t.log", offset_of!(JournalDriver, log)),
        ("FlashJournal_Ops_t.commit", offset_of!(JournalDriver, commit)),
        ("FlashJournal_Ops_t.reset", offset_of!(JournalDriver, reset)),
        ("FlashJournal_t", size_of::<Journal>()),
        ("FlashJournal_t.opaque", offset_of!(Journal, state)),
    ]
}

/// And of objects and volumes.
fn of_objects() -> Vec<(&'static str, usize)> {
    vec![
        ("lockstone_volume", size_of::<VolumeRow>()),
        ("lockstone_volume.number", offset_of!(VolumeRow, number)),
        ("lockstone_volume.part", offset_of!(VolumeRow, part)),
        ("lockstone_volume.start", offset_of!(VolumeRow, start)),
        ("lockstone_volume.length", offset_of!(VolumeRow, length)),
        ("lockstone_object_info", size_of::<Content>()),
        ("lockstone_object_info.pending", offset_of!(Content, pending)),
        ("lockstone_object_info.digest", offset_of!(Content, digest)),
    ]
}

/// And of drivers of CMSIS-Driver Storage.
fn of_storage() -> Vec<(&'static str, usize)> {
    vec![
        ("ARM_STORAGE_BLOCK_ATTRIBUTES", size_of::<Attributes>()),
        ("ARM_STORAGE_BLOCK_ATTRIBUTES.erase_unit", offset_of!(Attributes, erase_unit)),
        ("ARM_STORAGE_BLOCK", size_of::<Block>()),
        ("ARM_STORAGE_BLOCK.size", offset_of!(Block, size)),
        ("ARM_STORAGE_BLOCK.attributes", offset_of!(Block, attributes)),
        ("ARM_STORAGE_INFO", size_of::<Information>()),
        ("ARM_STORAGE_INFO.program_unit", offset_of!(Information, program_unit)),
        ("ARM_STORAGE_INFO.program_cycles", offset_of!(Information, program_cycles)),
        ("ARM_STORAGE_INFO.security", offset_of!(Information, security)),
        ("ARM_STORAGE_STATUS", size_of::<Bits>()),
        ("ARM_STORAGE_CAPABILITIES", size_of::<Bits>()),
        ("ARM_DRIVER_STORAGE", size_of::<StorageDriver>()),
        ("ARM_DRIVER_STORAGE.GetCapabilities", offset_of!(StorageDriver, get_capabilities)),
        ("ARM_DRIVER_STORAGE.Initialize", offset_of!(StorageDriver, initialize)),
        ("ARM_DRIVER_STORAGE.Uninitialize", offset_of!(StorageDriver, uninitialize)),
        ("ARM_DRIVER_STORAGE.PowerControl", offset_of!(StorageDriver, power_control)),
        ("ARM_DRIVER_STORAGE.ReadData", offset_of!(StorageDriver, read_data)),
        ("ARM_DRIVER_STORAGE.ProgramData", offset_of!(StorageDriver, program_data)),
        ("ARM_DRIVER_STORAGE.Erase", offset_of!(StorageDriver, erase)),
        ("ARM_DRIVER_STORAGE.EraseAll", offset_of!(StorageDriver, erase_all)),
        ("ARM_DRIVER_STORAGE.GetStatus", offset_of!(StorageDriver, get_status)),
        ("ARM_DRIVER_STORAGE.GetInfo", offset_of!(StorageDriver, get_info)),
        ("ARM_DRIVER_STORAGE.ResolveAddress", offset_of!(StorageDriver, resolve_address)),
        ("ARM_DRIVER_STORAGE.GetNextBlock", offset_of!(StorageDriver, get_next_block)),
        ("ARM_DRIVER_STORAGE.GetBlock", offset_of!(StorageDriver, get_block)),
    ]
}

#[test]
fn sizes_and_offsets_are_those_that_the_c_compiler_checks() {
    let mut wanted = BTreeMap::new();
    for line in SHAPES.lines() {
        let shape = line.strip_prefix("SHAPE(").or_else(|| line.strip_prefix("FIELD("));
        let Some(words) = shape.and_then(|shape| shape.strip_suffix(')')) else { continue };
        let words: Vec<_> = words.split(", ").collect();
        let [name @ .., on64, on32] = &words[..] else { panic!("{line}") };
        let size = if cfg!(target_pointer_width = "64") { on64 } else { on32 };
        wanted.insert(name.join("."), size.parse::<usize>().unwrap());
    }
    let library = [of_the_store(), of_cfstore(), of_journal(), of_objects(), of_storage()].concat();
    assert_eq!(library.into_iter().map(|(name, size)| (name.to_owned(), size)).collect::<BTreeMap<_, _>>(), wanted);
}

/// The macro in the header promises enough memory, here and on 32-bit processors, where everything is smaller.
#[test]
fn the_memory_that_the_header_asks_for_is_enough() {
    use lockstone::{Head, State};
    assert!(LOCKSTONE.contains("(3072u + 8u * (size_t)(heads) + (size_t)(flash_size) / 2048u"));
    let fixed = size_of::<State>() + 1536 + 4 * 16;
    assert!(fixed <= 3072 && size_of::<Head>() == 8, "{fixed} bytes beside heads, segments and what the faces have");
}

/// What README.md shows is the example that `cargo xtask capi` runs, and no longer than it says.
#[test]
fn the_readme_shows_the_example() {
    let example = include_str!("../examples/hello.c");
    assert!(include_str!("../../../README.md").contains(&format!("```c\n{example}```")));
    assert_eq!(example.lines().count(), 10);
}
