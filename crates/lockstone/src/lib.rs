//! Lockstone.
#![no_std]
