//! The locks of holds and purses: the usual ones, or ones that a scheduler of tests decides over.

#[cfg(not(feature = "shuttle"))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
pub(crate) use decided::{Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
mod decided {
    use std::sync::PoisonError;

    pub(crate) use shuttle::sync::MutexGuard;

    /// As `parking_lot::Mutex`, as far as it is used here.
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
