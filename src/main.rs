//! The command line program.

fn main() -> std::process::ExitCode {
    residue::cli::main()
}
