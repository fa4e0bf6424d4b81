//! See `iobench --help`.

fn main() -> std::process::ExitCode {
    iobench::cli::iobench::main(std::env::args_os())
}
