//! Stack: the worst chain of calls of a program, from its disassembly.
//!
//! A function takes what it pushes and what it subtracts from `sp`; a chain takes the sum. Calls through pointers are not
//! seen: the store has none. A function that changes `sp` in another way, or recursion, gives no answer rather than a
//! wrong one.

use std::collections::{BTreeMap, BTreeSet};

/// One function: bytes of its frame, and whom it calls.
#[derive(Debug, Default)]
struct Function<'d> {
    frame: u64,
    calls: BTreeSet<&'d str>,
    odd: bool,
}

/// Bytes of stack below the frame of `_start` in the worst case; `None`: can't be told.
pub(crate) fn deepest(disassembly: &str) -> Option<u64> {
    let functions = parse(disassembly);
    let mut known = BTreeMap::new();
    let start = functions.get("_start")?;
    let depths = start.calls.iter().map(|name| depth(name, &functions, &mut known, &mut Vec::new()));
    depths.collect::<Option<Vec<_>>>().map(|depths| depths.into_iter().max().unwrap_or(0))
}

fn depth<'d>(
    name: &'d str,
    functions: &BTreeMap<&'d str, Function<'d>>,
    known: &mut BTreeMap<&'d str, u64>,
    above: &mut Vec<&'d str>,
) -> Option<u64> {
    if let Some(depth) = known.get(name) {
        return Some(*depth);
    }
    let function = functions.get(name)?;
    if function.odd || above.contains(&name) {
        return None;
    }
    above.push(name);
    let mut deepest = 0;
    for callee in &function.calls {
        deepest = deepest.max(depth(callee, functions, known, above)?);
    }
    above.pop();
    known.insert(name, function.frame + deepest);
    Some(function.frame + deepest)
}

fn parse(disassembly: &str) -> BTreeMap<&str, Function<'_>> {
    let mut functions: BTreeMap<&str, Function<'_>> = BTreeMap::new();
    let mut name = "";
    for line in disassembly.lines() {
        if let Some(head) = line.strip_suffix(">:").and_then(|head| head.split_once('<')) {
            name = head.1;
            functions.entry(name).or_default();
        } else if let Some(function) = functions.get_mut(name) {
            // address: bytes <tab> mnemonic <tab> operands
            let mut columns = line.split('\t').skip(2);
            let (Some(mnemonic), operands) = (columns.next(), columns.next().unwrap_or("")) else { continue };
            function.read(name, mnemonic.trim(), operands);
        }
    }
    functions
}

impl<'d> Function<'d> {
    fn read(&mut self, name: &str, mnemonic: &str, operands: &'d str) {
        match mnemonic {
            "push" | "push.w" | "stmdb" if mnemonic != "stmdb" || operands.starts_with("sp!") => {
                self.frame += 4 * registers(operands);
            }
            "sub" | "sub.w" | "subw" if operands.starts_with("sp") => match operands.split_once('#') {
                Some((_, bytes)) => {
                    let digits: String = bytes.chars().take_while(char::is_ascii_digit).collect();
                    self.frame += digits.parse::<u64>().unwrap_or(0);
                }
                None => self.odd = true,
            },
            // A frame of more than an immediate can say is added from a register.
            "add" | "mov" if operands.starts_with("sp, r") => self.odd = true,
            _ => {}
        }
        if let Some((_, target)) = operands.split_once('<')
            && mnemonic.starts_with('b')
            && let Some(target) = target.split(['+', '>']).next()
            && target != name
        {
            self.calls.insert(target);
        }
    }
}

/// Number of registers in `{r4, r5-r7, lr}`.
fn registers(operands: &str) -> u64 {
    let list = operands.split_once('{').map_or("", |(_, list)| list.trim_end_matches(['}', ' ']));
    let number = |name: &str| name.trim().trim_start_matches('r').parse::<u64>().ok();
    list.split(',')
        .map(|item| match item.split_once('-') {
            Some((first, last)) => number(last).zip(number(first)).map_or(1, |(last, first)| last - first + 1),
            None => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "\
00008000 <_start>:\n    8000:\tb580      \tpush\t{r7, lr}\n    8002:\tf000 f801 \tbl\t8008 <walk>\n\
00008008 <walk>:\n    8008:\te92d 4ff0 \tstmdb\tsp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}\n    800c:\tb081      \tsub\tsp, #4\n    800e:\td1fb      \tbne.n\t8008 <walk>\n    8010:\tf000 b802 \tb.w\t8018 <tail>\n\
00008018 <tail>:\n    8018:\tb5f0      \tpush\t{r4-r7, lr}\n";

    #[test]
    fn a_chain_is_the_sum_of_its_frames() {
        assert_eq!(deepest(PROGRAM), Some(9 * 4 + 4 + 5 * 4));
    }

    #[test]
    fn recursion_and_odd_frames_have_no_answer() {
        let recursive = format!("{PROGRAM}    801a:\tf7ff bff6 \tbl\t8008 <walk>\n");
        assert_eq!(deepest(&recursive), None);
        let odd = format!("{PROGRAM}    801a:\t44b5      \tadd\tsp, r6\n");
        assert_eq!(deepest(&odd), None);
        assert_eq!(deepest(""), None);
    }
}
