//! Real reviews, byte for byte as API servers sent them: our own recordings, and more where `CNI_STEWARD_REAL_DATA` points.
