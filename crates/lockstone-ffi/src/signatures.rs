//! Functions of the headers, held against this crate by their types: what each takes and returns, in the words of Rust.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use crate::headers::bare;

/// Types of the headers, and what they are here. `ARM_DRIVER_STORAGE` is const by its definition.
const TYPES: &[(&str, &str)] = &[
    ("void", "c_void"),
    ("char", "c_char"),
    ("size_t", "usize"),
    ("uint8_t", "u8"),
    ("uint32_t", "u32"),
    ("uint64_t", "u64"),
    ("int32_t", "i32"),
    ("lockstone_platform", "Platform"),
    ("lockstone_memory", "Memory"),
    ("lockstone_cursor", "SearchPlace"),
    ("lockstone_stats", "Stats"),
    ("lockstone_volume", "VolumeRow"),
    ("lockstone_object_info", "Content"),
    ("psa_status_t", "i32"),
    ("psa_storage_uid_t", "u64"),
    ("psa_storage_create_flags_t", "u32"),
    ("struct psa_storage_info_t", "Info"),
    ("ARM_DRIVER_VERSION", "Version"),
    ("ARM_POWER_STATE", "i32"),
    ("ARM_CFSTORE_DRIVER", "Driver"),
    ("ARM_CFSTORE_CAPABILITIES", "Bits"),
    ("ARM_CFSTORE_STATUS", "Bits"),
    ("ARM_CFSTORE_FMODE", "Bits"),
    ("ARM_CFSTORE_KEYDESC", "KeyDescription"),
    ("ARM_CFSTORE_HANDLE", "*mut c_void"),
    ("ARM_CFSTORE_SIZE", "usize"),
    ("ARM_CFSTORE_CALLBACK", "Option<Callback>"),
    ("ARM_DRIVER_STORAGE", "const StorageDriver"),
    ("struct _ARM_DRIVER_STORAGE", "StorageDriver"),
    ("ARM_Storage_Callback_t", "Option<StorageCallback>"),
    ("ARM_STORAGE_CAPABILITIES", "Bits"),
    ("ARM_STORAGE_STATUS", "Bits"),
    ("ARM_STORAGE_INFO", "Information"),
    ("ARM_STORAGE_BLOCK", "Block"),
    ("InitializeCallback_t", "Option<InitializeCallback>"),
    ("struct FlashJournal_t", "Journal"),
    ("struct FlashJournal_Ops_t", "JournalDriver"),
    ("FlashJournal_Status_t", "i32"),
    ("FlashJournal_Info_t", "JournalInfo"),
    ("FlashJournal_Callback_t", "Option<JournalCallback>"),
];

/// Prefixes of the functions that headers declare.
const PREFIXES: [&str; 4] = ["lockstone_", "psa_", "StorageVolumeManager_", "flashJournalStrategySequential_"];

/// A C declaration of one thing, such as `const char *name` or `char name[256]`: its type in Rust, and its name.
fn c_type(declaration: &str) -> (String, String) {
    let spaced = declaration.replace('*', " * ");
    let (spaced, array) = spaced.split_once('[').map_or((spaced.as_str(), false), |(before, _)| (before, true));
    let mut words: Vec<_> = spaced.split_whitespace().collect();
    let name = words.pop().unwrap_or_default().to_owned();
    let stars = words.iter().filter(|word| **word == "*").count() + usize::from(array);
    let constant = words.first() == Some(&"const");
    let base: Vec<_> = words.iter().copied().filter(|word| !["*", "const"].contains(word)).collect();
    let base = base.join(" ");
    let known = TYPES.iter().find(|(c, _)| *c == base).map(|(_, rust)| *rust);
    let rust = known.unwrap_or_else(|| panic!("`{base}` of `{declaration}` is no type of the table"));
    let (constant, rust) = rust.strip_prefix("const ").map_or((constant, rust), |rust| (true, rust));
    let inner = if constant { "*const " } else { "*mut " };
    let rust = match stars {
        0 if base == "void" => "()".to_owned(),
        0 => rust.to_owned(),
        stars => "*mut ".repeat(stars - 1) + inner + rust,
    };
    (rust, name)
}

/// The parameters of a C function, and what it returns.
fn c_signature(returns: &str, list: &str) -> String {
    let list = list.trim();
    let parameters = list.split(',').filter(|parameter| !["", "void"].contains(&parameter.trim()));
    let parameters: Vec<_> = parameters.map(|parameter| c_type(parameter).0).collect();
    format!("{} -> {returns}", parameters.join(", "))
}

