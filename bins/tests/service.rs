//! What an agent tells anyone who asks: Describe, and the health service that orchestrators know.

mod support;

use iobench::grpc::{Tcp, describe};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Agent, Place, Process};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn an_idle_agent_describes_itself_and_is_healthy() {
    let place = Place::new();
    let agent = Agent::start(&place, "a");
    let description = describe(&Tcp::default(), &agent.address).await.unwrap();
    assert_eq!((description.state.as_str(), description.current), ("IDLE", None));
    assert_eq!(description.version, env!("CARGO_PKG_VERSION"));
    assert!(description.cores > 0 && description.memory > 0 && !description.host.is_empty());

    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", agent.address)).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    for service in ["", "iobench.v1.Agent"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "`{service}`");
    }
    let unknown = health.check(HealthCheckRequest { service: "other".to_owned() }).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::NotFound);
}

#[test]
fn nobody_at_the_address_is_said_with_exit_4() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iobench-controller"));
    let output = command.args(["describe", "127.0.0.[1-2]:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8(output.stderr).unwrap();
    for address in ["127.0.0.1:1", "127.0.0.2:1"] {
        assert!(stderr.contains(&format!("{address} cannot be reached")), "{stderr}");
    }
    assert!(stderr.contains("refused"), "{stderr}");
}

#[test]
fn a_second_agent_on_the_same_port_says_so_with_exit_5() {
    let place = Place::new();
    let first = Agent::start(&place, "a");
    let mut command = Command::new(env!("CARGO_BIN_EXE_iobench-agent"));
    command.args(["--listen", &first.address, "--state-dir"]).arg(place.path().join("second"));
    let second = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (code, stdout, stderr) = second.end(Duration::from_secs(60));
    assert_eq!((code, &*stdout), (5, ""), "{stderr}");
    let said = format!("error: cannot listen on {}; is another agent running there?", first.address);
    assert!(stderr.contains(&said), "{stderr}");
}
