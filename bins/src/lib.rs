//! Drivers.

pub mod grpc {
    //! The network between a controller and its agents.

    pub mod tls;
}
pub mod report;
pub mod results;
