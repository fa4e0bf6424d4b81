//! See `iobench-controller --help`.

fn main() -> std::process::ExitCode {
    iobench::cli::controller::main(std::env::args_os())
}
