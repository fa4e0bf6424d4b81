//! See `iobench-agent --help`.

fn main() -> std::process::ExitCode {
    iobench::cli::agent::main(std::env::args_os())
}
