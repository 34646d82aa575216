//! The binary, which only calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    netproof::command::run(std::env::args_os())
}
