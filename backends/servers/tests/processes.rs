//! Servers do not outlive whoever started them.

use iobench_servers::{Azurite, Weed};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the process that is killed.
const VICTIM: &str = "IOBENCH_TEST_VICTIM";

/// Plays the victim when it is told to; else it has nothing to do.
#[test]
fn a_process_that_starts_servers() {
    if std::env::var_os(VICTIM).is_some() {
        println!("at {} {}", Weed::open().address(), Azurite::shared().address());
        std::thread::sleep(Duration::from_secs(600));
    }
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_process_that_starts_servers", "--nocapture"]).env(VICTIM, "yes");
    let mut victim = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = std::io::BufReader::new(victim.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(output).map(|line| line.unwrap());
    let line = lines.find_map(|line| line.split_once("at ").map(|(_, rest)| rest.to_owned())).unwrap();
    let addresses: Vec<String> = line.split(' ').map(str::to_owned).collect();
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()), "{addresses:?}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while addresses.iter().any(|address| TcpStream::connect(address).is_ok()) {
        assert!(Instant::now() < end, "a server lives on at {addresses:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
