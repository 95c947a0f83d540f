//! The binary event stream of AWS, taken apart as it arrives.