/// The functions that a header declares outside of structures.
pub(crate) fn declared(header: &str) -> BTreeMap<String, String> {
    let bare = bare(header);
    let functions = bare.split(';').filter_map(|statement| {
        let statement = statement.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" ");
        let statement = statement.rsplit(['{', '}']).next()?;
        let (head, list) = statement.split_once('(')?;
        let name = head.split_whitespace().last()?.trim_start_matches('*');
        let known = PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !statement.contains("(*");
        known.then(|| (name.to_owned(), c_signature(&c_type(head).0, list.trim_end().trim_end_matches(')'))))
    });
    functions.collect()
}

/// A Rust function's parameters, of which some have names, and what it returns.
fn rust_signature(list: &str, returns: &str) -> String {
    let parameters = list.split(',').map(|parameter| {
        let plain = parameter.split_whitespace().collect::<Vec<_>>().join(" ");
        // Of another type's storage only the address is looked at.
        plain.rsplit_once(": ").map_or(plain.clone(), |(_, kind)| kind.to_owned()).replace("Mtd", "StorageDriver")
    });
    let parameters: Vec<_> = parameters.filter(|parameter| !parameter.is_empty()).collect();
    let returns = returns.trim().strip_prefix("->").map_or("()", str::trim);
    format!("{} -> {returns}", parameters.join(", "))
}

/// The functions that a source file of the edge exports.
pub(crate) fn exported(source: &str) -> BTreeMap<String, String> {
    let functions = source.split("#[unsafe(no_mangle)]").skip(1).filter_map(|item| {
        let (_, item) = item.split_once("extern \"C\" fn ")?;
        let (name, rest) = item.split_once('(')?;
        let (list, rest) = rest.split_once(')')?;
        let known = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        known.then(|| (name.to_owned(), rust_signature(list, rest.split_once('{').map_or("", |(returns, _)| returns))))
    });
    functions.collect()
}

/// The functions of a structure of pointers in a header, by their names without underlines, in their order.
pub(crate) fn declared_table(header: &str, table: &str) -> Vec<(String, String)> {
    let (_, table) = header.split_once(&format!("{table} {{")).expect("the structure is there");
    let table = bare(table.split_once("\n} ").expect("it ends").0);
    let functions = table.split(';').filter_map(|field| {
        let (returns, rest) = field.split_once("(*")?;
        let (name, list) = rest.split_once(')')?;
        let list = list.trim().trim_start_matches('(').trim_end_matches(')');
        Some((plain(name), c_signature(&c_type(&format!("{returns} {name}")).0, list)))
    });
    functions.collect()
}

/// The same of a structure here.
pub(crate) fn exported_table(source: &str) -> Vec<(String, String)> {
    let (_, fields) = source.split_once("Driver {").expect("the structure is there");
    let fields = fields.split_once("\n}").expect("it ends").0;
    let functions = fields.split("pub ").skip(1).filter_map(|field| {
        let (name, rest) = field.split_once(':')?;
        let (_, rest) = rest.split_once("fn(")?;
        let (list, returns) = rest.split_once(')')?;
        Some((plain(name), rust_signature(list, returns.trim().trim_end_matches([',', '>']))))
    });
    functions.collect()
}

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// What is compared can tell types apart.
#[test]
fn types_are_told_apart() {
    assert_eq!(c_type("const char *name"), ("*const c_char".to_owned(), "name".to_owned()));
    assert_eq!(c_type("char name[256]").0, "*mut c_char");
    assert_eq!(c_type("ARM_DRIVER_STORAGE **volume").0, "*mut *const StorageDriver");
    assert_eq!(c_type("struct _ARM_DRIVER_STORAGE *volume").0, "*mut StorageDriver");
    let header = "int32_t lockstone_a(uint32_t one, const void *two);\nvoid lockstone_b(void);\n";
    let source = "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn lockstone_a(one: u32, two: *const c_void,\n) -> i32 {\n\
        #[unsafe(no_mangle)]\npub extern \"C\" fn lockstone_b() {\n";
    assert_eq!(declared(header), exported(source));
    for (from, to) in [("u32", "u64"), ("*const", "*mut"), ("-> i32", "-> u32"), ("one: u32, ", "")] {
        assert_ne!(declared(header), exported(&source.replacen(from, to, 1)), "{from}");
    }
}
