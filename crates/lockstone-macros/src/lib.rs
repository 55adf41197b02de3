//! One source, two stores.
//!
//! The engine of `lockstone` is written once, with `async fn` and `.await`, and compiled twice. Each `impl` block that
//! touches flash carries the attribute `#[one_source]`; the asynchronous build imports [`keep`] under that name, the
//! blocking build imports [`strip`]. Stripping works on tokens alone: the words `async` and `.await` go, everything
//! else stays as it is, so that line numbers and messages of the compiler fit the source that people read.
//!
//! Tested by the engine itself: both builds run the same suite, and the blocking build has no state machine left.

use proc_macro::{Group, TokenStream, TokenTree};

/// Leaves the item as it is: the asynchronous build.
#[proc_macro_attribute]
pub fn keep(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Removes every `async` and every `.await`: the blocking build.
#[proc_macro_attribute]
pub fn strip(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    stripped(item)
}

fn stripped(tokens: TokenStream) -> TokenStream {
    let mut output: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word.to_string() == "async" => {}
            TokenTree::Ident(word) if word.to_string() == "await" => drop_dot(&mut output),
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), stripped(group.stream()));
                inner.set_span(group.span());
                output.push(TokenTree::Group(inner));
            }
            other => output.push(other),
        }
    }
    output.into_iter().collect()
}

/// The dot before `await` was pushed already; it goes with the word.
fn drop_dot(output: &mut Vec<TokenTree>) {
    let last = output.pop();
    assert!(matches!(&last, Some(TokenTree::Punct(dot)) if dot.as_char() == '.'), "`await` stands behind a dot");
}
