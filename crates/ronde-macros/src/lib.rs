//! The attributes `#[ronde::main]` and `#[ronde::test]`.
//!
//! Use them through the `ronde` crate, which documents them where it re-exports them.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, parse_macro_input};

/// Makes an `async fn main` the program's main function: it runs as the main task of an event loop.
///
/// It is [`ronde::run`](https://docs.rs/ronde/latest/ronde/fn.run.html), and what `main` returns is
/// what the program returns. If the loop itself fails, the error goes to the standard error output
/// and the program ends with status 1. After Ctrl-C, when the main task has been cancelled and all
/// has been cleaned up, the program ends as one that was interrupted: status 130.
///
/// With `#[ronde::main(end_on_unobserved_failure)]` a task whose failure nobody looks at, or a callback
/// that panics, ends the program: the main task is cancelled, all is cleaned up, and the status is 1.
///
/// # In asyncio
///
/// `asyncio.run(main())`.
///
/// # Examples
///
/// ```ignore
/// #[ronde::main]
/// async fn main() {
///     ronde::sleep(std::time::Duration::from_millis(1)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let entry = match arguments.to_string().as_str() {
        "" => quote!(::ronde::entry::main),
        "end_on_unobserved_failure" => quote!(::ronde::entry::strict_main),
        _ => {
            let message = "`#[ronde::main]` takes nothing or `end_on_unobserved_failure`";
            return error(&function, message);
        }
    };
    expand(function, "main", &entry, &quote!())
}

/// Makes an `async fn` a test that runs on an event loop of its own.
///
/// With `#[ronde::test(simulated)]` the loop's clock is simulated: sleeps and timeouts take no time,
/// and a test that can't go on fails with a report of the deadlock.
///
/// At the end the tasks that are left over are cancelled and awaited, as by `ronde::run`. Ctrl-C is
/// left alone.
///
/// # In asyncio
///
/// `unittest.IsolatedAsyncioTestCase`.
///
/// # Examples
///
/// ```ignore
/// #[ronde::test(simulated)]
/// async fn an_hour_passes() {
///     ronde::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let entry = match arguments.to_string().as_str() {
        "" => quote!(::ronde::entry::test),
        "simulated" => quote!(::ronde::entry::simulated_test),
        _ => return error(&function, "`#[ronde::test]` takes nothing or `simulated`"),
    };
    expand(function, "test", &entry, &quote!(#[::core::prelude::v1::test]))
}

fn expand(
    mut function: ItemFn,
    attribute: &str,
    entry: &proc_macro2::TokenStream,
    before: &proc_macro2::TokenStream,
) -> TokenStream {
    if function.sig.asyncness.take().is_none() {
        return error(&function, &format!("`#[ronde::{attribute}]` is for an `async fn`"));
    }
    if !function.sig.inputs.is_empty() || !function.sig.generics.params.is_empty() {
        let message = format!("the function under `#[ronde::{attribute}]` takes no parameters");
        return error(&function, &message);
    }
    let ItemFn { attrs, vis, sig, block } = function;
    quote!(#before #(#attrs)* #vis #sig { #entry(async move #block) }).into()
}

fn error(function: &ItemFn, message: &str) -> TokenStream {
    Error::new_spanned(&function.sig, message).into_compile_error().into()
}
