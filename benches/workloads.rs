//! The workloads of the benchmark harness.
