//! Makes Rust of `iobench.proto`, with no program but the compiler itself.
//!
//! Messages become plain structs, as always. The service is generated apart from them, because its streams speak the
//! values of `iobench-core` through our own lenient codec rather than those structs.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use tonic_prost_build::FileDescriptorSet;
use tonic_prost_build::manual::{Builder, Method, Service};

const FILE: &str = "proto/iobench.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FILE}");
    let files = protox::compile([FILE], ["proto"])?;
    let service = only_service(&files)?;
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("shapes.rs"), shapes(&files))?;
    tonic_prost_build::configure().build_client(false).build_server(false).compile_fds(files)?;
    Builder::new().compile(&[service]);
    Ok(())
}

/// The service as the file declares it: one source for names and for what streams.
fn only_service(files: &FileDescriptorSet) -> Result<Service, Box<dyn Error>> {
    let file = files.file.last().ok_or("no file was compiled")?;
    let [service] = file.service.as_slice() else {
        return Err(format!("{FILE} must declare exactly one service").into());
    };
    // Places as descriptor.proto numbers them: field 6 of a file is its services, field 2 of a service its methods.
    let comment = |place: &[i32]| {
        let said =
            file.source_code_info.iter().flat_map(|info| &info.location).find(|said| said.path == place);
        said.map(|said| said.leading_comments().trim().to_owned()).unwrap_or_default()
    };
    let mut built = Service::builder().name(service.name()).package(file.package()).comment(comment(&[6, 0]));
    for (method, place) in service.method.iter().zip(0..) {
        let streams = method.client_streaming();
        let mut next = Method::builder()
            .name(snake_case(method.name()))
            .route_name(method.name())
            .comment(comment(&[6, 0, 2, place]))
            .input_type(rust_type(method.input_type(), streams))
            .output_type(rust_type(method.output_type(), streams))
            .codec_path(if streams { "crate::codec::LenientCodec" } else { "tonic_prost::ProstCodec" });
        if streams {
            next = next.client_streaming();
        }
        if method.server_streaming() {
            next = next.server_streaming();
        }
        built = built.method(next.build());
    }
    Ok(built.build())
}

/// What flows over a stream is a value of the core; a single answer is the generated struct.
fn rust_type(message: &str, streams: bool) -> String {
    let name = message.rsplit('.').next().unwrap_or(message);
    if streams { format!("iobench_core::message::{name}") } else { format!("crate::wire::{name}") }
}

/// A constant for each message that says which of its fields hold messages or lists, so that entries can be counted
/// before anything is allocated for them.
fn shapes(files: &FileDescriptorSet) -> String {
    let mut shapes = String::new();
    for message in files.file.iter().flat_map(|file| &file.message_type) {
        let mut fields = String::new();
        for field in &message.field {
            let is_message = field.r#type().as_str_name() == "TYPE_MESSAGE";
            let content = if is_message { constant(field.type_name()) } else { "LEAF".to_owned() };
            if is_message || field.label().as_str_name() == "LABEL_REPEATED" {
                let _ = write!(fields, "({}, &{content}), ", field.number());
            }
        }
        let _ =
            writeln!(shapes, "pub(crate) const {}: Shape = Shape(&[{fields}]);", constant(message.name()));
    }
    shapes
}

fn constant(message: &str) -> String {
    snake_case(message.rsplit('.').next().unwrap_or(message)).to_uppercase()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
