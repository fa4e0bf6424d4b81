//! Drivers.

pub mod grpc {
    //! The network between a controller and its agents.

    pub mod tls;
}
